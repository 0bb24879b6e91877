"""Bounds of the local HTTP server: on the number of connections, on the time and bytes of each, and
on the requests that are answered at a time.

Providers and relays (`SIGNED_PATHS`) have room of their own, as they have a function of their own
in AWS. Only its requests show that a connection is a provider's. So a new connection is always
accepted; if there are too many, another one that is not being answered is closed: first those that
never sent a signed request, the oldest first. A client that opens connections and sends nothing, or
too little, loses its own connections and nobody else's.
"""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SIGNED_PATHS = ("/webhooks/", "/media/", "/gateway/")
"""Prefixes of the paths of providers, relays and the gateway."""


@dataclass(frozen=True)
class Bounds:
    """The bounds of all clients together, and of one connection."""

    connections: int = 1024
    api_requests: int = 96
    """Requests of the API at a time, with long polls. Threads of one process share a processor:
    with 300 requests at once a webhook took 9 s."""
    signed_requests: int = 256
    """Requests for `SIGNED_PATHS` at a time."""
    wait_s: float = 2.0
    """Seconds that a request beyond either bound waits for its turn."""
    head_bytes: int = 32 * 1024
    """Bytes of a request line and its headers."""
    body_bytes: int = 1024 * 1024
    """Bytes of a request's body; the application refuses bodies above a quarter of this, with a
    better answer."""
    small_body_bytes: int = 64 * 1024
    large_bodies: int = 32
    """Bodies above `small_body_bytes` that are held at a time. No signed request has one."""
    idle_s: float = 75.0
    """Seconds until the first byte of a request; API Gateway waits about as long."""
    head_s: float = 10.0
    """Seconds from the first byte of a request to the end of its headers."""
    body_s: float = 20.0
    send_s: float = 20.0
    """Seconds in which the client must take an answer."""


class HeadTooLong(Exception):
    """The headers of a request are too long."""


class TimedReader(io.RawIOBase):
    """A socket that is read up to a deadline and up to a number of bytes, however slowly they
    come."""

    def __init__(self, link: socket.socket, now: Callable[[], float] = time.monotonic) -> None:
        self._link, self._now = link, now
        self._until = now()
        self._left = 0
        self._head_s: float | None = None

    def expect_request(self, bounds: Bounds) -> None:
        """Set the bounds of the next request: `idle_s` until it begins, then `head_s` for its
        head."""
        self._until = self._now() + bounds.idle_s
        self._left, self._head_s = bounds.head_bytes, bounds.head_s

    def expect_body(self, size: int, bounds: Bounds) -> None:
        """Set the bounds of a body of this size."""
        self._until = self._now() + bounds.body_s
        # The buffer above this may ask for more than the body.
        self._left, self._head_s = size + io.DEFAULT_BUFFER_SIZE, None

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read the bytes that are available. Raises TimeoutError beyond the deadline, HeadTooLong
        beyond the bytes."""
        wait = self._until - self._now()
        if wait <= 0:
            raise TimeoutError
        if self._left <= 0:
            raise HeadTooLong
        self._link.settimeout(wait)
        size = self._link.recv_into(memoryview(buffer)[: self._left])
        self._left -= size
        if size and self._head_s is not None:
            self._until, self._head_s = self._now() + self._head_s, None
        return size


@dataclass
class _Connection:
    since: float
    answering: bool = False
    signed: bool = False


class Connections:
    """The open connections, never more than `most`."""

    def __init__(self, most: int, now: Callable[[], float] = time.monotonic) -> None:
        self._most, self._now = most, now
        self._open: dict[socket.socket, _Connection] = {}
        self._lock = threading.Lock()

    def add(self, link: socket.socket) -> bool:
        """Count a new connection, closing another if there are too many. Returns False if none can
        be closed."""
        with self._lock:
            while len(self._open) >= self._most:
                if not self._close_one():
                    return False
            self._open[link] = _Connection(self._now())
        return True

    def _close_one(self) -> bool:
        idle = [link for link, each in self._open.items() if not each.answering]
        if not idle:
            return False
        link = min(idle, key=lambda each: (self._open[each].signed, self._open[each].since))
        del self._open[link]
        # The connection's thread waits for a byte or for room to write: this wakes it, and it ends.
        with contextlib.suppress(OSError):
            link.shutdown(socket.SHUT_RDWR)
        return True

    def remove(self, link: socket.socket) -> None:
        """Forget a connection that is closed."""
        with self._lock:
            self._open.pop(link, None)

    def mark_signed(self, link: socket.socket) -> None:
        """Remember that a request with a valid signature came over this connection."""
        with self._lock:
            if found := self._open.get(link):
                found.signed = True

    @contextmanager
    def answering(self, link: socket.socket) -> Iterator[None]:
        """Keep a connection open while its request is answered."""
        self._mark(link, answering=True)
        try:
            yield
        finally:
            self._mark(link, answering=False)

    def _mark(self, link: socket.socket, *, answering: bool) -> None:
        with self._lock:
            if found := self._open.get(link):
                found.answering, found.since = answering, self._now()

    def __len__(self) -> int:
        with self._lock:
            return len(self._open)


class Rooms:
    """The limits on what is handled at a time: API requests, signed requests, large bodies."""

    def __init__(self, bounds: Bounds) -> None:
        self._wait_s = bounds.wait_s
        self._api = threading.BoundedSemaphore(bounds.api_requests)
        self._signed = threading.BoundedSemaphore(bounds.signed_requests)
        self._large = threading.BoundedSemaphore(bounds.large_bodies)
        self._small_body = bounds.small_body_bytes

    @contextmanager
    def turn(self, path: str) -> Iterator[bool]:
        """Take a turn to answer a request for `path`. Yields False if none is free."""
        room = self._signed if path.startswith(SIGNED_PATHS) else self._api
        with _held(room, room.acquire(timeout=self._wait_s)) as taken:
            yield taken

    @contextmanager
    def body(self, size: int) -> Iterator[bool]:
        """Take the room for a body of this size. Yields False if there is none."""
        if size <= self._small_body:
            yield True
            return
        with _held(self._large, self._large.acquire(blocking=False)) as taken:
            yield taken


@contextmanager
def _held(room: threading.Semaphore, taken: bool) -> Iterator[bool]:
    try:
        yield taken
    finally:
        if taken:
            room.release()
