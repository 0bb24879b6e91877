"""The gateway's surroundings, for real: a customer's application, a media server, a phone."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from twilio.request_validator import RequestValidator
from websockets.asyncio.server import Server, ServerConnection, serve

from common import g711
from gateway.config import Config
from gateway.server import Gateway, start
from gateway.softphone.phone import Softphone

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "s3cret-token"
PATIENCE = 5.0


@dataclass
class Post:
    path: str
    method: str
    params: dict[str, str]
    headers: dict[str, str]
    at: float


@dataclass
class Application:
    """The customer's web application: checks signatures, answers what a test tells it to."""

    url: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    posts: list[Post] = field(default_factory=list)
    forged: list[str] = field(default_factory=list)
    queues: dict[str, asyncio.Queue[Post]] = field(
        default_factory=lambda: defaultdict(asyncio.Queue)
    )

    def on(self, path: str, *answers: Any) -> None:
        """Answers for `path`: TwiML bodies, responses or functions; the last one stays."""
        self.answers[path] = list(answers)

    async def next(self, path: str) -> Post:
        async with asyncio.timeout(PATIENCE):
            return await self.queues[path].get()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        form = {} if request.method == "GET" else dict(await request.post())
        url = self.url + request.raw_path
        signature = request.headers.get("X-Twilio-Signature", "")
        if not RequestValidator(TOKEN).validate(url, form, signature):
            self.forged.append(url)
            return web.Response(status=403)
        params = dict(request.query) | form
        post = Post(request.path, request.method, params, dict(request.headers), time.monotonic())
        self.posts.append(post)
        self.queues[request.path].put_nowait(post)
        script = self.answers.get(request.path, [""])
        answer = script.pop(0) if len(script) > 1 else script[0]
        if callable(answer):
            answer = answer(post)
            if isinstance(answer, Awaitable):
                answer = await answer
        if isinstance(answer, web.StreamResponse):
            return answer
        if isinstance(answer, int):
            return web.Response(status=answer)
        if answer and not answer.lstrip().startswith("<?xml"):
            answer = f"<Response>{answer}</Response>"
        return web.Response(text=answer, content_type="text/xml")


@pytest.fixture
async def application() -> AsyncIterator[Application]:
    application = Application()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", application.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    application.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield application
    await runner.cleanup()
    assert not application.forged


@dataclass
class Session:
    """One media stream as its server sees it."""

    ws: ServerConnection
    start: dict[str, Any]
    inbox: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    heard: bytearray = field(default_factory=bytearray)
    log: list[dict[str, Any]] = field(default_factory=list)

    @property
    def sid(self) -> str:
        return self.start["streamSid"]

    async def say(self, ulaw: bytes) -> None:
        payload = base64.b64encode(ulaw).decode()
        await self.send(event="media", streamSid=self.sid, media={"payload": payload})

    async def mark(self, name: str) -> None:
        await self.send(event="mark", streamSid=self.sid, mark={"name": name})

    async def clear(self) -> None:
        await self.send(event="clear", streamSid=self.sid)

    async def send(self, **message: Any) -> None:
        await self.ws.send(json.dumps(message))

    async def next(self, event: str) -> dict[str, Any]:
        """The next message of that kind; `at` is when it came."""
        async with asyncio.timeout(PATIENCE):
            while (message := await self.inbox.get())["event"] != event:
                pass
            return message

    async def hear(self, ulaw: bytes) -> None:
        """Waits until the caller has said exactly this."""
        async with asyncio.timeout(PATIENCE):
            while ulaw not in self.heard:
                await self.inbox.get()


@dataclass
class MediaServer:
    """The customer's media server: a test takes sessions with `accept`."""

    url: str = ""
    sessions: asyncio.Queue[Session] = field(default_factory=asyncio.Queue)
    forged: list[str] = field(default_factory=list)
    handle_next: Callable[[ServerConnection], Awaitable[None]] | None = None
    """Takes connections instead, for a server that behaves badly."""

    async def accept(self) -> Session:
        async with asyncio.timeout(PATIENCE):
            return await self.sessions.get()

    async def handle(self, ws: ServerConnection) -> None:
        if self.handle_next is not None:
            await self.handle_next(ws)
            return
        assert ws.request is not None
        url = self.url + ws.request.path
        if not RequestValidator(TOKEN).validate(
            url, {}, ws.request.headers.get("X-Twilio-Signature", "")
        ):
            self.forged.append(url)
            return
        connected = json.loads(await ws.recv())
        session = Session(ws, json.loads(await ws.recv()), log=[connected])
        session.log.append(session.start)
        self.sessions.put_nowait(session)
        async for text in ws:
            message = json.loads(text)
            message["at"] = time.monotonic()
            session.log.append(message)
            if message["event"] == "media":
                session.heard += base64.b64decode(message["media"]["payload"])
            session.inbox.put_nowait(message)
        session.inbox.put_nowait({"event": "closed"})


@pytest.fixture
async def media() -> AsyncIterator[MediaServer]:
    media = MediaServer()
    server: Server
    async with serve(media.handle, "127.0.0.1", 0, compression=None) as server:
        media.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield media
    assert not media.forged


@pytest.fixture
async def start_gateway(application: Application) -> AsyncIterator[Callable[..., Any]]:
    started: list[Gateway] = []

    async def start_one(**settings: Any) -> Gateway:
        defaults: dict[str, Any] = {
            "account_sid": ACCOUNT,
            "auth_token": TOKEN,
            "voice_url": application.url + "/voice",
            "status_url": application.url + "/status",
            "port": 0,
            "status_retries": (0.01, 0.01),
            "webhook_patience": 0.0,
            "drain": 0.5,
        }
        gateway = await start(Config(**(defaults | settings)))
        started.append(gateway)
        return gateway

    yield start_one
    for gateway in started:
        await gateway.stop()


@pytest.fixture
async def gateway(start_gateway: Callable[..., Any]) -> Gateway:
    return await start_gateway()


@pytest.fixture
def phone(gateway: Gateway) -> Softphone:
    return Softphone(gateway.url, ACCOUNT, TOKEN)


def tone(hertz: float, seconds: float, level: float = 8000) -> bytes:
    """A sine as mu-law: something of one's own to recognise in a recording."""
    at = np.arange(int(8000 * seconds)) / 8000
    return g711.encode((level * np.sin(2 * np.pi * hertz * at)).astype("<i2").tobytes())


@pytest.fixture(name="tone")
def tone_fixture() -> Callable[..., bytes]:
    return tone


@pytest.fixture
def account() -> tuple[str, str]:
    return ACCOUNT, TOKEN
