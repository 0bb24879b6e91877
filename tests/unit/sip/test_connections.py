"""Bounds of TCP connections: how many, how long they may be silent, and how much waits for one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.sip.agent import UserAgent
from gateway.sip.network import connection, endpoint
from gateway.sip.network.connection import MAX_UNSENT, Connection
from gateway.sip.network.endpoint import Endpoint
from gateway.sip.syntax.framing import PING, PONG

PATIENCE = 5.0


@pytest.fixture
async def listening() -> AsyncIterator[Endpoint]:
    """An endpoint on loopback."""
    found = Endpoint(UserAgent(), lambda event: None)
    await found.start("127.0.0.1", 0)
    yield found
    found.stop()


async def connect(to: Endpoint) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*to.local)


async def is_answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Return whether a keep-alive is answered; False if the connection is closed."""
    try:
        async with asyncio.timeout(PATIENCE):
            writer.write(PING)
            return await reader.read(2) == PONG
    except ConnectionError:
        return False


async def test_connections_beyond_the_bound_are_closed_at_once(
    listening: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "MAX_CONNECTIONS", 2)
    first, second = await connect(listening), await connect(listening)
    assert await is_answered(*first)
    assert await is_answered(*second)
    assert not await is_answered(*await connect(listening))
    assert listening.counts["too many connections"] == 1
    assert await is_answered(*first)


async def test_a_connection_that_is_silent_for_too_long_is_closed(
    listening: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = await connect(listening)
    assert await is_answered(*kept)
    monkeypatch.setattr(connection, "SPEAKS_WITHIN", 0.0)
    reader, _ = await connect(listening)
    async with asyncio.timeout(PATIENCE):
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
    assert await is_answered(*kept)


class Pipe(asyncio.Transport):
    """A connection to a peer that does not read."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.9", 5060), "sockname": ("192.0.2.1", 5060)})
        self.unsent = 0
        self.aborted = False

    def write(self, data: Any) -> None:
        self.unsent += len(data)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


async def test_a_peer_that_does_not_read_loses_its_connection(listening: Endpoint) -> None:
    pipe, line = Pipe(), Connection(listening, "TCP", incoming=True)
    line.connection_made(pipe)
    line.send(bytes(MAX_UNSENT))
    assert not pipe.aborted
    line.send(b"1")
    assert pipe.aborted
    assert listening.counts["peer does not read"] == 1
    line.send(b"2")
    assert pipe.unsent == MAX_UNSENT + 1
    line.connection_lost(None)
