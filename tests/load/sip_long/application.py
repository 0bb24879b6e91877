"""The application of the long run: documents, trunks and an agent that echoes audio and keys.

The number that was called says what the application does: two digits after the prefix.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from aiohttp import web

from common import control, media_stream
from tests.load.trunk_list import TrunkList

TALKS, HANGS_UP, BUSY, DECLINES, RINGS = "01", "02", "03", "04", "05"
"""What the application does with a call: it echoes, echoes for a while and hangs up, refuses as
busy, declines, or lets it ring."""

_ECHOES_S = 6.0
_STREAM = "<Response><Connect><Stream url='{url}/{how}'/></Connect></Response>"
_GOING_ON = ("queued", "initiated", "ringing", "in-progress")
_DOCUMENTS = {
    BUSY: "<Response><Reject reason='busy'/></Response>",
    DECLINES: "<Response><Reject/></Response>",
    RINGS: "<Response><Pause length='60'/><Reject/></Response>",
}


CALLED_IN, DIALLED = "+1555", "+3319"
_serials = itertools.count()


def number(prefix: str, code: str) -> str:
    """Return a number that no other call has, and that makes the application do that."""
    return f"{prefix}{code}{next(_serials) % 100_000:05d}"


def code_of(called: str) -> str:
    """Return the code of a number."""
    return called[5:7]


class Application:
    """Serve it with `async with application.serving()`."""

    def __init__(
        self, account: tuple[str, str], trunks: TrunkList, stream_url: str | None = None
    ) -> None:
        """`stream_url` is where media streams go; None: here."""
        self.url = ""
        self._stream_url = stream_url
        self.ended: Counter[str] = Counter()
        """Final statuses of calls, as the gateway reported them."""
        self._account = account
        self._trunks = trunks
        self._statuses: dict[str, asyncio.Future[str]] = {}
        self._session: aiohttp.ClientSession | None = None

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Application]:
        """Listen on a free port of loopback until the end of the block."""
        app = web.Application()
        app.router.add_post("/voice", self._voice)
        app.router.add_post("/status", self._status)
        app.router.add_post("/gateway/trunks/{what}", self._control)
        app.router.add_get("/media/{how}", self._media)
        runner = web.AppRunner(app, shutdown_timeout=1.0, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            headers = {"Authorization": aiohttp.encode_basic_auth(*self._account)}
            async with aiohttp.ClientSession(headers=headers) as session:
                self._session = session
                yield self
        finally:
            await runner.cleanup()

    async def dial(self, gateway: str, number: str, trunk_id: str, **more: str) -> str:
        """Have the gateway call a number through a trunk. Return the call's SID."""
        form = {
            "To": number,
            "From": "+33199005678",
            "Byoc": trunk_id,
            "Url": f"{self.url}/voice",
            "StatusCallback": f"{self.url}/status",
            **more,
        }
        return str((await self._post(f"{self._calls(gateway)}.json", form))["sid"])

    async def clear(self, gateway: str, sid: str) -> None:
        """Hang up over REST."""
        await self._post(f"{self._calls(gateway)}/{sid}.json", {"Status": "completed"})

    async def final_status(self, sid: str) -> str:
        """Wait for the final status of a dialled call."""
        return await self._status_of(sid)

    def forget(self, sid: str) -> None:
        """Forget the status of a call."""
        self._statuses.pop(sid, None)

    def _calls(self, gateway: str) -> str:
        return f"{gateway}/2010-04-01/Accounts/{self._account[0]}/Calls"

    async def _post(self, url: str, form: dict[str, str]) -> dict[str, Any]:
        assert self._session is not None
        async with self._session.post(url, data=form) as answer:
            body = await answer.json()
            if answer.status >= 300:
                raise AssertionError(f"{url.rpartition('/')[2]}: {answer.status} {body}")
            return dict(body)

    def _status_of(self, sid: str) -> asyncio.Future[str]:
        if sid not in self._statuses:
            self._statuses[sid] = asyncio.get_running_loop().create_future()
        return self._statuses[sid]

    async def _voice(self, request: web.Request) -> web.Response:
        form = await request.post()
        how = code_of(str(form["To"]))
        base = self._stream_url or self.url.replace("http", "ws", 1) + "/media"
        stream = _STREAM.format(url=base, how=how)
        return web.Response(text=_DOCUMENTS.get(how, stream), content_type="text/xml")

    async def _status(self, request: web.Request) -> web.Response:
        form = await request.post()
        sid, status = str(form["CallSid"]), str(form["CallStatus"])
        if status in _GOING_ON:
            return web.Response()  # such as a hold, or a change of its quality
        self.ended[status] += 1
        if form["Direction"] != "inbound" and not (known := self._status_of(sid)).done():
            known.set_result(status)
        return web.Response()

    async def _control(self, request: web.Request) -> web.Response:
        given = request.headers.get(control.HEADER)
        status, document = self._trunks.answer(request.path, await request.read(), given)
        kind = "application/json" if status == 200 else "application/problem+json"
        return web.json_response(document, status=status, content_type=kind)

    async def _media(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        patience = _ECHOES_S if request.match_info["how"] == HANGS_UP else None
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(patience):
                await _echo(socket)
        await socket.close()
        return socket


async def _echo(socket: web.WebSocketResponse) -> None:
    """Send audio and keys back until the stream ends."""
    encode: media_stream.MediaEncoder | None = None
    async for message in socket:
        if message.type is not aiohttp.WSMsgType.TEXT:
            return
        text = message.data.encode()
        if (ulaw := media_stream.decode_media(text)) is not None and encode is not None:
            await socket.send_str(encode(ulaw).decode())
            continue
        match media_stream.parse_from_provider(text):
            case media_stream.Start(stream_sid=sid):
                encode = media_stream.MediaEncoder(sid)
            case media_stream.Dtmf(dtmf=detail, stream_sid=sid):
                key = media_stream.Dtmf(media_stream.DtmfDetail(detail.digit), sid)
                await socket.send_str(media_stream.encode(key).decode())
