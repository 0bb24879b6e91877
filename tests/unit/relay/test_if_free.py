"""Agents that want a call only if no agent is connected to it."""

from __future__ import annotations

import asyncio

import pytest

from relay.core.interfaces import AgentAddress
from relay.network.handshake import AgentHandshake
from relay.protocol.twilio_dialect import TwilioDialect
from tests.unit.relay.scene import MULAW, RecordingLeg, Scene
from tests.unit.relay.stack import Stack, audio, closed, media, message, played
from tests.unit.relay.twilio_agent import TwilioAgent, talking

TAKEN = 4411, "another agent has the call"
IF_FREE = "format=mulaw&if_free=1"


# The rule


def test_a_call_with_an_agent_is_not_free(live: Scene) -> None:
    newcomer = RecordingLeg(if_free=True)
    assert not live.bridge.agent_joined(newcomer, MULAW, live.now)
    assert newcomer.closed == TAKEN
    assert (newcomer.texts, live.agent.closed) == ([], None)
    live.bridge.caller_audio(b"abc", live.now)
    assert live.agent.audio == [b"abc"]


def test_a_call_whose_dialled_agent_is_connected_is_not_free(scene: Scene) -> None:
    scene.start_stream()
    dialled = RecordingLeg(TwilioDialect(lambda *_: None), dialled=True)
    assert scene.bridge.agent_joined(dialled, MULAW, scene.now)
    newcomer = RecordingLeg(if_free=True)
    assert not scene.bridge.agent_joined(newcomer, MULAW, scene.now)
    assert (newcomer.closed, dialled.closed) == (TAKEN, None)


def test_a_call_whose_agent_is_being_dialled_is_not_free(scene: Scene) -> None:
    scene.bridge.set_agent_address(AgentAddress("wss://agent.example/"))
    scene.start_stream()
    scene.bridge.tick(scene.now)
    newcomer = RecordingLeg(if_free=True)
    assert not scene.bridge.agent_joined(newcomer, MULAW, scene.now)
    scene.join_agent()
    scene.lose_agent()
    assert scene.bridge.agent_joined(RecordingLeg(if_free=True), MULAW, scene.now), "not dialled"


def test_a_call_that_has_lost_its_agent_is_free(live: Scene) -> None:
    live.lose_agent()
    newcomer = RecordingLeg(if_free=True)
    assert live.bridge.agent_joined(newcomer, MULAW, live.now)
    assert newcomer.said()[0]["resumed"] is True
    assert live.wait_without_watches(100) == [], "nobody is away any more"


def test_one_that_took_a_free_call_gives_way_to_an_agent_that_was_on_its_way(live: Scene) -> None:
    on_its_way, newcomer = RecordingLeg(), RecordingLeg(if_free=True)
    live.lose_agent()
    assert live.bridge.agent_joined(newcomer, MULAW, live.now)
    assert live.bridge.agent_joined(on_its_way, MULAW, live.now)
    assert newcomer.closed == (4409, "replaced by a newer connection")


def test_one_that_has_had_its_start_need_not_find_the_call_free_again(live: Scene) -> None:
    piped_before = RecordingLeg(if_free=True)
    piped_before.dialect.started = True
    assert live.bridge.agent_joined(piped_before, MULAW, live.now)
    handshake = AgentHandshake.of("call_1", "t", {"format": "mulaw", "if_free": "1", "token": "t"})
    assert handshake.path(started=False) == "/media/agent/call_1?format=mulaw&if_free=1"
    assert handshake.path(started=True) == "/media/agent/call_1?format=mulaw"


# On sockets


async def test_an_agent_that_starts_while_another_talks_does_not_take_its_call(
    stack: Stack,
) -> None:
    provider, first = await stack.both()
    assert await closed(await stack.agent(IF_FREE)) == TAKEN
    await provider.send(media(b"\x07" * 160))
    assert await audio(first, 160) == b"\x07" * 160
    await first.send(b"\x08" * 160)
    assert await played(provider, 160) == b"\x08" * 160


async def test_an_agent_takes_over_from_one_that_died_and_hears_what_was_said_meanwhile(
    stack: Stack,
) -> None:
    provider, first = await stack.both()
    assert await closed(await stack.agent(IF_FREE)) == TAKEN
    first.transport.abort()
    await gone(stack)
    await provider.send(media(b"\x07" * 160))
    second = await stack.agent(IF_FREE)
    assert (await message(second, "start"))["resumed"] is True
    assert await audio(second, 160) == b"\x07" * 160
    await second.send(b"\x08" * 160)
    assert await played(provider, 160) == b"\x08" * 160
    assert await closed(await stack.agent(IF_FREE)) == TAKEN


async def test_an_agent_that_waits_for_a_ringing_call_has_it(stack: Stack) -> None:
    stack.app.state = "ringing"
    first = await stack.agent()
    await stack.app.reported("watch")
    assert await closed(await stack.agent(IF_FREE)) == TAKEN
    stack.app.state = "active"
    await stack.provider()
    assert (await message(first))["type"] == "start"


@pytest.mark.parametrize("query", [IF_FREE, "dialect=twilio&if_free=1"])
async def test_a_dialled_agent_is_not_thrown_out(
    stack: Stack, agent: TwilioAgent, query: str
) -> None:
    provider, stream = await talking(stack, agent)
    assert await closed(await stack.agent(query)) == TAKEN
    await provider.send(media(b"\x07" * 160))
    assert await stream.heard(160) == b"\x07" * 160


async def gone(stack: Stack) -> None:
    """Wait until the relay knows that the agent is gone."""
    async with asyncio.timeout(5):
        while stack.relay.counters.legs["agent"]:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
