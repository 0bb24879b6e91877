"""An agent of our own dialect that the relay dials: it records what it is sent and answers
requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.server import ServerConnection, serve


@dataclass
class HostSocket:
    """One connection to it."""

    socket: ServerConnection
    path: str
    headers: dict[str, str]
    said: asyncio.Queue[dict[str, Any] | None] = field(default_factory=asyncio.Queue)
    audio: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)

    async def next(self, *types: str) -> dict[str, Any]:
        """Return the next text message (of one of these types)."""
        async with asyncio.timeout(10):
            while True:
                message = await self.said.get()
                assert message is not None, "closed"
                if not types or message["type"] in types:
                    return message

    async def over(self) -> list[dict[str, Any]]:
        """Return the text messages until the connection is closed."""
        rest = []
        async with asyncio.timeout(10):
            while (message := await self.said.get()) is not None:
                rest.append(message)
        return rest

    async def heard(self, size: int) -> bytes:
        sound = b""
        async with asyncio.timeout(10):
            while len(sound) < size:
                sound += await self.audio.get()
        return sound

    async def say(self, type_: str, **more: Any) -> None:
        await self.socket.send(json.dumps({"type": type_, **more}))

    async def reply(self, request: dict[str, Any], **more: Any) -> None:
        await self.say("reply", id=request["id"], **more)

    def break_off(self) -> None:
        """Break the connection, as a process that is killed."""
        self.socket.transport.abort()


@dataclass
class ChamadeHost:
    """The host; `url` once it listens."""

    url: str = ""
    sockets: asyncio.Queue[HostSocket] = field(default_factory=asyncio.Queue)

    def agent(self, *others: str, **more: Any) -> dict[str, Any]:
        """Return `agent` as the application names it to a relay."""
        return {
            "url": self.url, "headers": {"X-Chamade-Signature": "signed"}, "dialect": "chamade",
            "format": "mulaw", "rate": 8000, "others": list(others), "trusted": True, **more,
        }  # fmt: skip

    async def socket(self) -> HostSocket:
        """Return the next connection."""
        return await asyncio.wait_for(self.sockets.get(), 10)

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        connection = HostSocket(
            socket, socket.request.path, dict(socket.request.headers.raw_items())
        )
        self.sockets.put_nowait(connection)
        with contextlib.suppress(Exception):
            async for message in socket:
                if isinstance(message, bytes):
                    connection.audio.put_nowait(message)
                else:
                    connection.said.put_nowait(json.loads(message))
        await socket.wait_closed()
        connection.said.put_nowait(None)


@contextlib.asynccontextmanager
async def chamade_host() -> AsyncIterator[ChamadeHost]:
    """Run a host on this machine."""
    host = ChamadeHost()
    async with serve(
        host._serve, "127.0.0.1", 0, compression=None, close_timeout=1, max_size=None
    ) as server:
        port = server.sockets[0].getsockname()[1]
        host.url = f"ws://127.0.0.1:{port}/v1/call/call_1"
        yield host
