"""Tests of the settings of trunks beyond an account at a host: addresses, encryption, numbers."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from chalicelib.domain.trunk import Trunk, TrunkStatus, apply_report, apply_settings, public_view
from chalicelib.domain.trunk_fields import BadName, parse_name
from chalicelib.domain.trunk_settings import TrunkSettings
from tests.unit.domain.trunks import NOW, refusal, settings, trunk

BY_ADDRESS = {"host": "sip.carrier.example", "auth": "ip", "networks": ["9.9.9.0/24"]}


def by_address(**changes):
    return TrunkSettings.model_validate({**BY_ADDRESS, **changes})


def error_of(given):
    with pytest.raises(ValidationError) as refused:
        TrunkSettings.model_validate(given)
    (first, *_) = refused.value.errors()
    return ".".join(map(str, first["loc"])), first["msg"]


def test_a_trunk_by_address_needs_no_account_and_waits_for_an_answer():
    made = apply_settings(None, "acc_1", by_address(), None, NOW, name="second")
    assert (made.name, made.auth, made.username) == ("second", "ip", None)
    assert made.networks == ("9.9.9.0/24",)
    assert (made.status, made.claims_at) == (TrunkStatus.REGISTERING, "gateway-ip")
    assert "Asking sip.carrier.example" in made.detail


@pytest.mark.parametrize("auth", ["register", "both"])
@pytest.mark.parametrize("missing", ["username", "password"])
def test_a_trunk_that_registers_needs_an_account(auth, missing):
    given = {**BY_ADDRESS, "auth": auth, "username": "u", "password": "p"}
    if auth == "register":
        del given["networks"]
    assert TrunkSettings.model_validate(given)
    del given[missing]
    field, message = error_of(given)
    assert (field, "auth ip" in message) == (missing, True)


@pytest.mark.parametrize("only", [{"username": "u"}, {"password": "p"}])
def test_username_and_password_of_a_trunk_by_address_come_together(only):
    assert error_of({**BY_ADDRESS, **only}) == (
        "password",
        "Value error, give username and password together, or neither of them",
    )
    assert by_address(username="u", password="p").username == "u"


def test_networks_are_for_trunks_by_address_which_need_them():
    assert error_of({**BY_ADDRESS, "networks": []})[0] == "networks"
    assert "addresses that your carrier sends" in error_of({**BY_ADDRESS, "networks": []})[1]
    assert "only with auth ip or both" in refusal(networks=["9.9.9.9/32"])


def test_networks_are_kept_once_each_in_their_usual_form():
    given = ["9.9.9.9", "2620:FE::9/128", "9.9.9.9/32"]
    assert by_address(networks=given).networks == ("9.9.9.9/32", "2620:fe::9/128")


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ("9.9.0.0/19", "/20 to /32"),
        ("0.0.0.0/0", "/20 to /32"),
        ("2620:fe::/47", "/48 to /128"),
        ("9.9.9.9/24", "host bits set"),
        ("9.9.9", "is no network"),
        ("sip.carrier.example", "is no network"),
        ("fe80::1%eth0/128", "is no network"),
        ("", "is no network"),
    ],
)
def test_a_network_that_is_none_or_too_large_is_refused(network, said):
    assert said in error_of({**BY_ADDRESS, "networks": [network]})[1]


def test_more_networks_than_a_trunk_may_have_are_refused():
    many = [f"9.9.{number}.0/24" for number in range(32)]
    assert len(by_address(networks=many).networks) == 32
    assert error_of({**BY_ADDRESS, "networks": [*many, "9.10.0.0/24"]})[0] == "networks"


@pytest.mark.parametrize(
    ("given", "kept", "host"),
    [
        ("Proxy.Carrier.Example.", "proxy.carrier.example", "proxy.carrier.example"),
        ("proxy.carrier.example:5080", "proxy.carrier.example:5080", "proxy.carrier.example"),
        ("9.9.9.9:5060", "9.9.9.9:5060", "9.9.9.9"),
        ("[2620:fe::9]", "[2620:fe::9]", "2620:fe::9"),
        ("[2620:FE::9]:5061", "[2620:fe::9]:5061", "2620:fe::9"),
    ],
)
def test_an_outbound_proxy_is_a_host_with_or_without_a_port(given, kept, host):
    made = settings(outbound_proxy=given)
    assert (made.outbound_proxy, made.proxy_host) == (kept, host)
    assert trunk(outbound_proxy=given).outbound_proxy == kept


@pytest.mark.parametrize(
    "proxy",
    ["", "proxy:", "proxy:0", "proxy:65536", "proxy:x", "sip:proxy.example", "a b", "[::1]5060",
     "[::1", "2620:fe::9", "user@proxy.example", "proxy.example;lr", "[proxy.example]:5060"],
)  # fmt: skip
def test_an_invalid_outbound_proxy_is_refused(proxy):
    assert refusal(outbound_proxy=proxy)


def test_tls_and_twilio_are_checked_for_the_outbound_proxy_too():
    assert "outbound_proxy's name" in refusal(transport="tls", outbound_proxy="9.9.9.9")
    assert "none of twilio.com" in refusal(outbound_proxy="x.sip.twilio.com:5060")


@pytest.mark.parametrize(
    ("given", "srtp"),
    [({}, "off"), ({"transport": "tcp"}, "off"), ({"transport": "tls"}, "offered"),
     ({"transport": "tls", "srtp": "off"}, "off"), ({"srtp": "required"}, "required")],
)  # fmt: skip
def test_encryption_is_offered_by_default_with_tls_alone(given, srtp):
    assert settings(**given).srtp == trunk(**given).srtp == srtp


@pytest.mark.parametrize("prefix", ["", "0", "9*#", "12345678"])
def test_a_dial_prefix_is_up_to_eight_keys(prefix):
    assert settings(dial_prefix=prefix).dial_prefix == prefix


@pytest.mark.parametrize("prefix", ["+", "a", "123456789", "0\n", "٣"])
def test_another_dial_prefix_is_refused(prefix):
    assert "outside line" in refusal(dial_prefix=prefix)


def test_fallbacks_are_names_once_each_and_three_at_most():
    assert settings(fallback=["b", "a", "b"]).fallback == ("b", "a")
    assert refusal(fallback=["a", "b", "c", "d"])
    assert "is no name of a trunk" in refusal(fallback=["A"])


@pytest.mark.parametrize(
    "changes",
    [{"auth": "none"}, {"srtp": "on"}, {"number_format": "e.164"}, {"country": "FRA"},
     {"caller_id_in": "to"}, {"keep_alive": "stun"}, {"user_phone": "yes please"}],
)  # fmt: skip
def test_a_value_that_is_not_offered_is_refused(changes):
    assert refusal(**changes)


@pytest.mark.parametrize(
    "changes",
    [{"srtp": "required"}, {"outbound_proxy": "proxy.example"}, {"user_phone": True},
     {"caller_id_in": "pai"}, {"keep_alive": "crlf"}, {"fallback": ["second"]},
     {"auth": "both", "networks": ["9.9.9.9/32"]}],
)  # fmt: skip
def test_a_trunk_of_twilio_takes_only_settings_that_twilio_can_follow(changes):
    assert "for trunks of provider gateway" in refusal(provider="twilio", **changes)
    allowed = {"number_format": "plain", "dial_prefix": "0", "country": "FR", "transport": "tls"}
    assert settings(provider="twilio", **allowed).number_format == "plain"


@pytest.mark.parametrize("name", ["main", "a", "0", "ovh-paris", "a" * 32])
def test_a_name_is_small_letters_digits_and_hyphens(name):
    assert parse_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a" * 33, "a\n", "é", "a.b", "a/b"])
def test_another_name_is_refused(name):
    with pytest.raises(BadName, match="is no name of a trunk"):
        parse_name(name)


def test_a_trunk_stored_before_these_settings_is_the_one_called_main():
    stored = {
        "trunk_id": "trunk_a", "account_id": "acc_1", "provider": "gateway",
        "host": "sip.carrier.example", "port": 5061, "transport": "tls", "username": "acct42",
        "allowed_countries": ["FR"], "revision": 3, "status": "registered", "detail": "",
        "status_at": "2026-11-22T15:36:40.011Z", "created_at": "2026-11-22T15:36:40.011Z",
        "updated_at": "2026-11-22T15:36:40.011Z",
    }  # fmt: skip
    loaded = Trunk.model_validate(stored)
    assert (loaded.name, loaded.port, loaded.auth) == ("main", 5061, "register")
    assert (loaded.srtp, loaded.number_format, loaded.claims_at) == ("offered", "e164", None)
    assert public_view(loaded)["networks"] == []


def test_a_ready_trunk_keeps_its_moment_while_it_answers():
    made = apply_settings(None, "acc_1", by_address(), None, NOW)
    ready = apply_report(made, TrunkStatus.READY, 200, "", NOW + 1)
    assert (ready.status, ready.status_at, ready.sip_code) == (TrunkStatus.READY, NOW + 1, 200)
    again = apply_report(ready, TrunkStatus.READY, 405, "", NOW + 9)
    assert (again.status_at, again.sip_code) == (NOW + 1, 405)
