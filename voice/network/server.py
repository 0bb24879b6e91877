"""The voice host's HTTP server: reservations, the relay's sockets, `/healthz`, `/metrics`."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any, TypeVar

import msgspec
from aiohttp import web

from common import control
from common.voice_requests import MAX_NAME
from voice import logs
from voice.config import Config
from voice.core.call_settings import HEADER, read
from voice.core.places import Places
from voice.core.voices import UnknownChoiceError
from voice.metrics import render
from voice.network.call_socket import CLOSING_S, CallSocket, Host
from voice.network.connections import Connections

MAX_BODY = 1 << 16
"""Bytes of a request's body."""
MAX_MESSAGE = 1 << 18
"""Bytes of a message of the relay."""
PING_S = 20.0
SOCKET_TOLERANCE_S = 300
"""Most age of a socket's signature. The relay has it from the application's last answer about the
call, which may be minutes old when a host is lost and the relay connects to another one.
"""
BACKLOG = 128
_CALL_ID = r"[A-Za-z0-9_-]{1,128}"
_LAST_REPORTS_S = 5.0


class _Reserve(msgspec.Struct):
    call_id: Annotated[str, msgspec.Meta(pattern=rf"^{_CALL_ID}\Z")]
    language: Annotated[str, msgspec.Meta(max_length=MAX_NAME)] | None = None
    name: Annotated[str, msgspec.Meta(max_length=MAX_NAME)] | None = None
    account: Annotated[str, msgspec.Meta(max_length=MAX_NAME)] = ""


class _Release(msgspec.Struct):
    call_id: str


_Body = TypeVar("_Body")


class VoiceHost:
    """One voice host: `start` it, then `drain` it."""

    def __init__(self, config: Config, host: Host) -> None:
        self._config, self._host = config, host
        self.places = Places(config.max_calls, config.max_calls_per_account)
        self._calls: dict[str, CallSocket] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self._runner: web.AppRunner | None = None
        self._listening: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen. Return the port, which the system chooses if the configured one is 0. OSError."""
        app = web.Application(client_max_size=MAX_BODY)
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/metrics", self._metrics),
                web.post("/v1/reserve", self._reserve),
                web.post("/v1/release", self._release),
                web.post("/v1/voices", self._voices),
                web.get(rf"/v1/call/{{call_id:{_CALL_ID}}}", self._call),
            ]
        )
        connections = Connections()
        app.on_response_prepare.append(connections.asked)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        server = self._runner.server
        assert server is not None  # noqa: S101 - `setup` made it
        self._listening = await asyncio.get_running_loop().create_server(
            lambda: connections.protocol(server),
            self._config.host,
            self._config.port,
            backlog=BACKLOG,
        )
        port: int = self._listening.sockets[0].getsockname()[1]
        return port

    async def drain(self) -> None:
        """Take no more calls, give the calls `drain_s` to end by themselves, and close the others
        with 1001: the relay takes them to another host.
        """
        self.places.closed = self._host.counters.draining = True
        logs.info("the voice host takes no new calls", calls=len(self._calls))
        await self._until_empty(self._config.drain_s)
        for call in self._calls.values():
            call.close(1001, "the voice host is going away; connect to another")
        await self._until_empty(_LAST_REPORTS_S + CLOSING_S)
        await self._host.reports.drain(_LAST_REPORTS_S)
        if self._listening and self._runner:
            self._listening.close()
            await self._runner.cleanup()
        logs.info("the voice host stops")

    async def _until_empty(self, within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                await self._empty.wait()
        except TimeoutError:
            pass

    async def _healthz(self, _: web.Request) -> web.Response:
        draining = self._host.counters.draining
        return web.Response(status=503 if draining else 200, text="draining" if draining else "ok")

    async def _metrics(self, _: web.Request) -> web.Response:
        page = render(self._host.counters, self.places, _now())
        return web.Response(body=page, headers={"Content-Type": "text/plain; version=0.0.4"})

    async def _reserve(self, request: web.Request) -> web.Response:
        asked = await self._body(request, _Reserve)
        try:
            self._host.voices.choose(asked.name, asked.language)
        except UnknownChoiceError as error:
            return _problem(422, error.code, str(error), choices=error.choices)
        if not self.places.reserve(asked.call_id, _now(), asked.account):
            self._host.counters.count("busy")
            return _problem(503, "busy", "no place is free; ask another host, or again later")
        config, free = self._config, self.places.free(_now())
        return web.json_response({"host": config.voice_id, "url": config.url, "free": free})

    async def _release(self, request: web.Request) -> web.Response:
        self.places.release((await self._body(request, _Release)).call_id)
        return web.json_response({})

    async def _voices(self, request: web.Request) -> web.Response:
        await self._body(request, dict[str, Any])
        known = self._host.voices
        voices = [
            {"name": each.name, "language": each.language, "engine": each.engine}
            for each in known.voices
        ]
        return web.json_response(
            {
                "voices": voices,
                "languages": known.languages,
                "capacity": self.places.capacity,
                "calls": self.places.calls,
            }
        )

    async def _body(self, request: web.Request, kind: type[_Body]) -> _Body:
        """Return the body of a signed request. Raises what aiohttp answers: 400, 401, 413."""
        body = await request.read()
        self._verify(request, body)
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise _refusal(web.HTTPBadRequest, "malformed", str(error)) from None

    def _verify(
        self, request: web.Request, signed: bytes, tolerance_s: int = control.TOLERANCE_S
    ) -> None:
        secret, path = self._config.secret, request.rel_url.raw_path
        given, now_s = request.headers.get(control.HEADER), int(time.time())
        if not control.verify(secret, path, signed, given, now_s, tolerance_s=tolerance_s):
            self._host.counters.count("bad_signatures")
            detail = f"{control.HEADER} is no fresh signature of this request"
            raise _refusal(web.HTTPUnauthorized, "bad_signature", detail)

    async def _call(self, request: web.Request) -> web.StreamResponse:
        call_id = request.match_info["call_id"]
        header = request.headers.get(HEADER, "")
        self._verify(request, header.encode("utf-8", "surrogateescape"), SOCKET_TOLERANCE_S)
        try:
            settings = read(header)
            self._host.voices.choose(settings.name, settings.language)
        except ValueError as error:
            return _problem(400, "malformed", str(error))
        except UnknownChoiceError as error:
            return _problem(422, error.code, str(error), choices=error.choices)
        socket = web.WebSocketResponse(
            autoclose=False, heartbeat=PING_S, max_msg_size=MAX_MESSAGE, compress=False
        )
        if not socket.can_prepare(request):
            return _problem(426, "no_upgrade", "this is a WebSocket")
        if not self.places.take(call_id, _now()):
            self._host.counters.count("busy")
            return _problem(503, "busy", "no place is free")
        await self._hosted(call_id, request, socket, settings)
        return socket

    async def _hosted(
        self, call_id: str, request: web.Request, socket: web.WebSocketResponse, settings: Any
    ) -> None:
        """Host a call that has its place, and free the place in the end."""
        call: CallSocket | None = None
        try:
            await socket.prepare(request)
            call = CallSocket(call_id, request, socket, self._host, settings)
            former = self._calls.get(call_id)
            self._calls[call_id] = call
            self._empty.clear()
            if former is not None:
                former.close(4409, "there is a newer connection to the same call")
            logs.info("a call is hosted", call_id=call_id)
            await call.run()
        except ConnectionError:
            pass  # gone during the handshake
        except Exception:
            logs.exception("a call's socket failed", call_id=call_id)
        finally:
            if call is None or self._calls.get(call_id) is call:
                self._leave(call_id, call)
            if not socket.closed and socket.prepared:
                await socket.close(code=1011, message=b"an error in the voice host")

    def _leave(self, call_id: str, call: CallSocket | None) -> None:
        if call is None and call_id in self._calls:
            return  # an older connection has the place
        self._calls.pop(call_id, None)
        self.places.leave(call_id)
        logs.info("a call is over, or elsewhere", call_id=call_id)
        if not self._calls:
            self._empty.set()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _problem(status: int, code: str, detail: str, **more: Any) -> web.Response:
    return web.json_response({"code": code, "detail": detail, **more}, status=status)


def _refusal(kind: type[web.HTTPException], code: str, detail: str) -> web.HTTPException:
    text = msgspec.json.encode({"code": code, "detail": detail}).decode()
    return kind(text=text, content_type="application/json")
