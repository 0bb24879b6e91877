"""A call comes in: what the provider is told at each post, whatever order they come in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain import media_token
from chalicelib.domain.call_moves import Act, CallState, EndReason
from chalicelib.domain.line import LineChanges
from chalicelib.providers.base import Connect, HangUp, KeepRinging, Reject
from chalicelib.services import answer, decline, leave, numbers, ring
from chalicelib.services.transition import settle
from tests.support.engine import everything_in
from tests.support.world import World


def test_a_call_to_a_held_number_rings_and_its_deadline_is_set(world):
    incoming = world.incoming()
    assert ring.receive(world.ports, incoming) == KeepRinging()
    call = world.call_of(incoming)
    assert call.state is CallState.RINGING
    assert call.ring_deadline == world.clock() + 60_000
    assert (call.from_, call.to, call.line) == ("+33612345678", world.number, world.number)
    assert world.timer.started == [call.call_id]


def test_a_sip_uri_in_to_finds_its_number(world):
    incoming = world.incoming(to=f"sip:{world.number}@chamade.sip.twilio.com")
    assert ring.receive(world.ports, incoming) == KeepRinging()


@pytest.mark.parametrize("to", ["+15559999999", "anonymous", "", "sip:bob@host"])
def test_a_call_to_a_number_that_is_nobodys_is_rejected_and_leaves_nothing(empty_table, to):
    world = World(empty_table)
    before = everything_in(empty_table)
    assert ring.receive(world.ports, world.incoming(to=to)) == Reject()
    assert everything_in(empty_table) == before


def test_a_call_to_a_released_number_is_rejected(world):
    numbers.release(world.ports, world.account_id, world.number)
    assert ring.receive(world.ports, world.incoming()) == Reject()


def test_another_provider_cannot_ring_a_number_that_is_not_with_it(world):
    incoming = ring.Incoming("twilio", world.sid(), "+33612345678", world.number)
    assert ring.receive(world.ports, incoming) == Reject()


def test_a_voice_post_that_comes_twice_makes_one_call_one_event_one_timer(world):
    incoming = world.incoming()
    first, second = (ring.receive(world.ports, incoming) for _ in range(2))
    assert first == second == KeepRinging()
    assert world.events().count("call.ringing") == 1
    assert len(world.timer.started) == 1


def test_a_late_voice_post_of_an_ended_call_does_not_ring_again(world):
    call = world.ringing()
    leave.leave(world.ports, world.account_id, call.call_id)
    again = world.incoming(sid=call.provider_call_id)
    assert ring.receive(world.ports, again) == HangUp()


def test_polls_follow_the_calls_state(world):
    call = world.ringing()
    sid = call.provider_call_id
    assert ring.poll(world.ports, "gateway", sid) == KeepRinging()
    world.provider.strict = True
    answer.accept(world.ports, world.account_id, call.call_id)
    connect = ring.poll(world.ports, "gateway", sid)
    assert isinstance(connect, Connect)
    now_s = world.clock() // 1000
    token_of = media_token.check("a secret of the tests", connect.token, "provider", now_s)
    assert token_of == call.call_id
    leave.leave(world.ports, world.account_id, call.call_id)
    assert ring.poll(world.ports, "gateway", sid) == HangUp()


def test_a_poll_does_not_overtake_the_redirect_of_an_accept(world):
    """Two streams would be handed out, and the second cut off the agent's first words."""
    call = world.ringing()
    sid = call.provider_call_id
    polled = []

    def steer(*_):
        polled.append(ring.poll(world.ports, "gateway", sid))
        return True

    world.provider.steer = steer
    answer.accept(world.ports, world.account_id, call.call_id)
    polled.append(ring.poll(world.ports, "gateway", sid))
    assert polled == [KeepRinging(), KeepRinging()]
    world.clock.advance(ring.STEERED_MS / 1000 + 1)  # the redirect was lost after all
    assert isinstance(ring.poll(world.ports, "gateway", sid), Connect)


@pytest.mark.parametrize("trouble", ["strict", "down"])
def test_a_redirect_the_provider_did_not_take_leaves_it_to_the_next_poll(world, trouble):
    setattr(world.provider, trouble, True)
    call = world.ringing()
    answer.accept(world.ports, world.account_id, call.call_id)
    assert isinstance(ring.poll(world.ports, "gateway", call.provider_call_id), Connect)


def test_a_declined_caller_is_rejected(world):
    call = world.ringing()
    decline.refuse(world.ports, world.account_id, call.call_id)
    assert ring.poll(world.ports, "gateway", call.provider_call_id) == Reject(busy=True)


def test_polls_of_unknown_calls_are_hung_up(world):
    assert ring.poll(world.ports, "gateway", "CAnone") == HangUp()
    assert ring.resume(world.ports, "gateway", "CAnone") == HangUp()


def test_a_poll_after_the_deadline_enforces_it(world):
    call = world.ringing()
    world.clock.advance(60)
    assert ring.poll(world.ports, "gateway", call.provider_call_id) == HangUp()
    missed = world.now_of(call)
    assert (missed.state, missed.end_reason) == (CallState.MISSED, EndReason.RING_TIMEOUT)


def test_the_last_poll_waits_for_the_deadline_and_not_longer(world):
    call = world.ringing()
    world.clock.advance(58.9)
    assert ring.poll(world.ports, "gateway", call.provider_call_id) == KeepRinging()
    assert world.clock() < call.ring_deadline
    world.clock.advance(0.3)
    assert ring.poll(world.ports, "gateway", call.provider_call_id) == HangUp()
    assert world.clock() == call.ring_deadline
    assert world.now_of(call).ended_at == call.ring_deadline


def test_an_accept_while_the_last_poll_waits_is_heeded(world):
    world.provider.strict = True
    call = world.ringing()
    world.clock.advance(59.5)

    def accept_meanwhile(seconds):
        answer.accept(world.ports, world.account_id, call.call_id)
        world.clock.advance(seconds)

    ports = replace(world.ports, pause=accept_meanwhile)
    assert isinstance(ring.poll(ports, "gateway", call.provider_call_id), Connect)


def test_a_call_rings_even_if_its_timer_cannot_be_started(world):
    world.timer.broken = True
    incoming = world.incoming()
    assert ring.receive(world.ports, incoming) == KeepRinging()
    assert world.call_of(incoming).state is CallState.RINGING


def test_auto_answer_picks_up_at_once_and_tells_both(world):
    numbers.change(world.ports, world.account_id, world.number, LineChanges(auto_answer=True))
    incoming = world.incoming()
    assert isinstance(ring.receive(world.ports, incoming), Connect)
    assert world.call_of(incoming).state is CallState.ACTIVE
    assert world.events()[-2:] == ["call.ringing", "call.answered"]
    assert world.timer.started == []


@pytest.mark.parametrize("webhook", ["voice", "ringing"])
def test_auto_answer_goes_on_where_a_crash_left_it(world, webhook):
    numbers.change(world.ports, world.account_id, world.number, LineChanges(auto_answer=True))
    incoming = world.incoming()
    line = world.ports.lines.get(world.number)
    world.ports.calls.create(ring._born(world.ports, incoming, line))  # then the process died
    if webhook == "voice":
        told = ring.receive(world.ports, incoming)
    else:
        told = ring.poll(world.ports, "gateway", incoming.provider_call_id)
    assert isinstance(told, Connect)
    assert world.call_of(incoming).state is CallState.ACTIVE


def test_a_caller_who_hangs_up_while_it_rings_leaves_a_missed_call(world):
    call = world.ringing()
    ring.caller_gone(world.ports, world.incoming(sid=call.provider_call_id), failed=False)
    missed = world.now_of(call)
    assert (missed.state, missed.end_reason) == (CallState.MISSED, EndReason.CALLER_HANGUP)


def test_a_caller_who_hangs_up_while_talking_ends_the_call(world):
    call = settle(world.ports, world.ringing(), Act.ANSWER)
    ring.caller_gone(world.ports, world.incoming(sid=call.provider_call_id), failed=False)
    assert world.now_of(call).end_reason is EndReason.CALLER_HANGUP
    assert world.now_of(call).state is CallState.ENDED


def test_a_status_that_comes_twice_or_after_the_end_changes_nothing(world):
    call = world.ringing()
    gone = world.incoming(sid=call.provider_call_id)
    ring.caller_gone(world.ports, gone, failed=False)
    after = world.now_of(call)
    ring.caller_gone(world.ports, gone, failed=True)
    assert world.now_of(call) == after


def test_a_failure_at_the_provider_fails_the_call(world):
    call = world.ringing()
    ring.caller_gone(world.ports, world.incoming(sid=call.provider_call_id), failed=True)
    assert world.now_of(call).end_reason is EndReason.PROVIDER_ERROR


def test_an_end_that_overtakes_the_voice_post_is_remembered(world):
    incoming = world.incoming()
    ring.caller_gone(world.ports, incoming, failed=False)
    call = world.call_of(incoming)
    assert (call.state, call.end_reason) == (CallState.MISSED, EndReason.CALLER_HANGUP)
    assert ring.receive(world.ports, incoming) == HangUp()
    assert world.events().count("call.missed") == 1
    assert "call.ringing" not in world.events()


def test_an_end_of_a_call_that_was_rejected_leaves_nothing(empty_table):
    world = World(empty_table)
    before = everything_in(empty_table)
    ring.caller_gone(world.ports, world.incoming(to="+15559999999"), failed=False)
    assert everything_in(empty_table) == before


def test_a_broken_stream_is_replaced_while_the_call_is_up(world):
    call = settle(world.ports, world.ringing(), Act.ANSWER)
    pauses = []
    for _ in range(4):
        again = ring.resume(world.ports, "gateway", call.provider_call_id)
        assert isinstance(again, Connect)
        pauses.append(again.pause_s)
    assert pauses == [0, 0, 1, 1]


def test_a_call_that_no_relay_takes_fails_in_the_end(world):
    call = settle(world.ports, world.ringing(), Act.ANSWER)
    for _ in range(ring.MAX_STREAMS):
        assert isinstance(ring.resume(world.ports, "gateway", call.provider_call_id), Connect)
    assert ring.resume(world.ports, "gateway", call.provider_call_id) == HangUp()
    assert world.now_of(call).end_reason is EndReason.MEDIA_FAILED


def test_after_the_end_there_is_no_further_stream(world):
    call = settle(world.ports, world.ringing(), Act.ANSWER)
    settle(world.ports, call, Act.AGENT_HANGUP)
    assert ring.resume(world.ports, "gateway", call.provider_call_id) == HangUp()
