"""What relays may bring in, and what their reports do to a call."""

from __future__ import annotations

import pytest

from chalicelib.domain.call_moves import Act, CallState, EndReason
from chalicelib.services import media, ring
from chalicelib.services.media import (
    BadToken,
    CallOver,
    NotActive,
    OwnedElsewhere,
    agent_token,
    attach_agent,
    attach_provider,
    report,
)
from chalicelib.services.transition import UnknownCall, settle
from chalicelib.store.calls import Relay

URL = "ws://relay.test/media/provider/x"


def active(world):
    return settle(world.ports, world.ringing(), Act.ANSWER)


def provider_in(world, call, relay="relay-1"):
    who = Relay(relay, f"ws://{relay}:8702")
    return attach_provider(world.ports, who, ring.provider_token(world.ports, call), URL, "good")


def test_the_relay_with_the_providers_stream_owns_the_call(world):
    call = active(world)
    assert provider_in(world, call).owner == "relay-1"
    token, _ = agent_token(world.ports, call)
    assert attach_agent(world.ports, "relay-1", call.call_id, token).owner == "relay-1"
    with pytest.raises(OwnedElsewhere) as elsewhere:
        attach_agent(world.ports, "relay-2", call.call_id, token)
    assert elsewhere.value.relay_url == "ws://relay-1:8702"


def test_a_new_stream_moves_the_call_to_its_relay(world):
    call = active(world)
    provider_in(world, call, "relay-1")
    provider_in(world, call, "relay-2")
    token, _ = agent_token(world.ports, call)
    assert attach_agent(world.ports, "relay-2", call.call_id, token).owner == "relay-2"


def test_a_stream_that_lasted_ends_the_count_of_broken_ones(world):
    call = active(world)
    for _ in range(ring.MAX_STREAMS):
        ring.resume(world.ports, "gateway", call.provider_call_id)
    provider_in(world, call)
    world.clock.advance(ring.LASTING_MS / 1000)
    again = ring.resume(world.ports, "gateway", call.provider_call_id)
    assert again == ring.Connect(ring.provider_token(world.ports, call), 0)


def test_streams_that_attach_and_break_at_once_end_the_call_too(world):
    call = active(world)
    for _ in range(ring.MAX_STREAMS):
        ring.resume(world.ports, "gateway", call.provider_call_id)
        provider_in(world, call)
    assert ring.resume(world.ports, "gateway", call.provider_call_id) == ring.HangUp()
    assert world.now_of(call).end_reason is EndReason.MEDIA_FAILED


def test_the_agent_may_come_while_it_rings(world):
    call = world.ringing()
    token, expires = agent_token(world.ports, call)
    attached = attach_agent(world.ports, "relay-1", call.call_id, token)
    assert (attached.owner, attached.call.state) == (None, CallState.RINGING)
    assert expires > call.ring_deadline // 1000


def test_a_stream_for_a_call_nobody_answered_is_refused(world):
    with pytest.raises(NotActive):
        provider_in(world, world.ringing())


def test_nothing_attaches_to_a_call_that_is_over(world):
    call = settle(world.ports, active(world), Act.AGENT_HANGUP)
    with pytest.raises(CallOver) as over:
        provider_in(world, call)
    assert over.value.call.end_reason is EndReason.AGENT_HANGUP
    token, _ = agent_token(world.ports, call)
    with pytest.raises(CallOver):
        attach_agent(world.ports, "relay-1", call.call_id, token)


@pytest.mark.parametrize("signature", ["bad", None])
def test_a_stream_the_provider_did_not_sign_is_refused(world, signature):
    call = active(world)
    token = ring.provider_token(world.ports, call)
    with pytest.raises(BadToken):
        attach_provider(world.ports, Relay("relay-1"), token, URL, signature)
    assert world.ports.calls.media(call.call_id).relay is None


def test_tokens_open_only_what_they_are_for(world):
    mine, other = active(world), active(world)
    agents, _ = agent_token(world.ports, mine)
    with pytest.raises(BadToken):
        attach_agent(world.ports, "relay-1", other.call_id, agents)
    with pytest.raises(BadToken):
        attach_agent(world.ports, "relay-1", mine.call_id, ring.provider_token(world.ports, mine))
    with pytest.raises(BadToken):
        attach_provider(world.ports, Relay("relay-1"), agents, URL, "good")
    with pytest.raises(BadToken):
        attach_agent(world.ports, "relay-1", mine.call_id, "made up")


def test_a_token_dies_with_the_longest_possible_call(world):
    call = active(world)
    token, _ = agent_token(world.ports, call)
    world.clock.advance(call.max_duration_s + 61)
    with pytest.raises(BadToken):
        attach_agent(world.ports, "relay-1", call.call_id, token)


@pytest.mark.parametrize(
    ("kind", "state", "reason"),
    [
        ("agent_hangup", CallState.ENDED, EndReason.AGENT_HANGUP),
        ("agent_lost", CallState.ENDED, EndReason.AGENT_LOST),
        ("no_agent", CallState.ENDED, EndReason.NO_AGENT),
        ("max_duration", CallState.ENDED, EndReason.MAX_DURATION),
        ("media_lost", CallState.FAILED, EndReason.MEDIA_FAILED),
    ],
)
def test_reports_end_the_call_once_and_hang_up(world, kind, state, reason):
    call = active(world)
    assert (report(world.ports, "relay-1", call.call_id, kind).state) is state
    again = report(world.ports, "relay-1", call.call_id, "agent_hangup")
    assert (again.state, again.end_reason, again.version) == (state, reason, 3)
    assert world.provider.hung_up == [call.provider_call_id]


def test_a_relay_that_lost_the_call_to_another_cannot_end_it(world):
    call = active(world)
    provider_in(world, call, "relay-2")
    for kind in ("media_lost", "agent_lost", "watch"):
        with pytest.raises(OwnedElsewhere, match="ws://relay-2:8702"):
            report(world.ports, "relay-1", call.call_id, kind)
    assert world.now_of(call) == call
    assert report(world.ports, "relay-2", call.call_id, "watch") == call


def test_what_the_agent_wants_counts_from_any_relay(world):
    call = active(world)
    provider_in(world, call, "relay-2")
    ended = report(world.ports, "relay-1", call.call_id, "agent_hangup")
    assert ended.end_reason is EndReason.AGENT_HANGUP


def test_an_agent_on_the_line_cannot_hang_up_what_still_rings(world):
    call = world.ringing()
    assert report(world.ports, "relay-1", call.call_id, "agent_hangup") == call
    assert world.now_of(call) == call


def test_watching_changes_nothing(world):
    call = active(world)
    assert media.report(world.ports, "relay-1", call.call_id, "watch") == call
    with pytest.raises(UnknownCall):
        media.report(world.ports, "relay-1", "call_none", "watch")
