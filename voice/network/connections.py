"""The TCP connections of a voice host: bounds their number, and the time for a request on each.

Whoever reaches the port can open connections, signed or not. aiohttp bounds neither their number
nor the time until a request is complete.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

MAX_CONNECTIONS = 512
HANDSHAKE_S = 5.0
"""From a connection to the answer to its request."""


class Connections:
    """The connections of one server."""

    def __init__(self) -> None:
        self._asked: set[asyncio.BaseProtocol] = set()

    def protocol(self, server: web.Server) -> asyncio.BaseProtocol:
        """Return the protocol of a new connection, as `loop.create_server` wants it."""
        if len(server.connections) >= MAX_CONNECTIONS:
            return _Refused()
        protocol = server()
        asyncio.get_running_loop().call_later(HANDSHAKE_S, self._check, protocol)
        return protocol

    async def asked(self, request: web.Request, response: web.StreamResponse) -> None:
        """Note that a request is being answered: aiohttp's signal `on_response_prepare`."""
        self._asked.add(request.protocol)
        if not isinstance(response, web.WebSocketResponse):
            # One request a connection: the head of a second one could come as slowly as it likes.
            response.force_close()
            response.headers["Connection"] = "close"

    def _check(self, protocol: web.RequestHandler) -> None:
        if protocol in self._asked:
            self._asked.discard(protocol)
        elif protocol.transport is not None:
            protocol.transport.abort()


class _Refused(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Disconnect: there are too many."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP has these
        transport.abort()
