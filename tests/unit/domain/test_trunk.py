"""Trunks: what can be one's settings, whom a carrier means, what events say of strangers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chalicelib.domain.trunk import (
    MAX_SHOWN,
    TRUNK_ID,
    Did,
    NewDid,
    Trunk,
    TrunkSettings,
    TrunkStatus,
    connected,
    international_forms,
    match_did,
    new_trunk_id,
    not_added_event,
    public_host,
    public_view,
    reported,
)

GIVEN = {"host": "sip.carrier.example", "username": "acct42", "password": "s3cret-pw"}
NOW = 1_790_000_000_000


def settings(**changes):
    return TrunkSettings.model_validate({**GIVEN, **changes})


def trunk(**changes):
    return connected(None, "acc_1", settings(**changes), "x.sip.example", NOW)


def did(e164):
    return Did(e164=e164, trunk_id="trunk_a", account_id="acc_1", added_at=NOW)


def refusal(**changes):
    with pytest.raises(ValidationError) as refused:
        settings(**changes)
    return refused.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("host", "held"),
    [
        ("SIP.Carrier.Example", "sip.carrier.example"),
        ("sip.carrier.example.", "sip.carrier.example"),
        ("203.0.113.9", "203.0.113.9"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8:0::1]", "2001:db8::1"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
    ],
)
def test_a_host_is_held_in_one_form(host, held):
    assert settings(host=host).host == held


@pytest.mark.parametrize(
    "host",
    ["", " ", "sip:carrier.example", "u@carrier.example", "a b.example", "carrier.example:5060",
     "carrier.example\n", "-a.example", "a..b", "127.1", "0x7f.1", "2130706433", "a.0x7f",
     "fe80::1%eth0", "[sip.example]", "münchen.example", ".".join(["a" * 60] * 5), "a" * 64],
)  # fmt: skip
def test_what_is_no_host_is_refused_with_an_example(host):
    assert "sip.example.com" in refusal(host=host)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
     "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fd00::1", "ff02::1",
     "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "localhost", "a.localhost", "pbx",
     "pbx.local", "db.internal", "router.home.arpa", "192.0.2.1", "2001:db8::1"],
)  # fmt: skip
def test_hosts_that_can_only_be_ones_own_network_are_known(host):
    assert not public_host(settings(host=host).host)


@pytest.mark.parametrize(
    "host", ["sip.carrier.com", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_hosts_of_the_internet_are_public(host):
    assert public_host(settings(host=host).host)


@pytest.mark.parametrize(
    "username", ["", "a" * 65, "a b", "é", "a\n", *(f"a{c}" for c in '@:;<>"?')]
)
def test_a_username_that_sip_accounts_cannot_carry_is_refused_and_says_so(username):
    assert "SIP accounts cannot carry" in refusal(username=username)


@pytest.mark.parametrize("password", ["", "x" * 129, 'a"b', "a\\b", "a\nb", "a\x00b"])
def test_a_password_that_sip_accounts_cannot_carry_is_refused_without_repeating_it(password):
    with pytest.raises(ValidationError) as refused:
        settings(password=password)
    assert "SIP accounts cannot carry" in refused.value.errors()[0]["msg"]
    if len(password) > 2:
        assert password not in str(refused.value)
        assert password not in refused.value.errors()[0]["msg"]


def test_a_password_may_hold_whatever_else_can_be_printed():
    odd = "p@:;<>?#%&=+ ' ü"
    assert settings(password=odd).password.get_secret_value() == odd


@pytest.mark.parametrize(
    ("given_", "port"),
    [
        ({}, 5060),
        ({"transport": "tcp"}, 5060),
        ({"transport": "tls"}, 5061),
        ({"transport": "tls", "port": 5060}, 5060),
    ],
)
def test_the_port_follows_the_transport_unless_given(given_, port):
    assert settings(**given_).port == port


@pytest.mark.parametrize(
    "changes",
    [{"port": 0}, {"port": 65536}, {"transport": "ws"}, {"provider": "acme"}, {"caller_id": "06"},
     {"allowed_countries": ["FRA"]}, {"allowed_countries": ["F1"]}, {"realm": 'a"b'},
     {"realm": ""}, {"colour": "red"}],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(changes):
    assert refusal(**changes)


@pytest.mark.parametrize("char", ["\r", "\n", "\x00", "\x7f", " ", '"', ";", "@", "é"])
@pytest.mark.parametrize("length", [0, 63, 64, 100, 127])
def test_a_realm_is_checked_to_its_last_character(char, length):
    assert settings(realm="r" * length + "r").realm
    assert "a realm is" in refusal(realm="r" * length + char)
    if length < 127:
        assert "a realm is" in refusal(realm="r" * length + char + "r")


@pytest.mark.parametrize("host", ["twilio.com", "x.sip.twilio.com", "X.SIP.Twilio.COM."])
def test_the_gateway_does_not_call_into_the_operators_own_sip_domain(host):
    assert "provider twilio" in refusal(host=host)
    assert settings(host=host, provider="twilio").host == host.lower().removesuffix(".")


@pytest.mark.parametrize("host", ["nottwilio.com", "twilio.com.example", "twilio.example"])
def test_a_host_that_only_looks_like_twilios_is_taken(host):
    assert settings(host=host).host == host


def test_countries_are_held_once_each_in_capitals():
    assert settings(allowed_countries=["fr", "DE", "FR"]).allowed_countries == ("DE", "FR")


def test_the_password_is_in_no_form_of_settings_or_trunk():
    wish = settings()
    made = connected(None, "acc_1", wish, None, NOW)
    forms = (repr(wish), str(wish), wish.model_dump_json(), repr(made), made.model_dump_json())
    assert all("s3cret-pw" not in form for form in forms)
    assert "account_id" not in public_view(made)


def test_ids_look_like_ids_and_do_not_repeat():
    ids = {new_trunk_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(TRUNK_ID.fullmatch(each) for each in ids)


def test_settings_anew_are_the_next_revision_of_the_same_trunk():
    first = reported(trunk(), TrunkStatus.FAILED, 401, "Wrong password.", NOW)
    again = connected(first, "acc_1", settings(port=5080), None, NOW + 5)
    assert (again.trunk_id, again.revision, again.port) == (first.trunk_id, 2, 5080)
    assert (again.status, again.sip_code) == (TrunkStatus.REGISTERING, None)
    assert (again.created_at, again.updated_at) == (NOW, NOW + 5)


def test_with_twilio_nothing_registers_and_the_detail_says_where_to_point_the_trunk():
    made = trunk(provider="twilio")
    assert made.status is TrunkStatus.UNREGISTERED
    assert "sip:{number}@x.sip.example" in made.detail


def test_a_failed_trunk_that_is_tried_again_keeps_its_reason():
    failed = reported(trunk(), TrunkStatus.FAILED, 401, "Wrong password.", NOW + 1)
    assert reported(failed, TrunkStatus.REGISTERING, None, "", NOW + 2) == failed
    well = reported(failed, TrunkStatus.REGISTERED, 200, "", NOW + 3)
    assert (well.status, well.status_at, well.sip_code) == (TrunkStatus.REGISTERED, NOW + 3, 200)
    same = reported(well, TrunkStatus.REGISTERED, 200, "", NOW + 9)
    assert same == well


@pytest.mark.parametrize("url", ["ws://agent.example/", "wss://agent.example:8443/a?b=c"])
def test_an_agent_url_is_held_as_given(url):
    assert NewDid(e164="+33612345678", agent_url=url).agent_url == url


@pytest.mark.parametrize(
    "url",
    ["", "http://a.example", "wss://", "wss:///x", "wss://a.example:99999", "wss://a b", "ws://a#f",
     "wss://a.example/" + "x" * 2048, "wss://a.example:0/"],
)  # fmt: skip
def test_what_is_no_websocket_url_is_refused(url):
    with pytest.raises(ValidationError):
        NewDid(e164="+33612345678", agent_url=url)


# Whom a carrier means.

PARIS, LYON, NEW_YORK = did("+33187654321"), did("+33478654399"), did("+12125550123")
THREE = [PARIS, LYON, NEW_YORK]


@pytest.mark.parametrize(
    ("called", "meant"),
    [
        ("+33187654321", PARIS),
        ("33187654321", PARIS),
        ("0033187654321", PARIS),
        ("01133187654321", PARIS),
        ("0187654321", PARIS),
        ("187654321", PARIS),
        ("+33 1 87-65.43(21)", PARIS),
        ("sip:+33187654321@pbx.example:5060;transport=tls", PARIS),
        ("SIPS:0187654321@pbx.example", PARIS),
        ("sip:+33187654321;npdi;user=phone@pbx.example", PARIS),
        ("sip:%2B33187654321@pbx.example", PARIS),
        ("sip:+33187654321:pw@pbx.example", PARIS),
        ('"Desk" <sip:0033187654321@pbx.example>;tag=x', PARIS),
        ("tel:+33187654321", PARIS),
        ("2125550123", NEW_YORK),
        ("12125550123", NEW_YORK),
        ("5550123", NEW_YORK),
        ("654399", LYON),
        ("54399", None),  # too few digits
        ("0054399", None),
        ("+187654321", None),  # with a plus it is a whole number, of somebody else
        ("+33100000000", None),
        ("0612345678", None),
        ("sip:acct42@pbx.example", None),  # three numbers: which?
        ("sip:pbx.example", None),
        ("anonymous", None),
        ("", None),
    ],
)
def test_a_carriers_way_of_writing_a_number(called, meant):
    assert match_did(called, THREE) is meant


def test_what_two_numbers_end_with_names_neither():
    twins = [did("+33187654321"), did("+32187654321")]
    assert match_did("187654321", twins) is None
    assert match_did("0032187654321", twins) is twins[1]


@pytest.mark.parametrize("called", ["sip:acct42@pbx.example", "acct42", "sip:s@host", "", "sip:h"])
def test_where_only_the_account_is_named_the_only_number_is_meant(called):
    assert match_did(called, [PARIS]) is PARIS
    assert match_did(called, []) is None


def test_an_account_name_of_digits_is_a_name_all_the_same():
    assert match_did("sip:200451@pbx.example", [PARIS]) is None
    assert match_did("sip:200451@pbx.example", [PARIS], "200451") is PARIS
    assert match_did("200451", THREE, "200451") is None
    assert match_did("0187654321", THREE, "0187654321") is PARIS


def test_another_number_is_not_taken_for_the_only_one():
    assert match_did("+33100000000", [PARIS]) is None
    assert match_did("12345", [PARIS]) is None


e164s = st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True)


@given(st.lists(e164s, min_size=1, max_size=6, unique=True), st.data())
def test_every_international_way_of_writing_finds_the_number_among_others(numbers, data):
    dids = [did(e164) for e164 in numbers]
    meant = data.draw(st.sampled_from(dids))
    digits = meant.e164[1:]
    assert match_did(meant.e164, dids) is meant
    wrapped = data.draw(st.sampled_from(["{}", "sip:{}@h", "sips:{}@h:5061;a=b", "<sip:{}@h>"]))
    for written in (f"+{digits}", f"00{digits}", f"011{digits}", digits):
        found = match_did(wrapped.format(written), dids)
        # Digits alone may be, to the letter, another number with its prefix left away.
        assert found is meant or found.e164[1:] in written


@given(st.text(max_size=40), st.lists(e164s, max_size=6, unique=True))
def test_whatever_is_called_is_a_number_that_it_ends_with_the_only_one_or_none(called, numbers):
    dids = [did(e164) for e164 in numbers]
    found = match_did(called, dids)
    digits = [char for char in called if char.isdigit()]
    if found is not None and len(dids) > 1:
        assert len(digits) >= 6
    assert found is None or found in dids


@given(st.lists(e164s, min_size=2, max_size=6, unique=True), st.integers(6, 12), st.data())
def test_a_national_form_finds_a_number_exactly_if_one_alone_ends_with_it(numbers, length, data):
    dids = [did(e164) for e164 in numbers]
    digits = data.draw(st.sampled_from(numbers))[1:][-length:]
    if any(form in numbers for form in international_forms(digits)):
        return
    ending = digits.removeprefix("0")
    meant = [each for each in dids if each.e164.endswith(ending)] if len(ending) >= 6 else []
    assert match_did(digits, dids) is (meant[0] if len(meant) == 1 else None)


def test_an_event_about_a_number_not_added_says_how_to_add_it():
    event = not_added_event(trunk(), "sip:0033187654321@pbx", "+15550001111", NOW)
    assert 'POST /api/trunk/dids {"e164": "+33187654321"}' in event.data["detail"]
    unclear = not_added_event(trunk(), "0187654321", "anonymous", NOW)
    assert "E.164" in unclear.data["detail"]


@given(st.text(), st.text())
def test_an_event_repeats_little_of_a_strangers_text(to, from_):
    data = not_added_event(trunk(), to, from_, NOW).data
    assert max(len(data["to"]), len(data["from"])) <= MAX_SHOWN
    assert data["to"].isprintable()
    assert data["from"].isprintable()
    assert len(json.dumps(data)) < 2000


def test_a_trunk_survives_the_table():
    made = trunk(caller_id="+33187654321", allowed_countries=["FR"], realm="asterisk")
    assert Trunk.model_validate(made.model_dump(mode="json")) == made
