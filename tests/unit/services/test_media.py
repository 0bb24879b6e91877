"""Tests of relays' attaches and reports, and of their effects on a call."""

from __future__ import annotations

import pytest

from chalicelib.domain.call_transitions import Act, CallState, EndReason
from chalicelib.providers.base import Connect
from chalicelib.services.call import inbound, instructions, media, streams
from chalicelib.services.call.media import (
    BadToken,
    CallOver,
    NotActive,
    OwnedElsewhere,
    attach_agent,
    attach_provider,
    audio_token,
    report,
)
from chalicelib.services.call.transition import UnknownCall, settle
from chalicelib.store.call_media import Relay

URL = "ws://relay.test/media/provider/x"


def active(world):
    return settle(world.deps, world.ringing(), Act.ANSWER)


def provider_in(world, call, relay="relay-1"):
    who = Relay(relay, f"ws://{relay}:8702")
    return attach_provider(
        world.deps, who, instructions.provider_token(world.deps, call), URL, "good"
    )


def test_the_relay_with_the_providers_stream_owns_the_call(world):
    call = active(world)
    assert provider_in(world, call).owner == "relay-1"
    token, _ = audio_token(world.deps, call)
    assert attach_agent(world.deps, "relay-1", call.call_id, token).owner == "relay-1"
    with pytest.raises(OwnedElsewhere) as elsewhere:
        attach_agent(world.deps, "relay-2", call.call_id, token)
    assert elsewhere.value.relay_url == "ws://relay-1:8702"


def test_a_new_stream_moves_the_call_to_its_relay(world):
    call = active(world)
    provider_in(world, call, "relay-1")
    provider_in(world, call, "relay-2")
    token, _ = audio_token(world.deps, call)
    assert attach_agent(world.deps, "relay-2", call.call_id, token).owner == "relay-2"


def test_the_owner_of_the_account_is_told_when_the_audio_moves_to_another_relay(world):
    call = active(world)
    for relay in ("relay-1", "relay-1", "relay-2", "relay-2", "relay-1"):
        provider_in(world, call, relay)
        world.clock.advance(1)
    assert world.events().count("call.media_moved") == 2


def test_a_stream_that_lasted_resets_the_count_of_broken_ones(world):
    call = active(world)
    for _ in range(streams.MAX_STREAMS):
        inbound.resume(world.deps, "gateway", call.provider_call_id)
    provider_in(world, call)
    world.clock.advance(streams.LASTING_MS / 1000)
    again = inbound.resume(world.deps, "gateway", call.provider_call_id)
    assert again == Connect(instructions.provider_token(world.deps, call), 0)


def test_streams_that_break_right_after_attaching_end_the_call(world):
    call = active(world)
    for _ in range(streams.MAX_STREAMS):
        inbound.resume(world.deps, "gateway", call.provider_call_id)
        provider_in(world, call)
    assert inbound.resume(world.deps, "gateway", call.provider_call_id) == inbound.HangUp()
    assert world.reread(call).end_reason is EndReason.MEDIA_FAILED


def test_the_agent_may_attach_while_the_call_rings(world):
    call = world.ringing()
    token, expires = audio_token(world.deps, call)
    attached = attach_agent(world.deps, "relay-1", call.call_id, token)
    assert (attached.owner, attached.call.state) == (None, CallState.RINGING)
    assert expires > call.ring_deadline // 1000


def test_a_stream_for_a_call_nobody_answered_is_refused(world):
    with pytest.raises(NotActive):
        provider_in(world, world.ringing())


def test_nothing_attaches_to_a_call_that_is_over(world):
    call = settle(world.deps, active(world), Act.AGENT_HANGUP)
    with pytest.raises(CallOver) as over:
        provider_in(world, call)
    assert over.value.call.end_reason is EndReason.AGENT_HANGUP
    token, _ = audio_token(world.deps, call)
    with pytest.raises(CallOver):
        attach_agent(world.deps, "relay-1", call.call_id, token)


@pytest.mark.parametrize("signature", ["bad", None])
def test_a_stream_the_provider_did_not_sign_is_refused(world, signature):
    call = active(world)
    token = instructions.provider_token(world.deps, call)
    with pytest.raises(BadToken):
        attach_provider(world.deps, Relay("relay-1"), token, URL, signature)
    assert world.stores.media.get(call.call_id).relay is None


def test_a_token_opens_only_its_own_leg_and_call(world):
    mine, other = active(world), active(world)
    agents, _ = audio_token(world.deps, mine)
    with pytest.raises(BadToken):
        attach_agent(world.deps, "relay-1", other.call_id, agents)
    with pytest.raises(BadToken):
        attach_agent(
            world.deps, "relay-1", mine.call_id, instructions.provider_token(world.deps, mine)
        )
    with pytest.raises(BadToken):
        attach_provider(world.deps, Relay("relay-1"), agents, URL, "good")
    with pytest.raises(BadToken):
        attach_agent(world.deps, "relay-1", mine.call_id, "made up")


def test_a_token_expires_with_the_longest_possible_call(world):
    call = active(world)
    token, _ = audio_token(world.deps, call)
    world.clock.advance(call.max_duration_s + 61)
    with pytest.raises(BadToken):
        attach_agent(world.deps, "relay-1", call.call_id, token)


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
    assert (report(world.deps, "relay-1", call.call_id, kind).state) is state
    again = report(world.deps, "relay-1", call.call_id, "agent_hangup")
    assert (again.state, again.end_reason, again.version) == (state, reason, 3)
    assert world.provider.hung_up == [call.provider_call_id]


def test_a_relay_that_no_longer_owns_the_call_cannot_end_it(world):
    call = active(world)
    provider_in(world, call, "relay-2")
    for kind in ("media_lost", "agent_lost", "watch"):
        with pytest.raises(OwnedElsewhere, match="ws://relay-2:8702"):
            report(world.deps, "relay-1", call.call_id, kind)
    assert world.reread(call) == call
    assert report(world.deps, "relay-2", call.call_id, "watch") == call


def test_an_agents_hang_up_is_accepted_from_any_relay(world):
    call = active(world)
    provider_in(world, call, "relay-2")
    ended = report(world.deps, "relay-1", call.call_id, "agent_hangup")
    assert ended.end_reason is EndReason.AGENT_HANGUP


def test_an_attached_agent_cannot_hang_up_a_ringing_call(world):
    call = world.ringing()
    assert report(world.deps, "relay-1", call.call_id, "agent_hangup") == call
    assert world.reread(call) == call


def test_a_watch_report_changes_nothing(world):
    call = active(world)
    assert media.report(world.deps, "relay-1", call.call_id, "watch") == call
    with pytest.raises(UnknownCall):
        media.report(world.deps, "relay-1", "call_none", "watch")
