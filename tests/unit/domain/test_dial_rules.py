"""Tests of the rules of dialling, one test a rule: destinations, caller IDs, limits."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.account import Account
from chalicelib.domain.dial_rules import (
    RATE_WINDOW_MS,
    NotDialled,
    RecentDials,
    Target,
    check_declined,
    check_host,
    check_pace,
    check_registered,
    choose_caller_id,
    parse_target,
)
from chalicelib.domain.did import Did
from chalicelib.domain.toll_guard import WORLD_RANGES, NumberingFacts, check_number
from chalicelib.domain.trunk import Trunk

NOW = 1_790_000_000_000
FR = NumberingFacts(valid=True, country="FR", kind="fixed_line")
NUMBER = "+33199001234"


def trunk(**changes) -> Trunk:
    given = {
        "trunk_id": "trunk_1", "account_id": "acc_1", "host": "sip.carrier.example",
        "username": "acct42", "status": "registered",
        "status_at": NOW, "created_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    return Trunk.model_validate({**given, **changes})


def did(e164, called_at=NOW) -> Did:
    return Did(e164=e164, trunk_id="trunk_1", account_id="acc_1", added_at=NOW, called_at=called_at)


def account(**limits) -> Account:
    return Account(account_id="acc_1", name="Test", created_at=NOW, **limits)


def refusal(rule, *given) -> NotDialled:
    with pytest.raises(NotDialled) as refused:
        rule(*given)
    assert refused.value.detail
    return refused.value


@pytest.mark.parametrize(
    "url",
    [
        "sip:+33199001234@sip.carrier.example",
        "SIP:+33199001234@SIP.Carrier.Example.",
        "sip:+33199001234@sip.carrier.example:5060",
        "sip:+33199001234@sip.carrier.example:5060;transport=tcp;user=phone",
        " sip:+33199001234@sip.carrier.example;user=phone ",
        "sip:+33199001234@carrier-realm",
    ],
)
def test_a_sip_url_at_the_trunks_host_is_accepted(url):
    mine = trunk(realm="Carrier-Realm")
    target = parse_target(url, mine)
    assert target.e164 == NUMBER
    check_host(target, mine)


@pytest.mark.parametrize(
    "url",
    [
        "", "+33199001234", "tel:+33199001234", "sip:+33199001234", "sip:+33199001234@",
        "sip:33199001234@sip.carrier.example", "sip:0199001234@sip.carrier.example",
        "sip:+033199001234@sip.carrier.example", "sip:+33-199-001-234@sip.carrier.example",
        "sip:bob@sip.carrier.example", "sip:+33199001234:pw@sip.carrier.example",
        "sip:+33199001234;ext=1@sip.carrier.example", "sip:%2B33199001234@sip.carrier.example",
        "sip:+33199001234@a@sip.carrier.example", "sip:+33199001234@sip.carrier.example?x=y",
        "sip:+33199001234@sip.carrier.example;a=b c", "sip:+١٢٣٤٥٦٧٨٩@sip.carrier.example",
        "https://sip.carrier.example", "sip:+33199001234@sip.carrier.example:port",
    ],
)  # fmt: skip
def test_any_other_url_is_refused_with_an_example(url):
    refused = refusal(parse_target, url, trunk())
    assert refused.code == "bad_number"
    assert "sip:+33612345678@sip.carrier.example" in refused.detail


@given(st.text(max_size=80))
def test_no_text_raises_anything_but_a_refusal(text):
    for url in (text, f"sip:{text}@sip.carrier.example", f"sip:{NUMBER}@{text}"):
        with contextlib.suppress(NotDialled):
            target = parse_target(url, trunk())
            check_host(target, trunk())
            assert target.host.lower().rstrip(".") == "sip.carrier.example"


@pytest.mark.parametrize(
    "url",
    [
        "sip:+33199001234@other.example",
        "sip:+33199001234@sip.carrier.example.evil.example",
        "sip:+33199001234@sip.carrier.example:5080",
        "sip:+33199001234@[2001:db8::1]",
        "sips:+33199001234@sip.carrier.example",
    ],
)
def test_only_the_trunks_host_can_be_dialled(url):
    refused = refusal(check_host, parse_target(url, trunk()), trunk())
    assert refused.code == "wrong_host"
    assert f"sip:{NUMBER}@sip.carrier.example" in refused.detail


def test_a_sips_url_needs_a_trunk_over_tls():
    check_host(Target(NUMBER, "sip.carrier.example", None, secure=True), trunk(transport="tls"))


def test_a_trunks_ip_address_matches_in_every_spelling():
    mine = trunk(host="2001:db8::1")
    check_host(parse_target(f"sip:{NUMBER}@[2001:DB8:0::1]:5060", mine), mine)


def test_a_country_that_is_not_the_trunks_is_refused():
    check_number(NUMBER, FR, {"FR"})
    refused = refusal(check_number, NUMBER, FR, {"US", "CA"})
    assert refused.code == "country_not_allowed"
    assert "CA, US" in refused.detail
    assert refused.facts == {"country": "FR"}
    assert refusal(check_number, NUMBER, FR, ()).code == "country_not_allowed"


def test_a_number_of_no_country_is_always_refused():
    freephone = NumberingFacts(valid=True, country=None, kind="toll_free")
    assert refusal(check_number, "+80012345678", freephone, {"FR"}).code == "country_not_allowed"


@pytest.mark.parametrize("kind", ["premium_rate", "shared_cost", "personal_number", "pager"])
def test_premium_numbers_are_refused_in_every_country(kind):
    facts = NumberingFacts(valid=True, country="FR", kind=kind)
    assert refusal(check_number, "+33899123456", facts, {"FR"}).code == "premium_number"


@pytest.mark.parametrize("prefix", sorted(WORLD_RANGES))
def test_satellite_and_other_global_numbers_are_refused(prefix):
    facts = NumberingFacts(valid=False, country=None, kind="unknown")
    assert refusal(check_number, f"{prefix}12345678", facts, {"FR"}).code == "premium_number"


def test_a_number_that_is_not_allocated_is_refused():
    facts = NumberingFacts(valid=False, country="FR", kind="unknown")
    assert refusal(check_number, "+33000000000", facts, {"FR"}).code == "bad_number"


def test_the_caller_id_must_be_a_number_of_the_trunk():
    mine = trunk(caller_id="+33199005678")
    dids = [did("+33199000001"), did("+33199000002")]
    assert choose_caller_id(None, mine, dids) == "+33199005678"
    assert choose_caller_id("+33199000002", mine, dids) == "+33199000002"
    assert choose_caller_id("+33199005678", mine, []) == "+33199005678"
    assert choose_caller_id(None, trunk(), dids[:1]) == "+33199000001"
    assert refusal(choose_caller_id, "+33199009999", mine, dids).code == "bad_caller_id"


def test_a_number_that_has_received_no_call_cannot_be_a_caller_id():
    """It takes an API key only to add a number, anybody's."""
    added, called = did("+33199000001", called_at=None), did("+33199000002")
    mine = trunk(caller_id="+33199005678")
    refused = refusal(choose_caller_id, added.e164, mine, [added, called])
    assert refused.code == "bad_caller_id"
    assert "call it once, then it may be used" in refused.detail
    assert choose_caller_id(None, trunk(), [added, called]) == called.e164
    refused = refusal(choose_caller_id, None, trunk(), [added])
    assert refused.code == "no_caller_id"
    assert "call one of its DIDs once" in refused.detail


def test_the_trunks_own_caller_id_needs_no_received_call():
    """It takes the trunk's password to set it."""
    mine = trunk(caller_id="+33199005678")
    assert choose_caller_id(mine.caller_id, mine, [did(mine.caller_id, None)]) == mine.caller_id


def test_dialling_needs_a_number_to_call_from():
    for dids in ([], [did("+33199000001"), did("+33199000002")]):
        assert refusal(choose_caller_id, None, trunk(), dids).code == "no_caller_id"


def test_a_trunk_that_is_not_registered_is_refused_with_reason_and_remedy():
    check_registered(trunk())
    check_registered(trunk(provider="twilio", status="unregistered"))
    failed = trunk(status="failed", sip_code=403, detail="Wrong password: set it again.")
    refused = refusal(check_registered, failed)
    assert (refused.code, refused.detail) == ("trunk_not_registered", failed.detail)
    assert refused.facts == {"trunk_status": "failed", "sip_code": 403}
    for status in ("registering", "unregistered"):
        assert refusal(check_registered, trunk(status=status)).code == "trunk_not_registered"


def test_a_number_that_declined_cannot_be_dialled_for_an_hour():
    check_declined(NUMBER, None, NOW)
    refused = refusal(check_declined, NUMBER, NOW - 1, NOW)
    assert (refused.code, refused.retry_after_s) == ("recently_declined", 3600)
    assert refusal(check_declined, NUMBER, NOW - 3_599_999, NOW).retry_after_s == 1
    check_declined(NUMBER, NOW - 3_600_000, NOW)


def test_concurrent_calls_are_limited_for_the_account():
    check_pace(RecentDials(calls=frozenset("ab")), account(max_concurrent_dials=3), NOW)
    refused = refusal(
        check_pace, RecentDials(frozenset("abc")), account(max_concurrent_dials=3), NOW
    )
    assert (refused.code, refused.facts) == ("too_many_dials", {"limit": 3})


def test_dials_a_minute_are_limited_for_the_account():
    three = account(max_dials_per_minute=3)
    recent = tuple(NOW - seconds * 1000 for seconds in (50, 40, 10))
    refused = refusal(check_pace, RecentDials(recent=recent), three, NOW)
    assert (refused.code, refused.retry_after_s, refused.facts) == ("dial_rate", 10, {"limit": 3})
    check_pace(RecentDials(recent=recent), three, NOW + 10_000)
    never = refusal(check_pace, RecentDials(), account(max_dials_per_minute=0), NOW)
    assert never.retry_after_s == 60


@given(st.lists(st.integers(-120_000, 5_000), max_size=20), st.integers(1, 12))
def test_a_dial_is_allowed_again_after_the_given_wait(ago, limit):
    dialling = RecentDials(recent=tuple(NOW + at for at in ago))
    may = account(max_dials_per_minute=limit)
    if sum(at > -RATE_WINDOW_MS for at in ago) < limit:
        check_pace(dialling, may, NOW)
        return
    wait_s = refusal(check_pace, dialling, may, NOW).retry_after_s
    assert 0 < wait_s * 1000 <= RATE_WINDOW_MS + 5_000
    check_pace(dialling, may, NOW + wait_s * 1000)
