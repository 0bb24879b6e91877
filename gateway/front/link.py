"""The front's HTTP client to one gateway process, over its UNIX socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from gateway.front.process import Process
from gateway.http.listener import MAX_MESSAGE

MAX_IN_FLIGHT = 256
"""Requests that one process may have at a time; handshakes of sockets count, too."""
MAX_SOCKETS = 2_000
"""Open sockets of browsers and softphones at one process."""
ANSWERS_WITHIN_S = 10.0
"""Seconds for an answer, or for a handshake."""
HEARTBEAT_S = 20.0
_BASE = "http://gateway"


class LinkError(Exception):
    """There is no answer of the process. `sent` is True if it may have got the request."""

    def __init__(self, what: str, *, sent: bool) -> None:
        super().__init__(what)
        self.sent = sent


class BusyError(LinkError):
    """The process has as many requests, or sockets, as it may have."""


class RefusedError(Exception):
    """The process refuses a handshake. `status` is its answer's."""

    def __init__(self, status: int, challenge: str | None) -> None:
        super().__init__(f"the process refuses the handshake with {status}")
        self.status = status
        self.challenge = challenge


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a process."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Link:
    """The way to one process. `close` it."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._in_flight = 0
        self._sockets = 0
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(process.socket, limit=0, keepalive_timeout=30),
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept-Encoding", "Content-Type", "User-Agent"),
        )

    async def close(self) -> None:
        """Close all connections to the process."""
        await self._session.close()

    async def ask(
        self, method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request, once, and return the answer. Raises LinkError."""
        self._check_up()
        if self._in_flight >= MAX_IN_FLIGHT:
            raise BusyError("too many requests at once", sent=False)
        self._in_flight += 1
        try:
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                return await self._send(method, path, body, headers)
        except TimeoutError:
            raise LinkError(f"no answer within {ANSWERS_WITHIN_S:g} s", sent=True) from None
        finally:
            self._in_flight -= 1

    async def answers(self, headers: Mapping[str, str], within_s: float) -> bool:
        """Return whether the process answers at all, however many requests it has."""
        try:
            async with asyncio.timeout(within_s):
                await self._send("GET", "/healthz", b"", headers)
        except (TimeoutError, LinkError):
            return False
        return True

    async def _send(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str] | None
    ) -> Answer:
        request = self._session.request(
            method, _BASE + path, data=body or None, headers=headers, allow_redirects=False
        )
        try:
            async with request as answer:
                return Answer(answer.status, await answer.read(), answer.headers)
        except aiohttp.ClientConnectorError:
            raise LinkError("the process does not listen", sent=False) from None
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError) as error:
            raise LinkError(f"the process is gone: {type(error).__name__}", sent=True) from None

    @asynccontextmanager
    async def socket(
        self, path: str, headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open a WebSocket. Raises LinkError, or RefusedError if the process does not take it."""
        self._check_up()
        if self._in_flight >= MAX_IN_FLIGHT or self._sockets >= MAX_SOCKETS:
            raise BusyError("too many sockets at once", sent=False)
        self._sockets += 1
        try:
            socket = await self._shake_hands(path, headers)
            try:
                yield socket
            finally:
                await socket.close()
        finally:
            self._sockets -= 1

    async def _shake_hands(
        self, path: str, headers: Mapping[str, str]
    ) -> aiohttp.ClientWebSocketResponse:
        self._in_flight += 1
        try:
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                return await self._session.ws_connect(
                    _BASE + path, headers=headers, heartbeat=HEARTBEAT_S, compress=0,
                    max_msg_size=MAX_MESSAGE, timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
                )  # fmt: skip
        except aiohttp.WSServerHandshakeError as error:
            challenge = error.headers.get("WWW-Authenticate") if error.headers else None
            raise RefusedError(error.status, challenge) from None
        except TimeoutError:
            raise LinkError("no handshake in time", sent=True) from None
        except (aiohttp.ClientError, OSError) as error:
            raise LinkError(f"no handshake: {type(error).__name__}", sent=True) from None
        finally:
            self._in_flight -= 1

    def _check_up(self) -> None:
        if not self.process.up:
            raise LinkError("the process is being started", sent=False)
