"""A voice host with engines of tones, an application that takes reports, and a relay's socket."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from common import control, g711
from tests.unit.voice.call_scene import LANGUAGES, VOICES
from tests.unit.voice.tone_engines import ToneEngines
from tests.unit.voice.tones import loud, silence
from voice.config import Config
from voice.core.call_settings import HEADER
from voice.core.counters import Counters
from voice.core.voices import Voices
from voice.engines.base import EngineSettings
from voice.network.call_socket import Host
from voice.network.reports import Reports, poster
from voice.network.server import VoiceHost

SECRET = "voice secret"
WITHIN_S = 20


@dataclass
class Application:
    """An application that checks signatures and keeps reports."""

    reports: list[dict[str, Any]] = field(default_factory=list)
    came: asyncio.Condition = field(default_factory=asyncio.Condition)
    statuses: list[int] = field(default_factory=list)
    """Statuses of the next answers; then 200."""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        given = request.headers.get(control.HEADER)
        if not control.verify(SECRET, request.path, body, given, int(time.time())):
            return web.json_response({"code": "bad_signature"}, status=401)
        async with self.came:
            status = self.statuses.pop(0) if self.statuses else 200
            self.reports.append({"status": status, **json.loads(body)})
            self.came.notify_all()
        return web.json_response({"call": {"state": "active"}}, status=status)

    @property
    def items(self) -> list[dict[str, Any]]:
        """The items that were taken."""
        return [item for each in self.reports if each["status"] == 200 for item in each["items"]]

    async def item(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for an item."""
        async with asyncio.timeout(WITHIN_S), self.came:
            await self.came.wait_for(lambda: any(map(fits, self.items)))
        return next(filter(fits, self.items))


class RelaySocket:
    """A relay's socket of one call. It plays audio at once, and marks come back when told to."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.audio = bytearray()
        self.texts: list[dict[str, Any]] = []
        self.code: int | None = None
        self.plays = True
        """True: marks come back at once."""
        self._came = asyncio.Condition()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while self.code is None:
            message = await self.socket.receive()
            async with self._came:
                if message.type is aiohttp.WSMsgType.BINARY:
                    self.audio += g711.decode(message.data)
                elif message.type is aiohttp.WSMsgType.TEXT:
                    self.texts.append(json.loads(message.data))
                else:
                    self.code = self.socket.close_code or 1006
                self._came.notify_all()
            if self.plays and self.texts and message.type is aiohttp.WSMsgType.TEXT:
                await self.play(self.texts[-1])

    async def play(self, mark: dict[str, Any]) -> None:
        if mark["type"] == "mark":
            await self.send(type="mark", name=mark["name"], played=True)

    async def send(self, **message: Any) -> None:
        await self.socket.send_str(json.dumps(message))

    async def start(self, *, resumed: bool = False) -> None:
        await self.send(type="start", protocol="1", resumed=resumed, call={}, audio={})

    async def caller(self, pcm: bytes) -> None:
        """Let the caller say this, faster than real time."""
        for at in range(0, len(pcm), 320):
            await self.socket.send_bytes(g711.encode(pcm[at : at + 320]))

    async def caller_says(self, pcm: bytes) -> None:
        await self.caller(pcm + silence(600))

    async def caller_says_in_time(self, pcm: bytes) -> None:
        """Let the caller say this as fast as callers do."""
        pcm, loop = pcm + silence(600), asyncio.get_running_loop()
        began = loop.time()
        for at in range(0, len(pcm), 320):
            await asyncio.sleep(max(0.0, began + at / 16_000 - loop.time()))
            await self.caller(pcm[at : at + 320])

    async def until(self, wanted: Callable[[], Any]) -> Any:
        async with asyncio.timeout(WITHIN_S), self._came:
            await self._came.wait_for(lambda: bool(wanted()))
        return wanted()

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a request and wait for the reply to it."""
        request_id = await self.request(method, **params)
        return await self.reply(request_id)

    async def request(self, method: str, **params: Any) -> str:
        request_id = f"req_{time.monotonic_ns()}"
        await self.send(type="request", id=request_id, method=method, params=params)
        return request_id

    async def reply(self, request_id: str) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            return next((each for each in self.texts if each.get("id") == request_id), None)

        reply: dict[str, Any] = await self.until(found)
        return reply

    async def closed(self) -> int:
        await self.until(lambda: self.code)
        assert self.code
        return self.code


async def until(wanted: Callable[[], Any]) -> None:
    """Wait for what nobody tells of."""
    async with asyncio.timeout(WITHIN_S):
        while not wanted():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@dataclass
class Stack:
    host: VoiceHost
    engines: ToneEngines
    application: Application
    counters: Counters
    reports: Reports
    http: aiohttp.ClientSession
    base: str

    def signature(
        self, path: str, body: bytes, secret: str = SECRET, age_s: int = 0
    ) -> dict[str, str]:
        return {control.HEADER: control.sign(secret, path, body, int(time.time()) - age_s)}

    async def post(self, path: str, body: Any, secret: str = SECRET) -> tuple[int, Any]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = self.signature(path, raw, secret)
        async with self.http.post(self.base + path, data=raw, headers=headers) as answer:
            return answer.status, await answer.json()

    async def connect(
        self,
        call_id: str = "call_1",
        settings: Any = None,
        secret: str = SECRET,
        age_s: int = 0,
    ) -> RelaySocket:
        """Open the relay's socket of a call. WSServerHandshakeError."""
        given = {"answered_at": round(time.time() * 1000)} if settings is None else settings
        header = base64.urlsafe_b64encode(json.dumps(given).encode()).decode().rstrip("=")
        path = f"/v1/call/{call_id}"
        headers = self.signature(path, header.encode(), secret, age_s) | {HEADER: header}
        return RelaySocket(await self.http.ws_connect(self.base + path, headers=headers))

    async def call(self, call_id: str = "call_1", settings: Any = None) -> RelaySocket:
        """Open the socket of a call whose audio flows."""
        socket = await self.connect(call_id, settings)
        await socket.start()
        return socket


@asynccontextmanager
async def running(max_calls: int = 2, drain_s: float = 0.0) -> AsyncIterator[Stack]:
    """Run a voice host and its application."""
    application = Application()
    app = web.Application()
    app.add_routes([web.post("/voice/report", application.take)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    config = Config(
        control_url=f"http://127.0.0.1:{runner.addresses[0][1]}",
        secret=SECRET,
        engines=EngineSettings("local"),
        port=0,
        url="ws://voice.test:8705",
        max_calls=max_calls,
        drain_s=drain_s,
    )
    engines, counters = ToneEngines(), Counters()
    async with aiohttp.ClientSession() as http:
        reports = Reports("voice-1", poster(config, http), counters)
        known = Voices(VOICES, LANGUAGES, "", "")
        host = VoiceHost(config, Host(engines, known, reports, counters, lambda: loud))
        base = f"http://127.0.0.1:{await host.start()}"
        yield Stack(host, engines, application, counters, reports, http, base)
        await host.drain()
    await runner.cleanup()
