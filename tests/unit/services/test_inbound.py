"""Tests of the instructions for an inbound call at each post, in whatever order the posts come."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.call_id import inbound_call_id
from chalicelib.domain.call_transitions import Act, CallState, EndReason
from chalicelib.domain.line import LineChanges
from chalicelib.providers.base import Connect, HangUp, KeepRinging, Reject
from chalicelib.services.call import call_control, inbound, streams
from chalicelib.services.call.number_called import Called
from chalicelib.services.call.transition import settle
from chalicelib.services.line import numbers
from common import media_token
from tests.support.engine import everything_in
from tests.support.world import MEDIA_SECRET, World


def test_a_call_to_a_held_number_rings_with_a_deadline(world):
    incoming = world.incoming()
    assert inbound.receive(world.deps, incoming) == KeepRinging()
    call = world.call_of(incoming)
    assert call.state is CallState.RINGING
    assert call.ring_deadline == world.clock() + 60_000
    assert (call.from_, call.to, call.line) == ("+33612345678", world.number, world.number)
    assert world.timer.started == [call.call_id]


def test_a_sip_uri_in_to_finds_its_number(world):
    incoming = world.incoming(to=f"sip:{world.number}@chamade.sip.twilio.com")
    assert inbound.receive(world.deps, incoming) == KeepRinging()


@pytest.mark.parametrize("to", ["+15559999999", "anonymous", "", "sip:bob@host"])
def test_a_call_to_an_unassigned_number_is_rejected_and_leaves_nothing(empty_table, to):
    world = World(empty_table)
    before = everything_in(empty_table)
    assert inbound.receive(world.deps, world.incoming(to=to)) == Reject()
    assert everything_in(empty_table) == before


def test_a_call_to_a_released_number_is_rejected(world):
    numbers.release(world.deps, world.account_id, world.number)
    assert inbound.receive(world.deps, world.incoming()) == Reject()


def test_a_call_of_another_provider_to_the_number_is_rejected(world):
    incoming = inbound.Incoming("twilio", world.sid(), "+33612345678", world.number)
    assert inbound.receive(world.deps, incoming) == Reject()


def test_a_repeated_voice_post_makes_one_call_one_event_and_one_timer(world):
    incoming = world.incoming()
    first, second = (inbound.receive(world.deps, incoming) for _ in range(2))
    assert first == second == KeepRinging()
    assert world.events().count("call.ringing") == 1
    assert len(world.timer.started) == 1


def test_a_late_voice_post_of_an_ended_call_does_not_ring_again(world):
    call = world.ringing()
    call_control.leave(world.deps, world.account_id, call.call_id)
    again = world.incoming(sid=call.provider_call_id)
    assert inbound.receive(world.deps, again) == Reject(busy=True)


def test_a_polls_instruction_follows_from_the_calls_state(world):
    call = world.ringing()
    sid = call.provider_call_id
    assert inbound.poll(world.deps, "gateway", sid) == KeepRinging()
    world.provider.strict = True
    call_control.accept(world.deps, world.account_id, call.call_id)
    connect = inbound.poll(world.deps, "gateway", sid)
    assert isinstance(connect, Connect)
    now_s = world.clock() // 1000
    token_of = media_token.read(MEDIA_SECRET, connect.token, "provider", now_s)
    assert token_of == call.call_id
    call_control.leave(world.deps, world.account_id, call.call_id)
    assert inbound.poll(world.deps, "gateway", sid) == Reject(busy=True)


def test_a_call_that_can_be_redirected_is_polled_every_ten_seconds_and_in_its_last_second(world):
    began = world.clock.ms
    incoming = replace(world.incoming(), redirects_ringing=True)
    step, polls_at = inbound.receive(world.deps, incoming), []
    while isinstance(step, KeepRinging):
        world.clock.advance(step.pause_s + 0.02)  # and the way there
        polls_at.append((world.clock.ms - began) / 1000)
        step = inbound.poll(world.deps, "gateway", incoming.provider_call_id, redirects=True)
    assert step == Reject(busy=True)
    assert [round(at) for at in polls_at] == [10, 20, 30, 40, 50, 59]
    call = world.deps.stores.calls.get(inbound_call_id("gateway", incoming.provider_call_id))
    assert call.end_reason is EndReason.RING_TIMEOUT
    assert call.ended_at - call.created_at in range(60_000, 60_100)


def test_an_accept_whose_redirect_failed_reaches_the_provider_with_the_next_poll(world):
    incoming = replace(world.incoming(), redirects_ringing=True)
    assert inbound.receive(world.deps, incoming) == KeepRinging(inbound.GUARD_S)
    world.provider.strict = True
    call_id = inbound_call_id("gateway", incoming.provider_call_id)
    call_control.accept(world.deps, world.account_id, call_id)
    sid = incoming.provider_call_id
    assert isinstance(inbound.poll(world.deps, "gateway", sid, redirects=True), Connect)


def test_a_poll_does_not_overtake_the_redirect_of_an_accept(world):
    """Two streams would be handed out, and the second cut off the agent's first words."""
    call = world.ringing()
    sid = call.provider_call_id
    polled = []

    def steer(*_):
        polled.append(inbound.poll(world.deps, "gateway", sid))
        return True

    world.provider.steer = steer
    call_control.accept(world.deps, world.account_id, call.call_id)
    polled.append(inbound.poll(world.deps, "gateway", sid))
    assert polled == [KeepRinging(), KeepRinging()]
    world.clock.advance(inbound.STEERED_MS / 1000 + 1)  # the redirect was lost after all
    assert isinstance(inbound.poll(world.deps, "gateway", sid), Connect)


@pytest.mark.parametrize("trouble", ["strict", "down"])
def test_a_refused_redirect_leaves_the_stream_to_the_next_poll(world, trouble):
    setattr(world.provider, trouble, True)
    call = world.ringing()
    call_control.accept(world.deps, world.account_id, call.call_id)
    assert isinstance(inbound.poll(world.deps, "gateway", call.provider_call_id), Connect)


def test_a_declined_caller_is_rejected(world):
    call = world.ringing()
    call_control.decline(world.deps, world.account_id, call.call_id)
    assert inbound.poll(world.deps, "gateway", call.provider_call_id) == Reject(busy=True)


def test_polls_of_unknown_calls_are_rejected_and_unknown_streams_hung_up(world):
    assert inbound.poll(world.deps, "gateway", "CAnone") == Reject(busy=True)
    assert inbound.resume(world.deps, "gateway", "CAnone") == HangUp()


def test_a_poll_after_the_deadline_enforces_it(world):
    call = world.ringing()
    world.clock.advance(60)
    assert inbound.poll(world.deps, "gateway", call.provider_call_id) == Reject(busy=True)
    missed = world.reread(call)
    assert (missed.state, missed.end_reason) == (CallState.MISSED, EndReason.RING_TIMEOUT)


def test_the_last_poll_waits_for_the_deadline_and_not_longer(world):
    call = world.ringing()
    world.clock.advance(58.9)
    assert inbound.poll(world.deps, "gateway", call.provider_call_id) == KeepRinging()
    assert world.clock() < call.ring_deadline
    world.clock.advance(0.3)
    assert inbound.poll(world.deps, "gateway", call.provider_call_id) == Reject(busy=True)
    assert world.clock() == call.ring_deadline
    assert world.reread(call).ended_at == call.ring_deadline


def test_an_accept_during_the_last_polls_wait_connects_the_call(world):
    world.provider.strict = True
    call = world.ringing()
    world.clock.advance(59.5)

    def accept_meanwhile(seconds):
        call_control.accept(world.deps, world.account_id, call.call_id)
        world.clock.advance(seconds)

    deps = replace(world.deps, pause=accept_meanwhile)
    assert isinstance(inbound.poll(deps, "gateway", call.provider_call_id), Connect)


def test_a_call_rings_even_if_its_timer_cannot_be_started(world):
    world.timer.broken = True
    incoming = world.incoming()
    assert inbound.receive(world.deps, incoming) == KeepRinging()
    assert world.call_of(incoming).state is CallState.RINGING


def test_auto_answer_answers_at_once_with_both_events(world):
    numbers.change(world.deps, world.account_id, world.number, LineChanges(auto_answer=True))
    incoming = world.incoming()
    assert isinstance(inbound.receive(world.deps, incoming), Connect)
    assert world.call_of(incoming).state is CallState.ACTIVE
    assert world.events()[-2:] == ["call.ringing", "call.answered"]
    assert world.timer.started == []


@pytest.mark.parametrize("webhook", ["voice", "ringing"])
def test_auto_answer_is_completed_after_a_crash(world, webhook):
    numbers.change(world.deps, world.account_id, world.number, LineChanges(auto_answer=True))
    incoming = world.incoming()
    line = world.stores.lines.get(world.number)
    owner = world.stores.accounts.get(world.account_id)
    world.stores.calls.create(
        inbound._new_call(world.deps, incoming, Called(line), owner)
    )  # the process died
    if webhook == "voice":
        instruction = inbound.receive(world.deps, incoming)
    else:
        instruction = inbound.poll(world.deps, "gateway", incoming.provider_call_id)
    assert isinstance(instruction, Connect)
    assert world.call_of(incoming).state is CallState.ACTIVE


def test_a_caller_who_hangs_up_while_it_rings_leaves_a_missed_call(world):
    call = world.ringing()
    inbound.caller_gone(world.deps, world.incoming(sid=call.provider_call_id), failed=False)
    missed = world.reread(call)
    assert (missed.state, missed.end_reason) == (CallState.MISSED, EndReason.CALLER_HANGUP)


def test_a_caller_who_hangs_up_while_talking_ends_the_call(world):
    call = settle(world.deps, world.ringing(), Act.ANSWER)
    inbound.caller_gone(world.deps, world.incoming(sid=call.provider_call_id), failed=False)
    assert world.reread(call).end_reason is EndReason.CALLER_HANGUP
    assert world.reread(call).state is CallState.ENDED


def test_a_status_that_comes_twice_or_after_the_end_changes_nothing(world):
    call = world.ringing()
    gone = world.incoming(sid=call.provider_call_id)
    inbound.caller_gone(world.deps, gone, failed=False)
    after = world.reread(call)
    inbound.caller_gone(world.deps, gone, failed=True)
    assert world.reread(call) == after


def test_a_failure_at_the_provider_fails_the_call(world):
    call = world.ringing()
    inbound.caller_gone(world.deps, world.incoming(sid=call.provider_call_id), failed=True)
    assert world.reread(call).end_reason is EndReason.PROVIDER_ERROR


def test_an_end_that_overtakes_the_voice_post_is_recorded(world):
    incoming = world.incoming()
    inbound.caller_gone(world.deps, incoming, failed=False)
    call = world.call_of(incoming)
    assert (call.state, call.end_reason) == (CallState.MISSED, EndReason.CALLER_HANGUP)
    assert inbound.receive(world.deps, incoming) == Reject(busy=True)
    assert world.events().count("call.missed") == 1
    assert "call.ringing" not in world.events()


def test_an_end_of_a_call_that_was_rejected_leaves_nothing(empty_table):
    world = World(empty_table)
    before = everything_in(empty_table)
    inbound.caller_gone(world.deps, world.incoming(to="+15559999999"), failed=False)
    assert everything_in(empty_table) == before


def test_a_broken_stream_is_replaced_while_the_call_is_up(world):
    call = settle(world.deps, world.ringing(), Act.ANSWER)
    pauses = []
    for _ in range(4):
        again = inbound.resume(world.deps, "gateway", call.provider_call_id)
        assert isinstance(again, Connect)
        pauses.append(again.pause_s)
    assert pauses == [0, 0, 1, 1]


def test_a_call_that_no_relay_takes_fails(world):
    call = settle(world.deps, world.ringing(), Act.ANSWER)
    for _ in range(streams.MAX_STREAMS):
        assert isinstance(inbound.resume(world.deps, "gateway", call.provider_call_id), Connect)
    assert inbound.resume(world.deps, "gateway", call.provider_call_id) == HangUp()
    assert world.reread(call).end_reason is EndReason.MEDIA_FAILED


def test_an_ended_call_gets_no_further_stream(world):
    call = settle(world.deps, world.ringing(), Act.ANSWER)
    settle(world.deps, call, Act.AGENT_HANGUP)
    assert inbound.resume(world.deps, "gateway", call.provider_call_id) == HangUp()
