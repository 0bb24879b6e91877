"""Two relays and one call: the agent's socket is at one, the caller's stream at the other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from relay.config import Config
from relay.core.admission import PIPED_PER_CALL
from relay.network.control import Control, RetryPolicy
from relay.network.relay_pipe import CONNECT_S
from relay.network.server import Relay
from tests.support.ports import free_port
from tests.unit.relay.fake_control import SECRET, FakeApplication
from tests.unit.relay.stack import TIMEOUTS, Stack, audio, closed, media, message, played

HELLO, REPLY = b"\x11" * 800, b"\x22" * 800
Start = Callable[[str], Awaitable[Stack]]


@pytest.fixture
async def relay_of(app: FakeApplication) -> AsyncIterator[Start]:
    """Starts a relay of a name: `a = await relay_of("a")`. All relays ask one application, which
    knows the owner of the stream.
    """
    app.owns = True
    async with AsyncExitStack() as running:

        async def start(name: str) -> Stack:
            port = free_port()
            config = Config(
                control_url=app.url,
                control_secret=SECRET,
                port=port,
                relay_id=name,
                relay_url=f"ws://127.0.0.1:{port}",
                public_url="wss://relay.example",
                drain_s=0.1,
                timeouts=TIMEOUTS,
            )
            retries = RetryPolicy(timeout=1, pauses=(0.01, 0.01))
            control = await running.enter_async_context(Control(config, retries))
            stack = Stack(app, Relay(config, control))
            stack.port = await stack.relay.start()
            running.push_async_callback(stack.relay.drain)
            await running.enter_async_context(stack.closing)
            return stack

        yield start


async def both_hear(provider: ClientConnection, agent: ClientConnection) -> None:
    await provider.send(media(HELLO))
    assert HELLO[:160] in await audio(agent, 160)
    await agent.send(REPLY)
    assert REPLY[:160] in await played(provider, 800)


async def test_an_agent_at_another_relay_hears_and_is_heard(relay_of: Start) -> None:
    near, far = await relay_of("a"), await relay_of("b")
    provider = await near.provider()
    agent = await far.agent()
    start = await message(agent)
    assert (start["type"], start["audio"]["format"]) == ("start", "mulaw")
    await both_hear(provider, agent)
    await agent.send('{"type":"mark","name":"after"}')
    said = json.loads(await provider.recv())
    while said["event"] != "mark":
        said = json.loads(await provider.recv())
    await provider.send(json.dumps(said))
    assert await message(agent, "mark") == {"type": "mark", "name": "after", "played": True}
    far.app.end("caller_hangup")
    await provider.close()
    assert (await message(agent, "stop"))["reason"] == "caller_hangup"
    assert (await closed(agent))[0] == 1000
    assert far.relay.counters.legs["agent"] == 0


async def test_a_twilio_agent_at_another_relay_is_piped_to_the_owner(relay_of: Start) -> None:
    near, far = await relay_of("a"), await relay_of("b")
    await near.provider()
    agent = await far.agent("dialect=twilio")
    assert [(await message(agent))["event"] for _ in range(2)] == ["connected", "start"]


async def test_a_waiting_agent_is_piped_to_the_relay_that_gets_the_stream(
    relay_of: Start,
) -> None:
    """It may connect while the call rings, before it is known where the stream will come in."""
    first, other = await relay_of("a"), await relay_of("b")
    agent = await first.agent()
    await agent.send('{"type":"mark","name":"early"}')
    await first.app.reported("watch")
    provider = await other.provider()
    assert (await message(agent, "start"))["type"] == "start"
    await both_hear(provider, agent)


async def test_an_agent_that_wants_a_free_call_is_refused_through_the_pipe(
    relay_of: Start,
) -> None:
    near, far = await relay_of("a"), await relay_of("b")
    provider, talking = await near.both()
    assert await closed(await far.agent("format=mulaw&if_free=1")) == (
        4411,
        "another agent has the call",
    )
    await both_hear(provider, talking)


async def test_when_the_stream_moves_an_agent_that_found_the_call_free_keeps_it(
    relay_of: Start,
) -> None:
    one, two, three = [await relay_of(name) for name in "abc"]
    provider = await one.provider()
    agent = await two.agent("format=mulaw&if_free=1")
    assert (await message(agent))["type"] == "start"
    await both_hear(provider, agent)
    await provider.close()
    moved = await three.provider()
    await one.relay.drain()
    await both_hear(moved, agent)


async def test_when_the_stream_moves_the_agents_socket_stays(relay_of: Start) -> None:
    one, two, three = [await relay_of(name) for name in "abc"]
    provider = await one.provider()
    agent = await two.agent()
    assert (await message(agent))["type"] == "start"
    await both_hear(provider, agent)
    await provider.close()
    moved = await three.provider()
    await one.relay.drain()
    await moved.send(media(HELLO))
    assert HELLO[:160] in await audio(agent, 160)
    await both_hear(moved, agent)


async def test_when_the_stream_moves_to_the_agents_relay_the_pipe_ends(
    relay_of: Start,
) -> None:
    one, two = await relay_of("a"), await relay_of("b")
    provider = await one.provider()
    agent = await two.agent()
    assert (await message(agent))["type"] == "start"
    await both_hear(provider, agent)
    await provider.close()
    moved = await two.provider()
    await both_hear(moved, agent)
    two.app.end("caller_hangup")
    await moved.close()
    assert (await message(agent))["type"] == "stop"  # and no other `start` before it


async def test_an_agent_of_an_owner_that_hangs_hears_the_stream_that_comes_to_its_relay(
    relay_of: Start, app: FakeApplication
) -> None:
    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()  # no handshake: the kernel takes connections, and nobody answers

    far = await relay_of("b")
    async with await asyncio.start_server(hang, "127.0.0.1", 0) as owner:
        app.owner = "a", f"ws://127.0.0.1:{owner.sockets[0].getsockname()[1]}"
        agent = await far.agent()
        began = asyncio.get_running_loop().time()
        provider = await far.provider()
        assert (await message(agent))["type"] == "start"
        await both_hear(provider, agent)
    assert asyncio.get_running_loop().time() - began < CONNECT_S


async def test_an_agent_whose_owner_is_gone_is_closed_after_the_time_it_may_be_away(
    relay_of: Start, app: FakeApplication
) -> None:
    far = await relay_of("b")
    app.owner = "dead", f"ws://127.0.0.1:{free_port()}"
    assert (await closed(await far.agent()))[0] == 1013


async def test_a_piped_agent_is_not_piped_further(relay_of: Start, app: FakeApplication) -> None:
    """Each relay takes the other for the owner."""
    one, two = await relay_of("a"), await relay_of("b")
    app.owner = "c", f"ws://127.0.0.1:{one.port}"
    assert (await closed(await two.agent()))[0] == 1013
    asked = [attach["relay"] for attach in app.attaches]
    assert set(asked) == {"a", "b"}
    assert len(asked) < 20


async def test_a_wrong_token_is_refused_at_every_relay(relay_of: Start) -> None:
    near, far = await relay_of("a"), await relay_of("b")
    await near.provider()
    for relay in (near, far):
        with pytest.raises(InvalidStatus, match="401"):
            await relay.open("/media/agent/call_1?token=wrong")


async def test_a_bounded_number_of_a_calls_sockets_is_piped(relay_of: Start) -> None:
    near, far = await relay_of("a"), await relay_of("b")
    provider, _ = await near.both()
    # The owner is not reached, so that piped agents go on waiting.
    assert near.app.owner is not None
    near.app.owner = near.app.owner[0], f"ws://127.0.0.1:{free_port()}"
    waiting = [await far.agent() for _ in range(PIPED_PER_CALL)]
    refused = await far.agent()
    assert (await closed(refused))[0] == 1013
    assert [agent.close_code for agent in waiting] == [None] * PIPED_PER_CALL
    for agent in waiting:
        await agent.close()
    near.app.owner = "a", f"ws://127.0.0.1:{near.port}"
    again = await far.agent()
    assert (await message(again))["type"] == "start"
    await both_hear(provider, again)


async def test_the_owner_reports_that_a_piped_agent_is_gone(relay_of: Start) -> None:
    near, far = await relay_of("a"), await relay_of("b")
    await near.provider()
    agent = await far.agent()
    assert (await message(agent))["type"] == "start"
    await agent.close()
    assert await near.app.reported("agent_lost") == "agent_lost"
    async with asyncio.timeout(5):
        while near.relay.counters.legs["agent"]:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
