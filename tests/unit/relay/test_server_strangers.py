"""Bounds of sockets and connections, on real sockets: whatever strangers and other tenants take, a
caller's stream and its agent are admitted.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
from picows import WSMsgType
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from relay.core import closing_sockets
from relay.core.admission import CONNECTS, PER_CALL
from relay.network import connections, server
from tests.unit.relay import raw
from tests.unit.relay.conftest import MAX_WAITING
from tests.unit.relay.fake_control import AGENT_TOKEN, FakeApplication, agent_token
from tests.unit.relay.stack import Stack, audio, closed, media, message, played, running

CLIENTS = 230
FORGED = agent_token("call_x", secret="a guess")


async def talk(stack: Stack, source: str = "203.0.113.9") -> None:
    """Connect a caller's stream and its agent, which hear each other."""
    provider = await stack.provider()
    agent = await stack.agent(additional_headers={"X-Forwarded-For": source})
    assert (await message(agent))["type"] == "start"
    await hear_each_other(provider, agent)


async def hear_each_other(provider: ClientConnection, agent: ClientConnection) -> None:
    await provider.send(media(b"\x01" * 160))
    assert await audio(agent, 160) == b"\x01" * 160
    await agent.send(b"\x02" * 160)
    assert await played(provider, 160) == b"\x02" * 160


async def knock(stack: Stack, path: str) -> asyncio.StreamReader:
    """Ask for an upgrade and then neither read nor close."""
    reader, writer = await asyncio.open_connection("127.0.0.1", stack.port, limit=64)
    stack.closing.callback(writer.close)
    writer.write(raw.request(path))
    return reader


async def attempt(stack: Stack, token: str, call_id: str, source: str = "") -> int:
    """Open an agent's socket and leave it: 101, or the status of the refusal."""
    headers = {"X-Forwarded-For": source} if source else None
    path = f"/media/agent/{call_id}?token={token}"
    try:
        await stack.open(path, additional_headers=headers)
    except InvalidStatus as refused:
        return refused.response.status_code
    return 101


async def status_of(stack: Stack, path: str) -> int:
    with pytest.raises(InvalidStatus) as refused:
        await stack.open(path)
    return refused.value.response.status_code


# Tokens


@pytest.mark.parametrize("query", ["", "?token=junk", f"?token={FORGED}"])
async def test_clients_without_a_good_token_take_no_places(stack: Stack, query: str) -> None:
    for _ in range(CLIENTS):
        await knock(stack, f"/media/agent/call_x{query}")
    await talk(stack)
    admission = stack.relay._calls.admission
    assert admission.waiting("agent") == admission.waiting("provider") == 0
    assert stack.relay._connections.open == 2
    refused = stack.relay.counters.refused
    assert refused["agent", "bad_token"] == CLIENTS


async def test_forged_tokens_of_providers_take_no_places(stack: Stack) -> None:
    for _ in range(CLIENTS):
        await knock(stack, f"/media/provider/{FORGED}")
    await talk(stack)
    assert len(stack.app.attaches) == 2


# Tenants, with good tokens of calls of their own


@pytest.fixture
async def proxied(app: FakeApplication) -> AsyncIterator[Stack]:
    """A relay that believes a proxy where requests come from."""
    async with running(
        app, max_waiting=40, max_waiting_address=MAX_WAITING, behind_proxy=True
    ) as stack:
        yield stack


async def test_each_call_has_a_bound_of_waiting_sockets(stack: Stack) -> None:
    stack.app.stalled = {"call_2"}
    token = agent_token("call_2")
    got = [await attempt(stack, token, "call_2") for _ in range(CLIENTS)]
    assert got.count(101) == PER_CALL
    assert set(got[PER_CALL:]) == {429}
    await talk(stack)


async def test_each_address_has_a_bound_of_waiting_sockets(
    proxied: Stack,
) -> None:
    calls = [f"call_{n}" for n in range(2, 22)]
    proxied.app.stalled = set(calls)
    got = [
        # What a client writes there itself comes before what the proxy adds.
        await attempt(proxied, agent_token(call), call, f"10.0.0.{n}, 198.51.100.7")
        for n in range(PER_CALL)
        for call in calls
    ]
    assert got.count(101) == MAX_WAITING
    assert set(got[MAX_WAITING:]) == {429}
    await talk(proxied)


async def test_agents_cannot_fill_the_places_of_providers_and_returning_agents(
    proxied: Stack,
) -> None:
    provider = await proxied.provider()
    agent = await proxied.agent()
    assert (await message(agent))["resumed"] is False
    calls = [f"call_{n}" for n in range(2, 22)]
    proxied.app.stalled = set(calls)
    for n in range(PER_CALL):
        for call in calls:
            await attempt(proxied, agent_token(call), call, f"192.0.2.{n}")
    assert proxied.relay._calls.admission.waiting("agent") == 40
    new = agent_token("call_99")
    assert await attempt(proxied, new, "call_99", "203.0.113.1") == 503
    await provider.close()
    provider = await proxied.provider()
    again = await proxied.agent()
    assert (await message(again))["resumed"] is True
    await hear_each_other(provider, again)
    assert (await closed(agent))[0] == 4409


async def test_a_call_that_opens_endless_sockets_is_slowed_down(stack: Stack) -> None:
    await stack.provider()
    at_once = int(CONNECTS[0])
    got = [await attempt(stack, AGENT_TOKEN, "call_1") for _ in range(at_once + 5)]
    assert got[:at_once] == [101] * at_once
    assert 429 in got[at_once:]
    assert len(stack.app.attaches) < at_once + 4


async def test_refused_and_closed_sockets_free_their_place_at_once(stack: Stack) -> None:
    stack.app.gate.clear()
    admission = stack.relay._calls.admission
    gone = [await stack.agent() for _ in range(PER_CALL)]
    assert admission.waiting("agent") == PER_CALL
    for agent in gone:
        await agent.close()
    async with raw.RawSocket(stack.port, f"/media/agent/call_1?token={AGENT_TOKEN}") as silent:
        silent.send(raw.TEXT, b"x" * 5000)
        assert await silent.closed() == 1008
        # It has not answered CLOSE, and waits no more.
        assert admission.waiting("agent") == 0
        assert len(stack.relay._calls.closing) == 1


# Sockets that are being closed


async def no_agents(stack: Stack) -> None:
    """Wait until the relay has no agent's socket."""
    async with asyncio.timeout(5):
        for leg in [leg for leg in stack.relay._calls.legs if leg.kind == "agent"]:
            await leg.transport.wait_disconnected()


async def test_sockets_that_never_answer_close_are_bounded(
    app: FakeApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing_sockets, "AT_ONCE", 5)
    async with running(app, behind_proxy=True) as stack:
        for n in range(40):
            call = f"call_{n + 100}"
            reader = await knock(
                stack, f"/media/agent/{call}?format=opus&token={agent_token(call)}"
            )
            async with asyncio.timeout(5):
                assert b" 101 " in await reader.readuntil(b"\r\n")
        assert 0 < len(stack.relay._calls.closing) <= 5
        assert stack.relay.counters.legs["agent"] <= 6
        await talk(stack)


async def test_a_closing_socket_that_never_reads_is_disconnected(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing_sockets, "GRACE_S", 0.1)
    await stack.provider()
    async with raw.RawSocket(stack.port, f"/media/agent/call_1?token={AGENT_TOKEN}") as agent:
        await agent.receive()
        (leg,) = (leg for leg in stack.relay._calls.legs if leg.kind == "agent")
        while not leg.choked:
            leg.transport.send(WSMsgType.BINARY, bytes(100_000))
        agent.send(raw.CLOSE, (1000).to_bytes(2, "big"))
        await no_agents(stack)
    assert len(stack.relay._calls.closing) == 0


# TCP connections


async def test_connections_without_a_request_are_bounded_for_each_address(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HANDSHAKES_PER_ADDRESS", 16)
    silent = []
    for _ in range(CLIENTS):
        reader, writer = await asyncio.open_connection("127.0.0.1", stack.port)
        stack.closing.callback(writer.close)
        writer.write(b"GET /media/agent/call_x HTTP/1.1\r\nHost: x\r\n")
        silent.append(reader)
    async with asyncio.timeout(5):
        assert await silent[0].read() == b"", "the first is dropped"
    await talk(stack)
    assert stack.relay._connections.open <= 16 + 2


async def test_connections_without_a_request_are_bounded_in_all(
    app: FakeApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HANDSHAKES", 16)
    async with running(app, behind_proxy=True) as stack:
        for _ in range(CLIENTS):
            _, writer = await asyncio.open_connection("127.0.0.1", stack.port)
            stack.closing.callback(writer.close)
        await talk(stack)
        assert stack.relay._connections.open <= 16 + 2


async def test_a_slow_request_is_disconnected(
    app: FakeApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HANDSHAKE_S", 0.3)
    async with running(app) as stack:
        reader, writer = await asyncio.open_connection("127.0.0.1", stack.port)
        gone = asyncio.ensure_future(reader.read())
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionError):
                while not gone.done():
                    writer.write(b"G")
                    await asyncio.sleep(0.02)
        writer.close()
        assert stack.relay._connections.open == 0


async def test_the_last_connections_are_kept_for_streams_and_returning_agents(
    app: FakeApplication,
) -> None:
    async with running(app, max_connections=16) as stack:
        provider = await stack.provider()
        for n in range(2, 15):
            call = f"call_{n}"
            stack.app.stalled.add(call)
            assert await attempt(stack, agent_token(call), call) == 101
        stranger = agent_token("call_99")
        assert await attempt(stack, stranger, "call_99") == 503
        again = await stack.provider()
        agent = await stack.agent()
        assert (await message(agent))["type"] == "start"
        await hear_each_other(again, agent)
        assert (await closed(provider))[0] == 1000


async def test_new_connections_are_refused_when_all_are_taken(
    app: FakeApplication,
) -> None:
    async with running(app, max_connections=2) as stack:
        provider, agent = await stack.both()
        for _ in range(20):
            with socket.socket() as late:
                late.setblocking(False)
                await asyncio.get_running_loop().sock_connect(late, ("127.0.0.1", stack.port))
                assert await asyncio.get_running_loop().sock_recv(late, 1) == b""
        await hear_each_other(provider, agent)
        assert stack.relay._connections.open == 2
