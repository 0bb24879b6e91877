"""Tests of dialling: rules, limits, and the order of writes and requests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.call_transitions import Act, CallState
from chalicelib.domain.dial_rules import NotDialled
from chalicelib.domain.trunk import TrunkStatus
from chalicelib.services.call import dial, outbound
from chalicelib.services.call.dial import DialRequest
from chalicelib.services.call.transition import settle
from chalicelib.services.line import dids
from chalicelib.store.table import update
from common.sip_headers import Introduction
from tests.support.world import CALLEE, with_settings
from tests.unit.services.dialling import expect_refusal, read_dialling

US_NUMBER = "+12025550123"


def limit(world, **limits):
    """Set an account's limits, as an operator does."""
    for name, value in limits.items():
        world.table.write(
            update(
                f"ACCOUNT#{world.account_id}",
                "ACCOUNT",
                "SET #name = :value",
                names={"#name": name},
                values={":value": value},
            )
        )


def test_a_call_is_placed_at_the_provider_and_bound_to_its_id(world):
    trunk = world.register_trunk()
    call = world.dial(
        metadata={"ticket": 7, "rate": 1.5},
        agent_url="wss://agent.example/a",
        max_duration_s=600,
        ring_timeout_s=30,
    )
    assert (call.state, call.direction, call.provider) == ("connecting", "outbound", "gateway")
    assert (call.from_, call.to) == ("+33199005678", CALLEE)
    assert (call.metadata, call.agent_url) == (
        {"ticket": 7, "rate": 1.5},
        "wss://agent.example/a",
    )
    assert world.reread(call) == call
    assert call.provider_call_id
    assert call.trunk_id == trunk.trunk_id
    order = world.provider.dialled[-1]
    assert (order.call_id, order.to, order.caller_id) == (call.call_id, CALLEE, "+33199005678")
    assert (order.trunk_id, order.username, order.password) == (trunk.trunk_id, None, None)
    assert (order.ring_timeout_s, order.max_duration_s) == (30, 600)
    assert call.ring_deadline == world.clock() + 35_000
    assert world.timer.started == [call.call_id]
    assert "call.connecting" in world.events()
    assert read_dialling(world) == {call.call_id}


def test_a_trunk_unknown_to_the_provider_is_dialled_by_uri_with_its_password(world):
    providers = {"gateway": world.provider, "twilio": world.provider}
    world.deps = with_settings(
        replace(world.deps, providers=providers), twilio_sip_domain="name.sip.twilio.test"
    )
    world.register_trunk(provider="twilio", transport="tls", port=5071)
    call = world.dial()
    order = world.provider.dialled[-1]
    assert order.to == f"sip:{CALLEE}@sip.carrier.example:5071;transport=tls"
    assert (order.trunk_id, order.username, order.password) == (None, "acct42", "s3cret-pw")
    assert "s3cret-pw" not in repr(order)
    assert call.provider == "twilio"


def test_through_twilio_there_is_no_name_and_headers_have_its_limit(world):
    providers = {"gateway": world.provider, "twilio": world.provider}
    world.deps = with_settings(
        replace(world.deps, providers=providers), twilio_sip_domain="name.sip.twilio.test"
    )
    world.register_trunk(provider="twilio")
    told = Introduction("Zoë Ltd", headers={"X-Order": "4711"})
    call = world.dial(introduction=told)
    assert (call.caller_name, call.sip_headers) == (None, {"X-Order": "4711"})
    assert world.provider.dialled[0].introduction == Introduction(headers={"X-Order": "4711"})
    long = Introduction(headers={f"X-{i}": "a" * 250 for i in range(5)})
    with pytest.raises(NotDialled) as refused:
        world.dial(introduction=long)
    assert (refused.value.code, refused.value.facts) == ("headers_too_long", {"limit": 1023})
    assert len(world.provider.dialled) == 1


def test_the_call_is_stored_before_the_provider_is_asked(world):
    seen = []

    def look(order, _sid):
        call = world.stores.calls.get(order.call_id)
        seen.append(
            (call.state, call.provider_call_id, read_dialling(world), world.timer.started[:])
        )

    world.provider.meanwhile = look
    call = world.dial()
    assert seen == [("connecting", None, {call.call_id}, [call.call_id])]


def test_dialling_needs_a_trunk(world):
    with pytest.raises(NotDialled) as error:
        dial.dial(world.deps, world.account_id, DialRequest("sip:+33199001234@sip.carrier.example"))
    assert error.value.code == "no_trunk"


def test_a_trunk_that_is_not_registered_is_not_dialled_through(world):
    trunk = world.register_trunk()
    world.report_trunk(trunk, TrunkStatus.FAILED, 403, "Wrong password.")
    error = expect_refusal(world)
    assert (error.code, error.detail) == ("trunk_not_registered", "Wrong password.")
    assert error.facts["sip_code"] == 403


def test_a_url_of_another_host_is_refused(world):
    world.register_trunk()
    with pytest.raises(NotDialled) as error:
        dial.dial(world.deps, world.account_id, DialRequest("sip:+33199001234@sip.other.example"))
    assert error.value.code == "wrong_host"


def test_only_the_caller_ids_country_and_allowed_countries_are_dialled(world):
    world.register_trunk()
    error = expect_refusal(world, to=US_NUMBER)
    assert (error.code, error.facts) == ("country_not_allowed", {"country": "US"})
    world.register_trunk(allowed_countries=["GB", "US"])
    assert world.dial(to=US_NUMBER).to == US_NUMBER
    assert (
        expect_refusal(world, to="+18765551234").code == "country_not_allowed"
    )  # Jamaica is not the US
    assert world.dial(to="+442079460123").state is CallState.CONNECTING


def test_adding_a_number_does_not_allow_its_country(world):
    """It takes an API key only; the caller ID and the list take the trunk's password."""
    world.register_trunk()
    world.new_did("+12025550199")
    assert expect_refusal(world, to=US_NUMBER).code == "country_not_allowed"


def test_premium_and_satellite_numbers_are_never_dialled(world):
    world.register_trunk(allowed_countries=["FR", "US"])
    for number in ("+33899123456", "+19005551234", "+881612345678", "+979123456789"):
        assert expect_refusal(world, to=number).code == "premium_number"


def test_numbers_that_are_not_allocated_are_not_dialled(world):
    assert expect_refusal(world, to="+33000000000").code == "bad_number"


def test_the_caller_id_must_be_one_of_the_trunks_numbers(world):
    trunk = world.register_trunk(caller_id=None, allowed_countries=["FR"])
    world.new_did("+33199007777")
    world.call_number(trunk, "+33199007777")
    assert world.dial().from_ == "+33199007777"
    world.new_did("+33199008888")
    world.call_number(trunk, "+33199008888")
    assert expect_refusal(world).code == "no_caller_id"
    assert world.dial(caller_id="+33199008888").from_ == "+33199008888"
    assert expect_refusal(world, caller_id="+33199009999").code == "bad_caller_id"


def test_an_added_number_can_be_a_caller_id_after_its_first_call(world):
    """Else whoever holds a key could add anybody's number and call as them."""
    trunk = world.register_trunk()
    world.new_did("+33199007777")
    error = expect_refusal(world, caller_id="+33199007777")
    assert error.code == "bad_caller_id"
    assert "call it once, then it may be used" in error.detail
    world.call_number(trunk, "+33199007777")
    assert world.dial(caller_id="+33199007777").from_ == "+33199007777"
    dids.remove(world.deps, world.account_id, "+33199007777")
    world.new_did("+33199007777")
    assert expect_refusal(world, caller_id="+33199007777").code == "bad_caller_id"


def test_a_number_that_contains_its_national_prefix_is_refused(world):
    """It would evade the peace of who has declined."""
    world.register_trunk()
    assert expect_refusal(world, to=CALLEE.replace("+33", "+330")).code == "bad_number"


def test_a_call_lasts_no_longer_than_the_accounts_limit(world):
    assert world.dial().max_duration_s == 4 * 3600
    limit(world, max_call_s=900)
    assert world.dial().max_duration_s == 900
    error = expect_refusal(world, max_duration_s=901)
    assert (error.code, error.facts) == ("too_long", {"limit": 900})


def test_concurrent_dials_are_limited_and_an_end_makes_room(world):
    limit(world, max_concurrent_dials=2)
    first, second = world.dial(), world.dial()
    assert expect_refusal(world).code == "too_many_dials"
    settle(world.deps, first, Act.BUSY)
    assert read_dialling(world) == {second.call_id}
    third = world.dial()
    assert read_dialling(world) == {second.call_id, third.call_id}


def test_every_way_a_call_ends_takes_it_from_those_being_dialled(world):
    limit(world, max_dials_per_minute=100)
    for act in (
        Act.BUSY, Act.NO_ANSWER, Act.REJECTED, Act.AGENT_HANGUP, Act.CALLEE_HANGUP,
        Act.PROVIDER_FAILED,
    ):  # fmt: skip
        settle(world.deps, world.dial(), act)
        assert read_dialling(world) == frozenset()
    for act in (Act.AGENT_LOST, Act.NO_AGENT, Act.MAX_DURATION, Act.MEDIA_LOST):
        settle(world.deps, settle(world.deps, world.dial(), Act.ANSWER), act)
        assert read_dialling(world) == frozenset()


def test_dials_a_minute_are_limited(world):
    limit(world, max_dials_per_minute=2)
    for seconds in (20, 30):
        settle(world.deps, world.dial(), Act.BUSY)
        world.clock.advance(seconds)
    error = expect_refusal(world)
    assert (error.code, error.retry_after_s) == ("dial_rate", 10)
    world.clock.advance(10)
    assert world.dial().state is CallState.CONNECTING
    assert len(world.stores.dialling.get(world.account_id).recent) == 2


def test_a_number_that_declined_is_not_dialled_again_by_this_account_for_an_hour(world):
    call = world.dial()
    outbound.handle_status(world.deps, "gateway", call.call_id, call.provider_call_id, "busy", 603)
    declined = world.reread(call)
    assert (declined.state, declined.sip_code) == (CallState.DECLINED, 603)
    error = expect_refusal(world)
    assert error.code == "recently_declined"
    assert error.retry_after_s in (3600, 3601)
    assert world.dial(to="+33199004321").state is CallState.CONNECTING
    other, _ = world.new_account()
    assert world.dial(account_id=other).state is CallState.CONNECTING
    world.clock.advance(3601)
    assert world.dial().state is CallState.CONNECTING


def test_a_busy_number_may_be_dialled_again(world):
    call = world.dial()
    outbound.handle_status(world.deps, "gateway", call.call_id, call.provider_call_id, "busy", 486)
    assert world.dial().state is CallState.CONNECTING
