"""A relay to try the client against: a real WebSocket server that does what it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from chamade.audio.line import Format
from chamade.audio.socket import AsyncAudio
from chamade.models import Audio

FRAME = bytes(range(256)) * 2 + bytes(128)


class FakeRelay:
    """Keeps what agents send; `connections` are those that are, or were, open."""

    def __init__(self) -> None:
        self.connections: list[ServerConnection] = []
        self.received: list[bytes | dict[str, Any]] = []
        self.on_connect: Callable[[ServerConnection], Any] | None = None
        self.url = ""
        self._news = asyncio.Event()

    async def serve(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        self._tell()
        if self.on_connect is not None:
            await self.on_connect(connection)
        else:
            await self.start(connection)
        try:
            async for message in connection:
                self.received.append(message if isinstance(message, bytes) else json.loads(message))
                self._tell()
        except ConnectionClosed:
            return

    async def start(self, connection: ServerConnection) -> None:
        resumed = len(self.connections) > 1
        await self.say(connection, type="start", protocol="1", resumed=resumed, call={}, audio={})

    async def say(self, connection: ServerConnection, **message: Any) -> None:
        await connection.send(json.dumps(message))

    async def mark(self, name: str, played: bool = True) -> None:
        await self.say(self.connections[-1], type="mark", name=name, played=played)

    async def stop(self, reason: str = "caller_hangup") -> None:
        await self.say(self.connections[-1], type="stop", reason=reason, state="ended")
        await self.connections[-1].close(1000)

    async def until(self, true: Callable[[], Any]) -> Any:
        """Waits until something is true of this relay; what it is."""
        async with asyncio.timeout(5):
            while not (found := true()):
                await self._news.wait()
                self._news.clear()
        return found

    async def wait_for_message(self, kind: str, count: int = 1) -> dict[str, Any]:
        """Waits for the agent's message of a type; the last one."""
        await self.until(lambda: len(self.messages(kind)) >= count)
        return self.messages(kind)[-1]

    def messages(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.received if isinstance(one, dict) and one["type"] == kind]

    @property
    def audio(self) -> bytes:
        return b"".join(one for one in self.received if isinstance(one, bytes))

    def _tell(self) -> None:
        self._news.set()


@asynccontextmanager
async def fake_relay(refuse=None):
    """A relay; `refuse(connection, request)`: its answer to a handshake, if it is no upgrade."""
    relay = FakeRelay()
    async with serve(
        relay.serve, "127.0.0.1", 0, compression=None, max_size=None, process_request=refuse
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        relay.url = f"ws://127.0.0.1:{port}/media/agent/call_a"
        yield relay


@asynccontextmanager
async def on_the_line(relay: FakeRelay, line_format: Format | None = None):
    """An agent's audio, connected to the relay."""
    audio = AsyncAudio("call_a", Audio(url=relay.url, token="secret"), line_format or Format())
    try:
        yield audio
    finally:
        await audio.close()


async def take(audio, count):
    async with asyncio.timeout(5):
        return [await audio.next() for _ in range(count)]
