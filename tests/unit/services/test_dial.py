"""An account dials out: what it may, in which order, and what if half of it fails."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.call_moves import Act, CallState, EndReason
from chalicelib.domain.dialling import NotDialled
from chalicelib.domain.trunk import TrunkStatus
from chalicelib.providers.base import HangUp
from chalicelib.services import dial, dids, leave, outbound
from chalicelib.services.dial import NotPlaced, Wish
from chalicelib.services.transition import settle
from chalicelib.store.calls import CallStore
from chalicelib.store.table import Contention, update
from tests.support.world import CALLEE

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


def refused(world, **wish) -> NotDialled:
    """The refusal of a dial that leaves neither a call nor a trace with the provider."""
    calls = len(world.provider.dialled)
    before = world.ports.dialling.get(world.account_id)
    with pytest.raises(NotDialled) as error:
        world.dial(**wish)
    assert len(world.provider.dialled) == calls
    assert world.ports.dialling.get(world.account_id) == before
    return error.value


def dialling(world) -> frozenset[str]:
    return world.ports.dialling.get(world.account_id).calls


def test_a_call_is_asked_of_the_provider_and_bound_to_its_id(world):
    trunk = world.registered()
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
    assert world.now_of(call) == call
    assert call.provider_call_id
    assert call.trunk_id == trunk.trunk_id
    order = world.provider.dialled[-1]
    assert (order.call_id, order.to, order.caller_id) == (call.call_id, CALLEE, "+33199005678")
    assert (order.trunk_id, order.username, order.password) == (trunk.trunk_id, None, None)
    assert (order.ring_timeout_s, order.max_duration_s) == (30, 600)
    assert call.ring_deadline == world.clock() + 35_000
    assert world.timer.started == [call.call_id]
    assert "call.connecting" in world.events()
    assert dialling(world) == {call.call_id}


def test_a_trunk_that_the_provider_does_not_know_is_dialled_by_uri_with_its_password(world):
    world.ports = replace(
        world.ports,
        providers={"gateway": world.provider, "twilio": world.provider},
        twilio_sip_domain="name.sip.twilio.test",
    )
    world.registered(provider="twilio", transport="tls", port=5071)
    call = world.dial()
    order = world.provider.dialled[-1]
    assert order.to == f"sip:{CALLEE}@sip.carrier.example:5071;transport=tls"
    assert (order.trunk_id, order.username, order.password) == (None, "acct42", "s3cret-pw")
    assert "s3cret-pw" not in repr(order)
    assert call.provider == "twilio"


def test_everything_is_written_before_the_provider_is_asked(world):
    seen = []

    def look(order, _sid):
        call = world.ports.calls.get(order.call_id)
        seen.append((call.state, call.provider_call_id, dialling(world), world.timer.started[:]))

    world.provider.meanwhile = look
    call = world.dial()
    assert seen == [("connecting", None, {call.call_id}, [call.call_id])]


def test_without_a_trunk_there_is_no_dialling(world):
    with pytest.raises(NotDialled) as error:
        dial.dial(world.ports, world.account_id, Wish("sip:+33199001234@sip.carrier.example"))
    assert error.value.code == "no_trunk"


def test_a_trunk_that_is_not_registered_is_not_dialled_through(world):
    trunk = world.registered()
    world.trunk_is(trunk, TrunkStatus.FAILED, 403, "Wrong password.")
    error = refused(world)
    assert (error.code, error.detail) == ("trunk_not_registered", "Wrong password.")
    assert error.facts["sip_code"] == 403


def test_only_the_trunks_host_is_dialled(world):
    world.registered()
    with pytest.raises(NotDialled) as error:
        dial.dial(world.ports, world.account_id, Wish("sip:+33199001234@sip.other.example"))
    assert error.value.code == "wrong_host"


def test_only_the_caller_ids_country_and_those_allowed_are_dialled(world):
    world.registered()
    error = refused(world, to=US_NUMBER)
    assert (error.code, error.facts) == ("country_not_allowed", {"country": "US"})
    world.registered(allowed_countries=["GB", "US"])
    assert world.dial(to=US_NUMBER).to == US_NUMBER
    assert refused(world, to="+18765551234").code == "country_not_allowed"  # Jamaica is not the US
    assert world.dial(to="+442079460123").state is CallState.CONNECTING


def test_adding_a_number_opens_no_country(world):
    """It takes an API key only; the caller ID and the list take the trunk's password."""
    world.registered()
    world.new_did("+12025550199")
    assert refused(world, to=US_NUMBER).code == "country_not_allowed"


def test_premium_and_satellite_numbers_are_never_dialled(world):
    world.registered(allowed_countries=["FR", "US"])
    for number in ("+33899123456", "+19005551234", "+881612345678", "+979123456789"):
        assert refused(world, to=number).code == "premium_number"


def test_numbers_that_are_not_allocated_are_not_dialled(world):
    assert refused(world, to="+33000000000").code == "bad_number"


def test_a_caller_id_is_one_of_the_trunks_numbers(world):
    trunk = world.registered(caller_id=None, allowed_countries=["FR"])
    world.new_did("+33199007777")
    world.called(trunk, "+33199007777")
    assert world.dial().from_ == "+33199007777"
    world.new_did("+33199008888")
    world.called(trunk, "+33199008888")
    assert refused(world).code == "no_caller_id"
    assert world.dial(caller_id="+33199008888").from_ == "+33199008888"
    assert refused(world, caller_id="+33199009999").code == "bad_caller_id"


def test_a_number_added_is_a_caller_id_from_the_first_call_to_it_on(world):
    """Else whoever holds a key could add anybody's number and call as them."""
    trunk = world.registered()
    world.new_did("+33199007777")
    error = refused(world, caller_id="+33199007777")
    assert error.code == "bad_caller_id"
    assert "call it once, then it may be used" in error.detail
    world.called(trunk, "+33199007777")
    assert world.dial(caller_id="+33199007777").from_ == "+33199007777"
    dids.remove(world.ports, world.account_id, "+33199007777")
    world.new_did("+33199007777")
    assert refused(world, caller_id="+33199007777").code == "bad_caller_id"


def test_a_number_with_its_national_prefix_is_not_dialled_though_it_looks_like_another(world):
    """It would evade the peace of who has declined."""
    world.registered()
    assert refused(world, to=CALLEE.replace("+33", "+330")).code == "bad_number"


def test_a_call_is_no_longer_than_the_account_may(world):
    assert world.dial().max_duration_s == 4 * 3600
    limit(world, max_call_s=900)
    assert world.dial().max_duration_s == 900
    error = refused(world, max_duration_s=901)
    assert (error.code, error.facts) == ("too_long", {"limit": 900})


def test_no_more_calls_at_a_time_than_the_account_may_and_ends_make_room(world):
    limit(world, max_concurrent_dials=2)
    first, second = world.dial(), world.dial()
    assert refused(world).code == "too_many_dials"
    settle(world.ports, first, Act.BUSY)
    assert dialling(world) == {second.call_id}
    third = world.dial()
    assert dialling(world) == {second.call_id, third.call_id}


def test_every_way_a_call_ends_takes_it_from_those_being_dialled(world):
    limit(world, max_dials_per_minute=100)
    for act in (
        Act.BUSY, Act.NO_ANSWER, Act.REJECTED, Act.AGENT_HANGUP, Act.CALLEE_HANGUP,
        Act.PROVIDER_FAILED,
    ):  # fmt: skip
        settle(world.ports, world.dial(), act)
        assert dialling(world) == frozenset()
    for act in (Act.AGENT_LOST, Act.NO_AGENT, Act.MAX_DURATION, Act.MEDIA_LOST):
        settle(world.ports, settle(world.ports, world.dial(), Act.ANSWER), act)
        assert dialling(world) == frozenset()


def test_no_more_dials_a_minute_than_the_account_may(world):
    limit(world, max_dials_per_minute=2)
    for seconds in (20, 30):
        settle(world.ports, world.dial(), Act.BUSY)
        world.clock.advance(seconds)
    error = refused(world)
    assert (error.code, error.retry_after_s) == ("dial_rate", 10)
    world.clock.advance(10)
    assert world.dial().state is CallState.CONNECTING
    assert len(world.ports.dialling.get(world.account_id).recent) == 2


def test_who_declined_is_not_rung_again_by_this_account_for_an_hour(world):
    call = world.dial()
    outbound.told(world.ports, "gateway", call.call_id, call.provider_call_id, "busy", 603)
    declined = world.now_of(call)
    assert (declined.state, declined.sip_code) == (CallState.DECLINED, 603)
    error = refused(world)
    assert error.code == "recently_declined"
    assert error.retry_after_s in (3600, 3601)
    assert world.dial(to="+33199004321").state is CallState.CONNECTING
    other, _ = world.new_account()
    assert world.dial(account_id=other).state is CallState.CONNECTING
    world.clock.advance(3601)
    assert world.dial().state is CallState.CONNECTING


def test_who_was_busy_may_be_rung_again(world):
    call = world.dial()
    outbound.told(world.ports, "gateway", call.call_id, call.provider_call_id, "busy", 486)
    assert world.dial().state is CallState.CONNECTING


def test_a_provider_that_refuses_leaves_a_failed_call_and_says_why(world):
    world.provider.down = True
    with pytest.raises(NotPlaced) as error:
        world.dial()
    call = world.now_of(error.value.call)
    assert (call.state, call.end_reason) == (CallState.FAILED, EndReason.PROVIDER_ERROR)
    assert error.value.why == "down"
    assert dialling(world) == frozenset()
    assert world.events()[-2:] == ["call.connecting", "call.failed"]


def test_an_unforeseen_error_of_the_provider_is_a_refusal_too(world, monkeypatch):
    monkeypatch.setattr(world.provider, "dial", lambda _: 1 / 0)
    with pytest.raises(NotPlaced):
        world.dial()
    assert dialling(world) == frozenset()


def test_a_call_that_was_placed_though_the_answer_was_lost_is_hung_up_when_it_shows(world):
    sids = []
    world.provider.meanwhile = lambda _order, sid: sids.append(sid)
    world.provider.down = True
    with pytest.raises(NotPlaced) as error:
        world.dial()
    world.provider.down = False
    call = error.value.call
    outbound.told(world.ports, "gateway", call.call_id, sids[0], "ringing", None)
    assert world.provider.hung_up == sids
    assert outbound.answered(world.ports, "gateway", call.call_id, sids[0]) == HangUp()


def test_an_answer_that_is_lost_after_the_first_post_has_come_costs_nothing(world):
    def posts_come_first(order, sid):
        outbound.told(world.ports, "gateway", order.call_id, sid, "ringing", None)

    world.provider.meanwhile, world.provider.down = posts_come_first, True
    call = world.dial()
    assert call.state is CallState.RINGING
    assert call.provider_call_id


def test_a_call_given_up_before_its_id_was_known_is_hung_up_when_it_is(world):
    def give_up(order, _sid):
        leave.leave(world.ports, world.account_id, order.call_id)
        assert world.provider.hung_up == []

    world.provider.meanwhile = give_up
    call = world.dial()
    assert (call.state, call.end_reason) == (CallState.ENDED, EndReason.AGENT_HANGUP)
    assert world.provider.hung_up == [call.provider_call_id]


def test_an_id_that_cannot_be_noted_now_comes_with_the_next_post(world, monkeypatch):
    monkeypatch.setattr(CallStore, "bind", lambda *_: 1 / 0)
    call = world.dial()
    assert call.provider_call_id is None
    monkeypatch.undo()
    outbound.told(world.ports, "gateway", call.call_id, "CA77", "initiated", None)
    assert world.now_of(call).provider_call_id == "CA77"


def test_a_call_is_dialled_even_if_its_timer_cannot_be_started(world):
    world.timer.broken = True
    assert world.dial().state is CallState.CONNECTING


def test_a_trunk_changed_between_reading_it_and_its_password_is_not_dialled_through(
    world, monkeypatch
):
    world.ports = replace(
        world.ports,
        providers={"gateway": world.provider, "twilio": world.provider},
        twilio_sip_domain="name.sip.twilio.test",
    )
    stale = world.registered(provider="twilio")
    world.registered(provider="twilio")
    monkeypatch.setattr(world.ports.trunks, "of_account", lambda _: stale)
    assert refused(world).code == "no_trunk"


def test_endless_collisions_end_in_a_clear_error(world, monkeypatch):
    def collide(*_):
        raise Contention

    monkeypatch.setattr(dial, "COLLISION_WAIT_S", 0)
    monkeypatch.setattr(world.ports.calls, "dial", collide)
    with pytest.raises(Contention):
        world.dial()
    assert world.provider.dialled == []
