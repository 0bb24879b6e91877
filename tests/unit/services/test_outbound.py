"""Tests of the provider's posts about outbound calls, and of who may end them."""

from __future__ import annotations

import pytest

from chalicelib.domain.call import Refused, apply
from chalicelib.domain.call_transitions import Act, CallState, EndReason
from chalicelib.providers.base import Connect, HangUp, RemoteStatus
from chalicelib.services import sweep
from chalicelib.services.call import call_control, instructions, media, outbound
from chalicelib.services.call.transition import TooBusy, UnknownCall, act_on
from chalicelib.store import contention
from chalicelib.store.call_media import Relay
from chalicelib.store.calls import CallStore, Stale
from chalicelib.store.table import Contention
from tests.support.world import World


def tell(world, call, status, sip_code=None, sid=None):
    sid = sid or call.provider_call_id
    outbound.handle_status(world.deps, "gateway", call.call_id, sid, status, sip_code)
    return world.reread(call)


def pick_up(world, call):
    return outbound.answered(world.deps, "gateway", call.call_id, call.provider_call_id)


def test_a_call_is_placed_rings_is_answered_and_ends(world):
    call = world.dial()
    assert tell(world, call, "initiated").state is CallState.CONNECTING
    assert tell(world, call, "ringing").state is CallState.RINGING
    assert pick_up(world, call) == Connect(instructions.provider_token(world.deps, call))
    assert tell(world, call, "in-progress").state is CallState.ACTIVE
    ended = tell(world, call, "completed", 200)
    assert (ended.state, ended.end_reason) == (CallState.ENDED, EndReason.CALLEE_HANGUP)
    assert world.events()[-4:] == [
        "call.connecting", "call.ringing", "call.answered", "call.ended",
    ]  # fmt: skip
    assert world.provider.hung_up == []


@pytest.mark.parametrize(
    ("status", "code", "state", "reason"),
    [
        ("busy", 486, "failed", "busy"),
        ("busy", None, "failed", "busy"),
        ("busy", 600, "failed", "busy"),
        ("busy", 603, "declined", "declined"),
        ("failed", 607, "declined", "declined"),
        ("failed", 608, "declined", "declined"),
        ("no-answer", 487, "failed", "no_answer"),
        ("no-answer", 408, "failed", "no_answer"),
        ("failed", 404, "failed", "rejected"),
        ("failed", 403, "failed", "rejected"),
        ("failed", 503, "failed", "rejected"),
        ("failed", None, "failed", "provider_error"),
        ("canceled", 487, "failed", "provider_error"),
        ("completed", None, "ended", "callee_hangup"),
    ],
)
def test_each_provider_status_ends_an_unanswered_call_with_its_reason(
    world, status, code, state, reason
):
    call = world.dial()
    over = tell(world, call, status, code)
    assert (over.state, over.end_reason, over.sip_code) == (state, reason, code)
    assert tell(world, call, status, code) == over
    assert tell(world, call, "completed", 200) == over


@pytest.mark.parametrize("status", ["busy", "no-answer", "failed", "canceled"])
def test_a_failure_at_the_provider_ends_an_answered_call(world, status):
    call = world.dial()
    pick_up(world, call)
    over = tell(world, call, status, 500)
    reason = EndReason.MEDIA_FAILED if status == "failed" else EndReason.PROVIDER_ERROR
    assert (over.state, over.end_reason) == (CallState.FAILED, reason)


def test_the_providers_time_limit_is_distinguished_from_a_hang_up(world):
    call = world.dial(max_duration_s=60)
    pick_up(world, call)
    world.clock.advance(61)
    assert tell(world, call, "completed", 200).end_reason is EndReason.MAX_DURATION


def test_a_repeated_answered_post_gets_the_stream_again(world):
    call = world.dial()
    assert pick_up(world, call) == pick_up(world, call)
    assert world.events().count("call.answered") == 1


def test_a_late_ringing_post_changes_nothing(world):
    call = world.dial()
    pick_up(world, call)
    active = world.reread(call)
    assert tell(world, call, "ringing") == active
    assert tell(world, call, "initiated") == active


def test_a_call_answered_after_its_end_is_hung_up(world):
    call = world.dial()
    call_control.leave(world.deps, world.account_id, call.call_id)
    assert pick_up(world, call) == HangUp()
    declined = world.dial()
    tell(world, declined, "busy", 603)
    assert pick_up(world, declined) == HangUp()


def test_the_first_post_binds_the_providers_id_and_another_id_is_refused(world):
    bound = []

    def first_post(order, sid):
        outbound.handle_status(world.deps, "gateway", order.call_id, sid, "initiated", None)
        bound.append(world.stores.calls.get(order.call_id).provider_call_id == sid)

    world.provider.meanwhile = first_post
    call = world.dial()
    assert bound == [True]
    for post in (
        lambda: outbound.handle_status(
            world.deps, "gateway", call.call_id, "CA-other", "busy", 486
        ),
        lambda: outbound.answered(world.deps, "gateway", call.call_id, "CA-other"),
        lambda: outbound.resume(world.deps, "gateway", call.call_id, "CA-other"),
    ):
        with pytest.raises(UnknownCall):
            post()
    assert world.reread(call) == call


def test_posts_about_inbound_foreign_or_unknown_calls_are_refused(world):
    inbound, dialled = world.ringing(), world.dial()
    for provider, call_id, sid in (
        ("gateway", inbound.call_id, inbound.provider_call_id),
        ("twilio", dialled.call_id, dialled.provider_call_id),
        ("gateway", "call_" + "a" * 26, "CA1"),
    ):
        with pytest.raises(UnknownCall):
            outbound.answered(world.deps, provider, call_id, sid)


def test_a_transition_read_before_the_binding_does_not_lose_the_id(world, monkeypatch):
    monkeypatch.setattr(CallStore, "bind", lambda *_: 1 / 0)
    unbound = world.dial()
    monkeypatch.undo()
    bound = outbound.bind(world.deps, unbound, "CA9")
    assert bound == unbound.model_copy(update={"provider_call_id": "CA9"})
    with pytest.raises(Stale):
        world.stores.calls.move(unbound, apply(unbound, Act.RING, world.clock()), world.clock())
    ringing = act_on(world.deps, unbound, Act.RING)
    assert (ringing.provider_call_id, ringing.version) == ("CA9", 2)
    assert outbound.bind(world.deps, unbound, "CA9") == ringing
    with pytest.raises(UnknownCall):
        outbound.bind(world.deps, unbound, "CA8")


def test_a_colliding_binding_is_retried_a_bounded_number_of_times(world, monkeypatch):
    monkeypatch.setattr(contention, "WAIT_S", 0)
    unbound = world.dial().model_copy(update={"provider_call_id": None})
    tries = []

    def collide(_store, _call_id, _sid):
        tries.append(1)
        raise Contention

    monkeypatch.setattr(CallStore, "bind", collide)
    with pytest.raises(TooBusy):
        outbound.bind(world.deps, unbound, "CA9")
    assert len(tries) > 10


def test_an_agent_can_neither_accept_nor_refuse_an_outbound_call(world):
    call = world.dial()
    tell(world, call, "ringing")
    for act in (call_control.accept, call_control.decline):
        with pytest.raises(Refused) as refused:
            act(world.deps, world.account_id, call.call_id)
        assert refused.value.code == "call_outbound"
    assert world.reread(call).state is CallState.RINGING


@pytest.mark.parametrize("status", ["initiated", "ringing"])
def test_leaving_an_unanswered_call_hangs_it_up_at_the_provider(world, status):
    call = world.dial()
    tell(world, call, status)
    left = call_control.leave(world.deps, world.account_id, call.call_id)
    assert (left.state, left.end_reason) == (CallState.ENDED, EndReason.AGENT_HANGUP)
    assert world.provider.hung_up == [call.provider_call_id]


def test_an_agent_may_attach_before_the_answer_and_hang_up_over_its_socket(world):
    call = world.dial(metadata={"ticket": 7})
    token, _ = media.audio_token(world.deps, call)
    attached = media.attach_agent(world.deps, "relay-1", call.call_id, token)
    assert attached.call.state is CallState.CONNECTING
    for report in ("watch", "agent_lost", "no_agent", "media_lost", "max_duration"):
        assert media.report(world.deps, "relay-1", call.call_id, report) == call
    left = media.report(world.deps, "relay-1", call.call_id, "agent_hangup")
    assert left.end_reason is EndReason.AGENT_HANGUP
    assert world.provider.hung_up == [call.provider_call_id]


def test_the_called_partys_stream_attaches_once_the_call_is_answered(world):
    call = world.dial()
    token = instructions.provider_token(world.deps, call)
    with pytest.raises(media.NotActive):
        media.attach_provider(world.deps, Relay("relay-1"), token, "wss://relay.test", "good")
    pick_up(world, call)
    attached = media.attach_provider(
        world.deps, Relay("relay-1"), token, "wss://relay.test", "good"
    )
    assert attached.owner == "relay-1"
    assert attached.call.provider_call_id == call.provider_call_id


def test_a_broken_stream_is_replaced_while_the_call_is_up(world):
    call = world.dial()
    assert outbound.resume(world.deps, "gateway", call.call_id, call.provider_call_id) == HangUp()
    pick_up(world, call)
    again = outbound.resume(world.deps, "gateway", call.call_id, call.provider_call_id)
    assert isinstance(again, Connect)


def test_a_call_without_further_posts_ends_at_its_deadline(world):
    call = world.dial(ring_timeout_s=30)
    world.clock.advance(34)
    with pytest.raises(call_control.StillRinging):
        call_control.expire(world.deps, call.call_id)
    world.clock.advance(1)
    over = call_control.expire(world.deps, call.call_id)
    assert (over.state, over.end_reason) == (CallState.FAILED, EndReason.NO_ANSWER)
    assert call_control.ring_outcome(over) == "missed"
    assert world.provider.hung_up == [call.provider_call_id]


def test_the_deadline_of_an_answered_call_does_nothing(world):
    call = world.dial()
    pick_up(world, call)
    world.clock.advance(70)
    assert call_control.ring_outcome(call_control.expire(world.deps, call.call_id)) == "answered"
    assert world.reread(call).state is CallState.ACTIVE


def test_the_sweep_ends_overdue_outbound_calls(empty_table, monkeypatch):
    world = World(empty_table)
    world.timer.lost = False
    monkeypatch.setattr(CallStore, "bind", lambda *_: 1 / 0)
    nameless = world.dial()
    monkeypatch.undo()
    world.provider.remote = RemoteStatus.OVER
    ringing, talking = world.dial(), world.dial()
    pick_up(world, talking)
    tell(world, ringing, "ringing")
    assert sweep.sweep(world.deps) == {"alone": 1, "failed": 2}
    assert world.reread(ringing).end_reason is EndReason.NO_ANSWER
    assert world.reread(talking).end_reason is EndReason.PROVIDER_ERROR
    world.timer.lost = True
    assert sweep.sweep(world.deps) == {"timed": 1}
    world.clock.advance(66)
    assert sweep.sweep(world.deps) == {"unanswered": 1}
    assert world.reread(nameless).end_reason is EndReason.NO_ANSWER
    assert world.stores.dialling.get(world.account_id).calls == frozenset()
