"""A WebSocket client that sends any frame, valid or not."""

from __future__ import annotations

import asyncio
import os
from types import TracebackType

CONTINUATION, TEXT, BINARY, CLOSE = 0, 1, 2, 8


def request(path: str) -> bytes:
    """Return a request for an upgrade."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()


class RawSocket:
    """The client; to be used as an async context manager."""

    def __init__(self, port: int, path: str) -> None:
        self._port, self._path = port, path

    async def __aenter__(self) -> RawSocket:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(request(self._path))
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert b" 101 " in head
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()

    def send(self, opcode: int, payload: bytes, *, fin: bool = True, rsv: int = 0) -> None:
        """Send one masked frame of up to 64 KiB."""
        mask = os.urandom(4)
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        masked = bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))
        first = bytes([opcode | fin << 7 | rsv << 4])
        self._writer.write(first + length + mask + masked)

    async def receive(self) -> tuple[int, bytes]:
        """Return opcode and payload of the next frame."""
        async with asyncio.timeout(5):
            first, length = await self._reader.readexactly(2)
            size = length & 127
            if size == 126:
                size = int.from_bytes(await self._reader.readexactly(2), "big")
            return first & 15, await self._reader.readexactly(size)

    async def closed(self) -> int:
        """Read until CLOSE. Return its code."""
        while True:
            opcode, payload = await self.receive()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big")
