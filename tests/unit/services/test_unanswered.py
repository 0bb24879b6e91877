"""Tests that a call that nobody answered stays unanswered at the provider, whatever ends it."""

from __future__ import annotations

import pytest

from chalicelib.domain.call_transitions import Act
from chalicelib.providers.base import HangUp, Reject
from chalicelib.services.call import call_control, inbound, instructions
from chalicelib.services.call.media import attach_provider
from chalicelib.services.call.provider_control import steer
from chalicelib.services.call.transition import settle
from chalicelib.store.call_media import Relay

BUSY = Reject(busy=True)


@pytest.mark.parametrize(
    "act",
    [Act.DECLINE, Act.CALLER_HANGUP, Act.AGENT_HANGUP, Act.PROVIDER_FAILED, Act.EXPIRE],
)
def test_a_ringing_call_is_rejected_as_busy_whatever_ends_it(world, act):
    call = world.ringing()
    if act is Act.EXPIRE:
        world.clock.advance(60)
    ended = settle(world.deps, call, act)
    assert ended.state.final
    assert instructions.instruction(world.deps, ended) == BUSY
    assert inbound.poll(world.deps, "gateway", call.provider_call_id) == BUSY
    assert inbound.receive(world.deps, world.incoming(sid=call.provider_call_id)) == BUSY
    steer(world.deps, ended)
    assert world.provider.steered[-1] == (call.provider_call_id, BUSY)


def test_a_call_accepted_and_ended_before_the_next_poll_is_rejected(world):
    world.provider.down = True
    call = world.ringing()
    call_control.accept(world.deps, world.account_id, call.call_id)
    call_control.leave(world.deps, world.account_id, call.call_id)
    assert inbound.poll(world.deps, "gateway", call.provider_call_id) == BUSY


def test_an_answered_call_is_hung_up(world):
    call = settle(world.deps, world.ringing(), Act.ANSWER)
    ended = settle(world.deps, call, Act.AGENT_HANGUP)
    assert instructions.instruction(world.deps, ended) == HangUp()
    assert inbound.resume(world.deps, "gateway", call.provider_call_id) == HangUp()


def test_an_outbound_call_answered_too_late_is_hung_up(world):
    ended = settle(world.deps, world.dial(), Act.AGENT_HANGUP)
    assert instructions.instruction(world.deps, ended) == HangUp()


def test_a_ringing_call_is_canceled_and_a_call_in_progress_is_not(world):
    missed, left, talked = world.ringing(), world.ringing(), world.ringing()
    call_control.accept(world.deps, world.account_id, talked.call_id)
    token = instructions.provider_token(world.deps, world.reread(talked))
    attach_provider(world.deps, Relay("relay-1"), token, "wss://relay.test", "good")
    call_control.leave(world.deps, world.account_id, left.call_id)
    call_control.leave(world.deps, world.account_id, talked.call_id)
    world.clock.advance(60)
    call_control.expire(world.deps, missed.call_id)
    ended = [left.provider_call_id, talked.provider_call_id, missed.provider_call_id]
    assert world.provider.hung_up == ended
    assert world.provider.canceled == [ended[0], ended[2]]


def test_an_accepted_call_still_ringing_at_the_provider_is_canceled(world):
    world.provider.down = True  # it takes no instruction
    call = world.ringing()
    call_control.accept(world.deps, world.account_id, call.call_id)
    world.provider.down = False
    call_control.leave(world.deps, world.account_id, call.call_id)
    assert world.provider.canceled == [call.provider_call_id]


def test_an_answered_outbound_call_is_hung_up_at_once(world):
    call = settle(world.deps, world.dial(), Act.ANSWER)
    call_control.leave(world.deps, world.account_id, call.call_id)
    assert world.provider.hung_up == [call.provider_call_id]
    assert world.provider.canceled == []
