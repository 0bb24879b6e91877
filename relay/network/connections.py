"""The TCP connections that the relay has accepted, bounded in number.

picows takes connections from a listening socket and calls us only once a whole request has come. So
the listening socket is one of ours, whose `accept` counts. If too many connections have not sent
their request yet, the oldest of them is disconnected: an honest client sends its request at once,
and is never the oldest for long.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, TypeVar

from relay.network.source import of_peer

HANDSHAKES = 1024
"""Connections whose request has not come yet."""
HANDSHAKES_PER_ADDRESS = 256
"""Of those, the ones of one address; not bounded behind a proxy, which has few addresses."""
BACKLOG = 128
"""Connections that the kernel queues for us, and that one turn of the event loop accepts."""

current_connection: ContextVar[Connection | None] = ContextVar("current_connection", default=None)
"""The connection that is being read: set when it is accepted, and inherited by all callbacks of its
transport, as the event loop copies the context for each."""


class Connection(socket.socket):
    """An accepted connection."""

    peer = ""
    on_close: Callable[[Connection], None] | None = None

    def close(self) -> None:
        """Close it, and call `on_close`, once."""
        super().close()
        on_close, self.on_close = self.on_close, None
        if on_close is not None:
            on_close(self)

    def disconnect(self) -> None:
        """Have its transport close it, which owns the file descriptor."""
        with suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)


class Connections:
    """The accepted connections of one relay."""

    def __init__(self, limit: int, *, per_address: bool) -> None:
        self.open = 0
        self._limit = limit
        self._per_address = per_address
        self._early: dict[Connection, str] = {}
        """Connections whose request has not come yet, the oldest first, with their addresses."""
        self._early_by_address: dict[str, dict[Connection, None]] = {}

    @property
    def full_for_agents(self) -> bool:
        """Return whether the last places are kept for callers' streams and returning agents."""
        return self.open > self._limit - self._limit // 8

    def add(self, connection: Connection, peer: str) -> bool:
        """Count a new connection, for which an older one may be disconnected. Return False if there
        is no room.
        """
        address = of_peer(peer)
        same_address = self._early_by_address.get(address, {})
        if self._per_address and len(same_address) >= HANDSHAKES_PER_ADDRESS:
            self._disconnect(next(iter(same_address)))
        elif len(self._early) >= HANDSHAKES or (self.open >= self._limit and self._early):
            self._disconnect(next(iter(self._early)))
        elif self.open >= self._limit:
            return False
        connection.peer, connection.on_close = peer, self._closed
        self.open += 1
        self._early[connection] = address
        self._early_by_address.setdefault(address, {})[connection] = None
        return True

    def request_came(self, connection: Connection) -> None:
        """Note that the connection's request has come."""
        self._remove_early(connection)

    def _remove_early(self, connection: Connection) -> None:
        address = self._early.pop(connection, None)
        if address is not None:
            same_address = self._early_by_address[address]
            del same_address[connection]
            if not same_address:
                del self._early_by_address[address]

    def _disconnect(self, connection: Connection) -> None:
        self._remove_early(connection)
        connection.disconnect()

    def _closed(self, connection: Connection) -> None:
        self._remove_early(connection)
        self.open -= 1


_Socket = TypeVar("_Socket", bound=socket.socket)


class Listener(socket.socket):
    """A listening socket that accepts as many connections as there is room for."""

    connections: Connections
    shared = False
    """True if other processes accept from it, too. Then one connection is accepted at a time, so
    that a burst is divided."""
    _has_accepted = False

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection. ConnectionAbortedError, which event loops ignore: no room.
        BlockingIOError: the others may accept first.
        """
        if self.shared and self._has_accepted:
            self._has_accepted = False
            raise BlockingIOError
        accepted, address = super().accept()
        self._has_accepted = True
        connection = Connection(self.family, self.type, self.proto, fileno=accepted.detach())
        if not self.connections.add(connection, str(address[0])):
            connection.close()
            raise ConnectionAbortedError("too many connections")
        current_connection.set(connection)
        return connection, address


def bound(host: str, port: int, of: type[_Socket]) -> list[_Socket]:
    """Bind a socket of this class to each address of `host`, all to the same port; 0: the system
    chooses it. OSError.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    listeners: list[_Socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            same_port = listeners[0].getsockname()[1] if listeners else port
            listener = of(family, kind, protocol)
            listeners.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((address[0], same_port, *address[2:]))
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def inherited(files: Sequence[int]) -> list[Listener]:
    """Return the listening sockets behind these descriptors, which other processes have, too."""
    listeners = [Listener(fileno=file) for file in files]
    for listener in listeners:
        listener.shared = True
    return listeners
