"""Bounds of waiting sockets, and of connections that hold a place without use."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from relay.core.admission import (
    CALLS_REMEMBERED,
    CONNECTS,
    FULL,
    PER_CALL,
    TOO_OFTEN,
    Admission,
    Arrival,
)
from relay.network import server
from tests.unit.relay import raw
from tests.unit.relay.fake_control import AGENT_TOKEN, FakeApplication
from tests.unit.relay.stack import Stack, running

MOST = 8


def test_waiting_streams_have_a_bounded_number_of_places_of_their_own() -> None:
    admission = Admission(agents=MOST, providers=MOST, agents_per_address=MOST)
    for n in range(MOST):
        stream = Arrival("provider", f"call_{n // PER_CALL}", "")
        assert admission.refusal(stream, 0.0, here=False) is None
        admission.enter(stream)
    late = Arrival("provider", "call_9", "")
    assert admission.refusal(late, 0.0, here=False) == FULL
    assert admission.refusal(Arrival("agent", "call_9", ""), 0.0, here=False) is None
    admission.leave(stream)
    assert admission.refusal(late, 0.0, here=False) is None


def test_openings_are_counted_for_a_bounded_number_of_legs() -> None:
    admission = Admission(agents=MOST, providers=MOST, agents_per_address=MOST)

    def opened(call_id: str) -> bool:
        return admission.refusal(Arrival("agent", call_id, ""), 0.0, here=False) != TOO_OFTEN

    while opened("call_first"):
        pass
    for n in range(CALLS_REMEMBERED - 1):
        assert opened(f"call_{n}")
    assert not opened("call_first"), "asking keeps it among the latest"
    for n in range(CALLS_REMEMBERED):
        assert opened(f"other_{n}")
    assert opened("call_first")
    assert len(admission._connects._budgets) == CALLS_REMEMBERED
    assert CONNECTS[0] > PER_CALL


async def test_a_request_with_endless_headers_is_disconnected(stack: Stack) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", stack.port)
    writer.write(b"GET /media/agent/call_1 HTTP/1.1\r\n")
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(4):  # less than a handshake may take
            while not reader.at_eof():
                writer.write(b"X-Long: " + b"a" * 1000 + b"\r\n")
                await writer.drain()
                await asyncio.sleep(0)
    writer.close()
    assert stack.relay._connections.open == 0


async def test_a_peer_that_answers_no_ping_is_disconnected(
    app: FakeApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_PING_S", 0.1)
    async with running(app) as stack:
        await stack.provider()
        path = f"/media/agent/call_1?token={AGENT_TOKEN}"
        async with raw.RawSocket(stack.port, path), asyncio.timeout(5):
            (agent,) = (leg for leg in stack.relay._calls.legs if leg.kind == "agent")
            await agent.transport.wait_disconnected()
