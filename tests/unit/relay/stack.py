"""A relay on real sockets, with a small application behind it, and both its peers."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from relay.config import Config
from relay.core.timeouts import Timeouts
from relay.network.control import Control, RetryPolicy
from relay.network.server import Relay
from tests.unit.relay.fake_control import AGENT_TOKEN, PROVIDER_TOKEN, SECRET, FakeApplication

START = {
    "event": "start",
    "sequenceNumber": "1",
    "streamSid": "MZ1",
    "start": {
        "accountSid": "AC1",
        "streamSid": "MZ1",
        "callSid": "CA1",
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {},
    },
}
TIMEOUTS = Timeouts(agent_back=0.4, agent_first=1.5, provider_back=0.6, provider_start=0.4)


@dataclass
class Stack:
    """A relay and its application, with methods to connect to it."""

    app: FakeApplication
    relay: Relay
    port: int = 0
    closing: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def open(self, path: str, **options: Any) -> ClientConnection:
        url = f"ws://127.0.0.1:{self.port}{path}"
        return await self.closing.enter_async_context(
            connect(
                url, compression=None, max_size=None, open_timeout=5, close_timeout=1, **options
            )
        )

    async def provider(self, start: dict[str, Any] | None = START) -> ClientConnection:
        headers = {"X-Twilio-Signature": "signed"}
        ws = await self.open(f"/media/provider/{PROVIDER_TOKEN}", additional_headers=headers)
        if start is not None:
            await ws.send('{"event":"connected","protocol":"Call","version":"1.0.0"}')
            await ws.send(json.dumps(start))
        return ws

    async def agent(self, query: str = "format=mulaw", **options: Any) -> ClientConnection:
        return await self.open(f"/media/agent/call_1?token={AGENT_TOKEN}&{query}", **options)

    async def both(self, query: str = "format=mulaw") -> tuple[ClientConnection, ClientConnection]:
        """Connect provider and agent, and wait for the agent's `start`."""
        provider, agent = await self.provider(), await self.agent(query)
        assert (await message(agent))["type"] == "start"
        return provider, agent

    async def get(self, path: str) -> tuple[int, str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head, _, body = (await asyncio.wait_for(reader.read(), 5)).partition(b"\r\n\r\n")
        writer.close()
        return int(head.split()[1]), body.decode()


@contextlib.asynccontextmanager
async def running(app: FakeApplication, **settings: Any) -> AsyncIterator[Stack]:
    """Run a relay with these settings."""
    config = Config(
        control_url=app.url,
        control_secret=SECRET,
        port=0,
        public_url="wss://relay.example",
        drain_s=settings.pop("drain_s", 0.3),
        allow_private_agents=settings.pop("allow_private_agents", True),
        timeouts=TIMEOUTS,
        **settings,
    )
    async with Control(config, RetryPolicy(timeout=1, pauses=(0.01, 0.01))) as control:
        stack = Stack(app, Relay(config, control))
        stack.port = await stack.relay.start()
        async with stack.closing:
            yield stack
        await stack.relay.drain()


async def message(ws: ClientConnection, *types: str) -> dict[str, Any]:
    """Return the next text message (of one of these types)."""
    async with asyncio.timeout(5):
        while True:
            got = await ws.recv()
            if isinstance(got, str):
                said: dict[str, Any] = json.loads(got)
                if not types or said.get("type", said.get("event")) in types:
                    return said


async def closed(ws: ClientConnection) -> tuple[int, str]:
    """Read until the relay closes. Return code and reason."""
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionClosed):
            while True:
                await ws.recv()
    assert ws.close_code is not None
    return ws.close_code, ws.close_reason or ""


async def audio(ws: ClientConnection, size: int) -> bytes:
    """Return so many bytes of binary audio."""
    sound = b""
    async with asyncio.timeout(5):
        while len(sound) < size:
            got = await ws.recv()
            if isinstance(got, bytes):
                sound += got
    return sound


async def played(ws: ClientConnection, size: int) -> bytes:
    """Return so many bytes of mu-law out of media messages."""
    sound = b""
    while len(sound) < size:
        sound += base64.b64decode((await message(ws, "media"))["media"]["payload"])
    return sound


def media(ulaw: bytes) -> str:
    payload = base64.b64encode(ulaw).decode()
    detail = {"track": "inbound", "chunk": "1", "timestamp": "5", "payload": payload}
    return json.dumps(
        {"event": "media", "sequenceNumber": "4", "media": detail, "streamSid": "MZ1"}
    )
