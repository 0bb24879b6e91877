"""The agent answers, refuses, leaves; the deadline comes; and what the provider is told of it."""

from __future__ import annotations

import pytest

from chalicelib.domain.call import Refused
from chalicelib.domain.call_moves import Act, CallState, EndReason
from chalicelib.providers.base import Connect, Reject, RemoteStatus
from chalicelib.services import answer, decline, leave, miss, sweep
from chalicelib.services.transition import TooBusy, UnknownCall, act_on, settle
from chalicelib.store.calls import CallStore, Stale


def test_accept_answers_and_steers_the_provider_at_once(world):
    call = world.ringing()
    assert answer.accept(world.ports, world.account_id, call.call_id).state is CallState.ACTIVE
    sid, instruction = world.provider.steered[-1]
    assert sid == call.provider_call_id
    assert isinstance(instruction, Connect)


@pytest.mark.parametrize("trouble", ["strict", "down"])
def test_accept_holds_whatever_the_provider_makes_of_the_speed_up(world, trouble):
    setattr(world.provider, trouble, True)
    call = world.ringing()
    assert answer.accept(world.ports, world.account_id, call.call_id).state is CallState.ACTIVE


def test_what_is_done_is_done_even_if_telling_the_provider_breaks(world, monkeypatch):
    """Not only refusals: a proxy's HTML, a provider that is configured no more, a lost table."""
    monkeypatch.setattr(world.provider, "steer", lambda *_: 1 / 0)
    monkeypatch.setattr(world.provider, "hang_up", lambda *_: 1 / 0)
    monkeypatch.setattr(world.ports.calls, "leave_to_polls", lambda *_: 1 / 0)
    call = world.ringing()
    assert answer.accept(world.ports, world.account_id, call.call_id).state is CallState.ACTIVE
    assert leave.leave(world.ports, world.account_id, call.call_id).state is CallState.ENDED
    declined = decline.refuse(world.ports, world.account_id, world.ringing().call_id)
    assert declined.state is CallState.DECLINED


def test_the_second_accept_is_told_how_the_call_is(world):
    call = world.ringing()
    answer.accept(world.ports, world.account_id, call.call_id)
    with pytest.raises(Refused) as refused:
        answer.accept(world.ports, world.account_id, call.call_id)
    assert (refused.value.code, refused.value.call.state) == ("call_not_ringing", CallState.ACTIVE)


def test_an_accept_after_the_deadline_finds_the_call_missed(world):
    call = world.ringing()
    world.clock.advance(60)
    with pytest.raises(Refused) as refused:
        answer.accept(world.ports, world.account_id, call.call_id)
    assert refused.value.code == "ring_deadline_passed"
    assert refused.value.call.state is CallState.MISSED


def test_refuse_declines_and_the_caller_hears_so(world):
    call = world.ringing()
    declined = decline.refuse(world.ports, world.account_id, call.call_id)
    assert (declined.state, declined.end_reason) == (CallState.DECLINED, EndReason.DECLINED)
    assert world.provider.steered[-1] == (call.provider_call_id, Reject(busy=True))


def test_leave_ends_the_call_at_the_provider_too(world):
    call = settle(world.ports, world.ringing(), Act.ANSWER)
    ended = leave.leave(world.ports, world.account_id, call.call_id)
    assert (ended.state, ended.end_reason) == (CallState.ENDED, EndReason.AGENT_HANGUP)
    assert world.provider.hung_up == [call.provider_call_id]


def test_leave_holds_when_the_provider_is_down(world):
    world.provider.down = True
    call = settle(world.ports, world.ringing(), Act.ANSWER)
    assert leave.leave(world.ports, world.account_id, call.call_id).state is CallState.ENDED


@pytest.mark.parametrize("act", [answer.accept, decline.refuse, leave.leave])
def test_nobody_acts_on_a_foreign_call_or_learns_that_it_exists(world, act):
    stranger, _ = world.new_account()
    call = world.ringing()
    with pytest.raises(UnknownCall):
        act(world.ports, stranger, call.call_id)
    with pytest.raises(UnknownCall):
        act(world.ports, stranger, "call_none")
    assert world.now_of(call) == call


def test_the_deadline_makes_a_ringing_call_missed_and_hangs_it_up(world):
    call = world.ringing()
    world.clock.advance(60)
    missed = miss.expire(world.ports, call.call_id)
    assert (missed.state, missed.end_reason) == (CallState.MISSED, EndReason.RING_TIMEOUT)
    assert miss.outcome(missed) == "missed"
    assert world.provider.hung_up == [call.provider_call_id]


def test_the_deadline_leaves_an_answered_call_alone(world):
    call = settle(world.ports, world.ringing(), Act.ANSWER)
    world.clock.advance(60)
    assert miss.outcome(miss.expire(world.ports, call.call_id)) == "answered"
    assert world.provider.hung_up == []


def test_the_deadline_of_a_declined_call_finds_it_gone(world):
    call = settle(world.ports, world.ringing(), Act.DECLINE)
    world.clock.advance(60)
    assert miss.outcome(miss.expire(world.ports, call.call_id)) == "gone"


def test_the_deadline_asked_too_early_wants_to_be_asked_again(world):
    call = world.ringing()
    with pytest.raises(miss.StillRinging):
        miss.expire(world.ports, call.call_id)
    with pytest.raises(UnknownCall):
        miss.expire(world.ports, "call_none")


class Colliding(CallStore):
    """Every write collides with somebody else's."""

    def move(self, before, moved, now):
        raise Stale(None)


def test_endless_collisions_end_in_a_clear_error(world, monkeypatch):
    from dataclasses import replace

    monkeypatch.setattr("chalicelib.services.transition._COLLISION_WAIT_S", 0)
    ports = replace(world.ports, calls=Colliding(world.table))
    with pytest.raises(TooBusy):
        act_on(ports, world.ringing(), Act.ANSWER)
    gone = world.ringing().model_copy(update={"call_id": "call_none"})
    with pytest.raises(UnknownCall):
        act_on(ports, gone, Act.ANSWER)


def test_a_loser_decides_again_on_the_call_as_it_is(world):
    seen = world.ringing()
    settle(world.ports, seen, Act.ANSWER)
    # `seen` is out of date; hanging up is still possible, answering is not.
    with pytest.raises(Refused):
        act_on(world.ports, seen, Act.ANSWER)
    assert act_on(world.ports, seen, Act.AGENT_HANGUP).version == 3


def test_the_sweep_puts_right_what_a_restart_left(empty_table):
    from tests.support.world import World

    world = World(empty_table)
    overdue = world.ringing()
    world.clock.advance(61)
    fresh = world.ringing()
    over = settle(world.ports, world.ringing(), Act.AGENT_HANGUP)
    assert sweep.sweep(world.ports) == {"missed": 1, "timed": 1}
    assert world.now_of(overdue).end_reason is EndReason.RING_TIMEOUT
    assert world.timer.started == [overdue.call_id, fresh.call_id, over.call_id, fresh.call_id]
    world.timer.lost = False
    assert sweep.sweep(world.ports) == {"alone": 1}
    assert world.now_of(over) == over

    talking = settle(world.ports, fresh, Act.ANSWER)
    assert sweep.sweep(world.ports) == {"alone": 1}
    world.provider.remote = RemoteStatus.UNKNOWN
    assert sweep.sweep(world.ports) == {"alone": 1}
    world.provider.remote = RemoteStatus.OVER
    ringing = world.ringing()
    assert sweep.sweep(world.ports) == {"failed": 2}
    assert world.now_of(talking).end_reason is EndReason.PROVIDER_ERROR
    assert world.now_of(ringing).end_reason is EndReason.CALLER_HANGUP


def test_one_call_that_cannot_be_put_right_does_not_keep_the_others_from_it(empty_table):
    from tests.support.world import World

    world = World(empty_table)
    world.timer.broken = True
    world.ringing()
    overdue = world.ringing()
    world.clock.advance(30)
    world.ringing()
    world.clock.advance(30)
    assert sweep.sweep(world.ports) == {"missed": 2, "errors": 1}
    assert world.now_of(overdue).state is CallState.MISSED
