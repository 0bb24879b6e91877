"""An agent to be dialled: a WebSocket server that records what it is sent."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import Request, Response, Server, ServerConnection, serve

from tests.unit.relay.stack import Stack

HEADERS = {"X-Twilio-Signature": "c2lnbmVk", "X-Chamade-Call-Id": "call_1"}


@dataclass
class Stream:
    """One connection to it."""

    socket: ServerConnection
    path: str
    headers: dict[str, str]
    received: asyncio.Queue[dict[str, Any] | None] = field(default_factory=asyncio.Queue)
    sid: str = ""

    async def next(self, *events: str) -> dict[str, Any]:
        """Return the next message (of one of these events)."""
        async with asyncio.timeout(5):
            while True:
                message = await self.received.get()
                assert message is not None, "closed"
                if not events or message["event"] in events:
                    return message

    async def over(self) -> list[dict[str, Any]]:
        """Return the messages until the connection is closed."""
        rest = []
        async with asyncio.timeout(5):
            while (message := await self.received.get()) is not None:
                rest.append(message)
        return rest

    async def begun(self) -> dict[str, Any]:
        """Return `start`, which comes after `connected`."""
        assert (await self.next())["event"] == "connected"
        start = await self.next()
        assert start["event"] == "start"
        self.sid = start["streamSid"]
        return start

    async def say(self, event: str, **more: Any) -> None:
        await self.socket.send(json.dumps({"event": event, "streamSid": self.sid, **more}))

    async def play(self, ulaw: bytes) -> None:
        await self.say("media", media={"payload": base64.b64encode(ulaw).decode()})

    async def heard(self, size: int) -> bytes:
        sound = b""
        while len(sound) < size:
            sound += base64.b64decode((await self.next("media"))["media"]["payload"])
        return sound

    def break_off(self) -> None:
        """Break the connection, as a process that dies."""
        self.socket.transport.abort()


@dataclass
class TwilioAgent:
    """The server; `url` once it listens."""

    url: str = ""
    streams: asyncio.Queue[Stream] = field(default_factory=asyncio.Queue)
    answer: Callable[[ServerConnection, Request], Response | Awaitable[Response | None] | None] = (
        lambda *_: None
    )
    server: Server | None = None

    async def stream(self) -> Stream:
        """Return the next connection."""
        return await asyncio.wait_for(self.streams.get(), 8)

    def _check(
        self, socket: ServerConnection, request: Request
    ) -> Response | Awaitable[Response | None] | None:
        return self.answer(socket, request)

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        stream = Stream(socket, socket.request.path, dict(socket.request.headers.raw_items()))
        self.streams.put_nowait(stream)
        with contextlib.suppress(Exception):
            async for message in socket:
                stream.received.put_nowait(json.loads(message))
        stream.received.put_nowait(None)
        await socket.wait_closed()


@contextlib.asynccontextmanager
async def twilio_agent(
    tls: ssl.SSLContext | None = None, port: int = 0
) -> AsyncIterator[TwilioAgent]:
    """Run an agent on this machine."""
    agent = TwilioAgent()
    async with serve(
        agent._serve, "127.0.0.1", port, ssl=tls, compression=None, close_timeout=1,
        process_request=agent._check,
    ) as server:  # fmt: skip
        agent.server = server
        port = server.sockets[0].getsockname()[1]
        agent.url = f"ws{'s' if tls else ''}://127.0.0.1:{port}/voice?key=secret"
        yield agent


async def talking(stack: Stack, agent: TwilioAgent) -> tuple[ClientConnection, Stream]:
    """Open the caller's stream, and wait until the agent that is dialled has had its `start`."""
    provider = await stack.provider()
    stream = await agent.stream()
    await stream.begun()
    return provider, stream
