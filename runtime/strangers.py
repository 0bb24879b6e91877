"""Limits on the HTTP connections that strangers can hold: in all, for one address, and in time.

A connection is unknown until it has carried a request with good credentials: a password, a ticket,
a signature. The number of unknown connections is limited: a new one beyond the limit closes the
oldest, because a client with credentials shows them at once, while one without them stays. aiohttp
closes connections that do not send a whole request head in time; this module closes those that do
not read their answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, OrderedDict
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

MAX_UNKNOWN = 512
"""Limit of connections without credentials, of all addresses."""
MAX_UNKNOWN_PER_SOURCE = 256
"""Limit of connections without credentials, of one address."""
KEEPALIVE_S = 150.0
"""Seconds for a complete request head, and for an idle connection. This is longer than a load
balancer keeps its connections; otherwise it would send requests into closed ones."""
BODY_S = 10.0
"""Seconds for the body of a request."""
UNREAD_S = 15.0
"""Seconds after which a connection is closed whose peer reads nothing of its answer."""
_CHECKS = 3

log = logging.getLogger(__name__)


class Strangers:
    """The connections of one server that have not shown credentials yet, the oldest first."""

    def __init__(
        self, most: int = MAX_UNKNOWN, per_source: int = MAX_UNKNOWN_PER_SOURCE, **patience: float
    ) -> None:
        """`patience` may set `keepalive_s` and `unread_s`."""
        self.keepalive_s = patience.get("keepalive_s", KEEPALIVE_S)
        self.unread_s = patience.get("unread_s", UNREAD_S)
        self._most, self._per_source = most, per_source
        self._unknown: OrderedDict[Connection, str] = OrderedDict()
        self._sources: Counter[str] = Counter()

    def protocol(self, server: web.Server) -> Connection:
        """Return the protocol object of a new connection, for `create_server`."""
        return Connection(self, server)

    def enter(self, connection: Connection, source: str) -> None:
        """Count a new connection. Beyond a limit, close the oldest of its address or of all."""
        if self._sources[source] >= self._per_source:
            self._drop(next(each for each, of in self._unknown.items() if of == source))
        elif len(self._unknown) >= self._most:
            self._drop(next(iter(self._unknown)))
        self._unknown[connection] = source
        self._sources[source] += 1

    def leave(self, connection: Connection) -> None:
        """Stop counting a connection that is gone or known now."""
        source = self._unknown.pop(connection, None)
        if source is not None:
            self._sources[source] -= 1
            if not self._sources[source]:
                del self._sources[source]

    def _drop(self, connection: Connection) -> None:
        self.leave(connection)
        connection.abort()


class Connection(RequestHandler):
    """aiohttp's connection, counted by `Strangers`."""

    __slots__ = ("_is_socket", "_strangers", "_unread_checks", "_watch")

    def __init__(self, strangers: Strangers, server: web.Server) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]
            keepalive_timeout=strangers.keepalive_s,
        )
        self._strangers = strangers
        self._is_socket = False
        self._unread_checks = 0
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Count this connection, which may close an older one."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._strangers.enter(self, peer[0] if peer else "")
        self._look_again()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop counting this connection."""
        self._strangers.leave(self)
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def known(self) -> None:
        """Count this connection as known: it has carried credentials."""
        self._strangers.leave(self)

    def is_socket(self) -> None:
        """End the watch on unread answers: a WebSocket has its own heartbeat."""
        self._is_socket = True

    def abort(self) -> None:
        """End the connection at once, even if data waits to be sent."""
        if self.transport is not None:
            self.transport.abort()

    def _look_again(self) -> None:
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(self._strangers.unread_s / _CHECKS, self._look)

    def _look(self) -> None:
        if self._is_socket or self.transport is None:
            return
        unread = self.transport.get_write_buffer_size() > 0
        self._unread_checks = self._unread_checks + 1 if unread else 0
        if self._unread_checks >= _CHECKS:
            log.warning("a peer does not read its answer and is given up")
            self.abort()
        else:
            self._look_again()


def note_known(request: web.Request) -> None:
    """Mark the request's connection as one of a client with credentials."""
    if isinstance(request.protocol, Connection):
        request.protocol.known()


def note_socket(request: web.Request) -> None:
    """Mark the request's connection as a WebSocket."""
    if isinstance(request.protocol, Connection):
        request.protocol.is_socket()
