"""Bounds of what sockets may send before and after admission, on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from relay.network.agent_leg import EARLY_AUDIO
from relay.network.leg import EARLY_BYTES, EARLY_MESSAGE
from tests.unit.relay import raw
from tests.unit.relay.fake_control import AGENT_TOKEN, PROVIDER_TOKEN
from tests.unit.relay.stack import START, Stack, audio, closed, media, message, played

PATHS = {
    "agent": f"/media/agent/call_1?token={AGENT_TOKEN}&format=mulaw",
    "provider": f"/media/provider/{PROVIDER_TOKEN}",
}


@pytest.fixture(params=["agent", "provider"])
async def waiting(stack: Stack, request: pytest.FixtureRequest) -> ClientConnection:
    """A socket of either kind that the application has not let in yet."""
    stack.app.gate.clear()
    return await stack.open(PATHS[request.param])


# Before a socket is let in


async def test_a_long_message_before_admission_closes_the_socket(waiting: ClientConnection) -> None:
    await waiting.send("x" * EARLY_MESSAGE)
    await waiting.send("x" * (EARLY_MESSAGE + 1))
    assert (await closed(waiting))[0] == 1008


async def test_a_long_binary_message_of_a_provider_before_admission_closes_the_socket(
    stack: Stack,
) -> None:
    stack.app.gate.clear()
    provider = await stack.open(PATHS["provider"])
    await provider.send(bytes(EARLY_MESSAGE + 1))
    assert (await closed(provider))[0] == 1008


async def test_an_agent_that_greets_too_early_is_told_and_stays(stack: Stack) -> None:
    provider = await stack.provider()
    stack.app.gate.clear()
    agent = await stack.open(PATHS["agent"] + "&format=mulaw")
    await agent.send(b"\x01" * 800_000)
    stack.app.gate.set()
    await message(agent, "start")
    told = await message(agent, "dropped")
    assert (told["why"], told["ms"]) == ("no_stream", 100_000)
    await agent.send(b"\x02" * 160)
    assert await played(provider, 160) == b"\x02" * 160


async def test_endless_audio_before_admission_closes_the_socket(stack: Stack) -> None:
    stack.app.gate.clear()
    agent = await stack.open(PATHS["agent"])
    with contextlib.suppress(ConnectionClosed):
        for _ in range(EARLY_AUDIO // 1_000_000 + 1):
            await agent.send(bytes(1_000_000))
    assert (await closed(agent))[0] == 1008


async def test_a_long_message_in_fragments_before_admission_closes_the_socket(
    waiting: ClientConnection,
) -> None:
    with contextlib.suppress(ConnectionClosed):
        await waiting.send([bytes(EARLY_MESSAGE // 2)] * 3)
    assert (await closed(waiting))[0] == 1008


@pytest.mark.parametrize("size", [0, 100, EARLY_MESSAGE])
async def test_too_many_messages_before_admission_close_the_socket(
    waiting: ClientConnection, size: int
) -> None:
    with contextlib.suppress(ConnectionClosed):
        for _ in range(2 * EARLY_BYTES // max(size, 32)):
            await waiting.send("x" * size)
    assert (await closed(waiting))[0] == 1008


async def test_too_many_pings_before_admission_close_the_socket(waiting: ClientConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        for n in range(2 * EARLY_BYTES // 100):
            await waiting.ping(n.to_bytes(100))
    assert (await closed(waiting))[0] == 1008


async def test_a_stream_in_real_time_stays_open_while_the_application_is_slow(stack: Stack) -> None:
    agent = await stack.agent()
    stack.app.gate.clear()
    provider = await stack.provider()
    for part in (16, 8, 8):
        for _ in range(part):
            await provider.send(media(b"\x01" * 2800))
        await asyncio.sleep(0.8)
    stack.app.gate.set()
    await message(agent, "start")
    await audio(agent, 2800)
    await provider.send(media(b"\x02" * 160))
    while b"\x02" not in await audio(agent, 1):
        pass


async def test_long_messages_are_accepted_after_admission(stack: Stack) -> None:
    provider, agent = await stack.both()
    await agent.send(bytes(EARLY_BYTES * 2))
    assert await played(provider, EARLY_BYTES * 2) == bytes(EARLY_BYTES * 2)


# Order


async def test_an_agent_that_was_admitted_late_does_not_replace_its_successor(stack: Stack) -> None:
    provider = await stack.provider()
    late = stack.app.hold("agent")
    older = await stack.agent()
    await asyncio.wait_for(late.came.wait(), 5)
    newer = await stack.agent()
    assert (await message(newer))["resumed"] is False
    late.go_on.set()
    assert await closed(older) == (4409, "a newer connection is here")
    await provider.send(media(b"\x01" * 160))
    assert await audio(newer, 160) == b"\x01" * 160


async def test_a_stream_that_was_admitted_late_does_not_replace_its_successor(stack: Stack) -> None:
    late = stack.app.hold("provider")
    older = await stack.provider()
    await asyncio.wait_for(late.came.wait(), 5)
    newer, agent = await stack.both()
    late.go_on.set()
    assert await closed(older) == (1000, "a newer stream is here")
    await agent.send(b"\x01" * 160)
    assert await played(newer, 160) == b"\x01" * 160


async def test_a_stream_with_a_late_start_does_not_replace_its_successor(stack: Stack) -> None:
    older = await stack.provider(start=None)
    await asyncio.sleep(0.05)
    newer, agent = await stack.both()
    await older.send(json.dumps(START))
    assert (await closed(older))[0] == 1000
    await agent.send(b"\x01" * 160)
    assert await played(newer, 160) == b"\x01" * 160


async def test_a_socket_that_is_closing_is_not_admitted(stack: Stack) -> None:
    provider, agent = await stack.both()
    late = stack.app.hold("agent")
    async with raw.RawSocket(stack.port, PATHS["agent"]) as closing:
        closing.send(raw.TEXT, b"x" * (EARLY_MESSAGE + 1))
        assert await closing.closed() == 1008
        late.go_on.set()
        await asyncio.sleep(0.1)
        await provider.send(media(b"\x01" * 160))
        assert await audio(agent, 160) == b"\x01" * 160
        assert agent.close_code is None


# What ends a call


@pytest.mark.parametrize("kind", ["watch", "agent_lost", "no_agent", "media_lost"])
async def test_a_call_that_another_relay_holds_is_closed_here(stack: Stack, kind: str) -> None:
    provider = await stack.provider()
    agent = None if kind == "no_agent" else await stack.agent()
    stack.app.accepted_reports = frozenset(("watch", "agent_lost", "no_agent", "media_lost")) - {
        kind
    }
    stack.app.refuse_reports = "owned_elsewhere"
    if agent is not None:
        assert (await message(agent))["type"] == "start"
        await (agent if kind == "agent_lost" else provider).close()
    await stack.app.reported(kind)
    left = provider if kind in ("agent_lost", "no_agent") else agent
    assert left is not None
    assert (await closed(left))[0] == 1013


async def test_a_hang_up_ends_the_call_even_if_other_reports_are_refused(stack: Stack) -> None:
    stack.app.refuse_reports = "owned_elsewhere"
    stack.app.accepted_reports = frozenset(("agent_hangup",))
    stack.app.endings["agent_hangup"] = "agent_hangup"
    provider, agent = await stack.both()
    await agent.send('{"type":"hangup"}')
    assert await message(agent) == {"type": "stop", "reason": "agent_hangup", "state": "ended"}
    assert (await closed(agent))[0] == (await closed(provider))[0] == 1000
    assert "chamade_relay_calls 0.0" in (await stack.get("/metrics"))[1]


# What an agent may cost


async def test_an_agent_that_sends_endless_audio_is_read_less_often(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.core.agent_to_caller.UNHEARD", (600.0, 1000.0))
    provider, agent = await stack.both()
    began = time.monotonic()
    for _ in range(20):
        await agent.send(bytes(1 << 20))
    await agent.send('{"type":"mark","name":"end"}')
    await provider.send(media(b"\x01" * 160))
    assert await audio(agent, 160) == b"\x01" * 160, "what it hears is not held up"
    while (await message(provider))["event"] != "mark":
        pass
    # 20 MiB are 2600 s of audio; 300 s are queued, 600 s may be wasted at once.
    assert 0.5 < time.monotonic() - began < 5  # read without a pause it takes a tenth of a second
    assert agent.close_code is None


async def test_endless_empty_fragments_close_the_socket(stack: Stack) -> None:
    await stack.provider()
    async with raw.RawSocket(stack.port, PATHS["agent"]) as agent:
        assert (await agent.receive())[0] == raw.TEXT
        agent.send(raw.BINARY, b"", fin=False)
        for _ in range(40_000):
            agent.send(raw.CONTINUATION, b"", fin=False)
        assert await agent.closed() == 1009
