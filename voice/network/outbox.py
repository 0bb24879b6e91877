"""The messages that wait to be sent on one socket. Audio that waits can be taken back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

MAX_UNSENT = 2 << 20
"""Bytes that are kept for a peer that does not read."""
_MARK = '{"type":"mark"'


class Outbox:
    """The messages to one socket; `run` sends them. `abort` cuts the connection."""

    def __init__(self, socket: web.WebSocketResponse, abort: Callable[[], None]) -> None:
        self._socket, self._abort = socket, abort
        self._unsent: deque[bytes | str] = deque()
        self._bytes = 0
        self._to_do = asyncio.Event()
        self._closing: tuple[int, str] | None = None

    def audio(self, ulaw: bytes) -> None:
        """Send a binary message."""
        self._add(ulaw)

    def message(self, message: Mapping[str, Any]) -> None:
        """Send a text message."""
        self._add(msgspec.json.encode(message).decode())

    def clear(self) -> None:
        """Send `clear`, in place of audio and marks that are not sent yet."""
        kept = [each for each in self._unsent if isinstance(each, str) and each[:14] != _MARK]
        self._unsent, self._bytes = deque(kept), sum(map(len, kept))
        self.message({"type": "clear"})

    def close(self, code: int, reason: str) -> None:
        """Close the socket once everything is sent. The first code counts."""
        self._closing = self._closing or (code, reason)
        self._to_do.set()

    async def run(self) -> None:
        """Send until the socket is closed."""
        try:
            while self._unsent or not self._closing:
                if not self._unsent:
                    self._to_do.clear()
                    await self._to_do.wait()
                    continue
                message = self._unsent.popleft()
                self._bytes -= len(message)
                if isinstance(message, bytes):
                    await self._socket.send_bytes(message)
                else:
                    await self._socket.send_str(message)
            code, reason = self._closing
            await self._socket.close(code=code, message=reason.encode())
        except (ConnectionError, RuntimeError):  # closed already, which the receiving side notices
            self._abort()

    def _add(self, message: bytes | str) -> None:
        if self._closing:
            return
        self._unsent.append(message)
        self._bytes += len(message)
        self._to_do.set()
        if self._bytes > MAX_UNSENT:
            self._closing = (1008, "the relay does not read")
            self._unsent.clear()
            self._abort()
