"""Tests of accept, refuse, leave and the deadline, and of the requests to the provider about
them.
"""

from __future__ import annotations

import pytest

from chalicelib.domain.call import Refused
from chalicelib.domain.call_transitions import Act, CallState, EndReason
from chalicelib.providers.base import Connect, Reject, RemoteStatus
from chalicelib.services import sweep
from chalicelib.services.call import call_control
from chalicelib.services.call.transition import TooBusy, UnknownCall, act_on, settle
from chalicelib.store.calls import CallStore, Stale


def test_accept_answers_the_call_and_redirects_the_provider_at_once(world):
    call = world.ringing()
    assert call_control.accept(world.deps, world.account_id, call.call_id).state is CallState.ACTIVE
    sid, instruction = world.provider.steered[-1]
    assert sid == call.provider_call_id
    assert isinstance(instruction, Connect)


@pytest.mark.parametrize("trouble", ["strict", "down"])
def test_accept_holds_even_if_the_provider_refuses_the_redirect(world, trouble):
    setattr(world.provider, trouble, True)
    call = world.ringing()
    assert call_control.accept(world.deps, world.account_id, call.call_id).state is CallState.ACTIVE


def test_an_act_holds_even_if_informing_the_provider_raises(world, monkeypatch):
    """Not only refusals: a proxy's HTML, a provider that is configured no more, a lost table."""
    monkeypatch.setattr(world.provider, "steer", lambda *_: 1 / 0)
    monkeypatch.setattr(world.provider, "hang_up", lambda *_: 1 / 0)
    monkeypatch.setattr(world.stores.media, "leave_to_polls", lambda *_: 1 / 0)
    call = world.ringing()
    assert call_control.accept(world.deps, world.account_id, call.call_id).state is CallState.ACTIVE
    assert call_control.leave(world.deps, world.account_id, call.call_id).state is CallState.ENDED
    declined = call_control.decline(world.deps, world.account_id, world.ringing().call_id)
    assert declined.state is CallState.DECLINED


def test_a_second_accept_is_refused_with_the_present_call(world):
    call = world.ringing()
    call_control.accept(world.deps, world.account_id, call.call_id)
    with pytest.raises(Refused) as refused:
        call_control.accept(world.deps, world.account_id, call.call_id)
    assert (refused.value.code, refused.value.call.state) == ("call_not_ringing", CallState.ACTIVE)


def test_an_accept_after_the_deadline_is_refused_and_the_call_missed(world):
    call = world.ringing()
    world.clock.advance(60)
    with pytest.raises(Refused) as refused:
        call_control.accept(world.deps, world.account_id, call.call_id)
    assert refused.value.code == "ring_deadline_passed"
    assert refused.value.call.state is CallState.MISSED


def test_refuse_declines_the_call_and_rejects_it_at_the_provider(world):
    call = world.ringing()
    declined = call_control.decline(world.deps, world.account_id, call.call_id)
    assert (declined.state, declined.end_reason) == (CallState.DECLINED, EndReason.DECLINED)
    assert world.provider.steered[-1] == (call.provider_call_id, Reject(busy=True))


def test_leave_ends_the_call_at_the_provider_too(world):
    call = settle(world.deps, world.ringing(), Act.ANSWER)
    ended = call_control.leave(world.deps, world.account_id, call.call_id)
    assert (ended.state, ended.end_reason) == (CallState.ENDED, EndReason.AGENT_HANGUP)
    assert world.provider.hung_up == [call.provider_call_id]


def test_leave_holds_even_if_the_provider_is_down(world):
    world.provider.down = True
    call = settle(world.deps, world.ringing(), Act.ANSWER)
    assert call_control.leave(world.deps, world.account_id, call.call_id).state is CallState.ENDED


@pytest.mark.parametrize("act", [call_control.accept, call_control.decline, call_control.leave])
def test_acts_on_another_accounts_call_are_answered_as_unknown(world, act):
    stranger, _ = world.new_account()
    call = world.ringing()
    with pytest.raises(UnknownCall):
        act(world.deps, stranger, call.call_id)
    with pytest.raises(UnknownCall):
        act(world.deps, stranger, "call_none")
    assert world.reread(call) == call


def test_the_deadline_marks_a_ringing_call_missed_and_hangs_it_up(world):
    call = world.ringing()
    world.clock.advance(60)
    missed = call_control.expire(world.deps, call.call_id)
    assert (missed.state, missed.end_reason) == (CallState.MISSED, EndReason.RING_TIMEOUT)
    assert call_control.ring_outcome(missed) == "missed"
    assert world.provider.hung_up == [call.provider_call_id]


def test_the_deadline_does_not_affect_an_answered_call(world):
    call = settle(world.deps, world.ringing(), Act.ANSWER)
    world.clock.advance(60)
    assert call_control.ring_outcome(call_control.expire(world.deps, call.call_id)) == "answered"
    assert world.provider.hung_up == []


def test_the_deadline_of_a_declined_call_reports_it_gone(world):
    call = settle(world.deps, world.ringing(), Act.DECLINE)
    world.clock.advance(60)
    assert call_control.ring_outcome(call_control.expire(world.deps, call.call_id)) == "gone"


def test_the_deadline_cannot_be_enforced_early(world):
    call = world.ringing()
    with pytest.raises(call_control.StillRinging):
        call_control.expire(world.deps, call.call_id)
    with pytest.raises(UnknownCall):
        call_control.expire(world.deps, "call_none")


class Colliding(CallStore):
    """Every write collides with somebody else's."""

    def move(self, before, moved, now):
        raise Stale(None)


def test_endless_collisions_end_in_a_clear_error(world, monkeypatch):
    from dataclasses import replace

    monkeypatch.setattr("chalicelib.store.contention.WAIT_S", 0)
    deps = replace(world.deps, stores=replace(world.deps.stores, calls=Colliding(world.table)))
    with pytest.raises(TooBusy):
        act_on(deps, world.ringing(), Act.ANSWER)
    gone = world.ringing().model_copy(update={"call_id": "call_none"})
    with pytest.raises(UnknownCall):
        act_on(deps, gone, Act.ANSWER)


def test_an_act_on_an_outdated_call_is_decided_again_on_the_present_one(world):
    seen = world.ringing()
    settle(world.deps, seen, Act.ANSWER)
    # `seen` is out of date; hanging up is still possible, answering is not.
    with pytest.raises(Refused):
        act_on(world.deps, seen, Act.ANSWER)
    assert act_on(world.deps, seen, Act.AGENT_HANGUP).version == 3


def test_the_sweep_ends_calls_that_a_restart_left_overdue(empty_table):
    from tests.support.world import World

    world = World(empty_table)
    overdue = world.ringing()
    world.clock.advance(61)
    fresh = world.ringing()
    over = settle(world.deps, world.ringing(), Act.AGENT_HANGUP)
    assert sweep.sweep(world.deps) == {"missed": 1, "timed": 1}
    assert world.reread(overdue).end_reason is EndReason.RING_TIMEOUT
    assert world.timer.started == [overdue.call_id, fresh.call_id, over.call_id, fresh.call_id]
    world.timer.lost = False
    assert sweep.sweep(world.deps) == {"alone": 1}
    assert world.reread(over) == over

    talking = settle(world.deps, fresh, Act.ANSWER)
    assert sweep.sweep(world.deps) == {"alone": 1}
    world.provider.remote = RemoteStatus.UNKNOWN
    assert sweep.sweep(world.deps) == {"alone": 1}
    world.provider.remote = RemoteStatus.OVER
    ringing = world.ringing()
    assert sweep.sweep(world.deps) == {"failed": 2}
    assert world.reread(talking).end_reason is EndReason.PROVIDER_ERROR
    assert world.reread(ringing).end_reason is EndReason.CALLER_HANGUP


def test_one_call_that_cannot_be_swept_does_not_stop_the_others(empty_table):
    from tests.support.world import World

    world = World(empty_table)
    world.timer.broken = True
    world.ringing()
    overdue = world.ringing()
    world.clock.advance(30)
    world.ringing()
    world.clock.advance(30)
    assert sweep.sweep(world.deps) == {"missed": 2, "errors": 1}
    assert world.reread(overdue).state is CallState.MISSED
