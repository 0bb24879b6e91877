"""Tests that a connection which is lost during the WebSocket handshake is reported."""

from __future__ import annotations

import asyncio

import pytest
from picows import WSError, WSListener

from runtime.websocket import connect


@pytest.mark.parametrize("reads", [False, True])
async def test_a_server_that_ends_during_the_handshake_is_an_error(reads):
    async def end(reader, writer):
        if reads:
            await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    server = await asyncio.start_server(end, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, asyncio.timeout(5):
        with pytest.raises((WSError, OSError)):
            await connect(WSListener, f"ws://127.0.0.1:{port}/")
