"""Passes the sockets of browsers and softphones on to the process that takes them.

The process checks the ticket or the credentials, and bounds what a party may send. Messages are
passed on one by one, in order; a side that does not read holds the other one up.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import ClientWebSocketResponse, WSCloseCode, WSMessage, WSMsgType, web

from gateway.front.link import HEARTBEAT_S, LinkError, RefusedError
from gateway.front.pool import Pool
from gateway.front.routing import of_socket
from gateway.http.listener import MAX_MESSAGE
from runtime.strangers import note_known, note_socket

_REFUSALS = {
    401: "account SID and auth token, please",
    403: "the ticket is forged, expired or used",
    429: "too many browsers call this number",
    503: "the gateway is stopping, or too many numbers are registered",
}
_NO_CODE = (1005, 1006)
"""Codes that stand for none at all; no close frame holds them."""
_LOST = b"the gateway process has ended"
_Socket = web.WebSocketResponse | ClientWebSocketResponse


class Sockets:
    """The routes of `gateway/legs/socket`, by way of the front."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._open: set[web.WebSocketResponse] = set()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the application's router."""
        return [web.get("/legs/call", self._pass_on), web.get("/legs/answer", self._pass_on)]

    async def close(self, _app: web.Application) -> None:
        """Close every socket that is still open, for the application's `on_shutdown`."""
        closing = [ws.close(code=WSCloseCode.GOING_AWAY, drain=False) for ws in self._open]
        await asyncio.gather(*closing, return_exceptions=True)

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        outer = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S, compress=False, max_msg_size=MAX_MESSAGE, timeout=2.0
        )
        if not outer.can_prepare(request):
            raise web.HTTPBadRequest(text="this is a WebSocket")
        link = self._pool.of_key(of_socket(request.query))
        given = request.headers.get("Authorization")
        headers = {"Authorization": given} if given else {}
        try:
            async with link.socket(request.raw_path, headers) as inner:
                await self._join(request, outer, inner)
        except RefusedError as refused:
            return _refusal(refused)
        except LinkError as error:
            raise web.HTTPServiceUnavailable(text=str(error)) from None
        return outer

    async def _join(
        self, request: web.Request, outer: web.WebSocketResponse, inner: ClientWebSocketResponse
    ) -> None:
        note_known(request)
        note_socket(request)
        await outer.prepare(request)
        self._open.add(outer)
        passing = [asyncio.create_task(_pump(*pair)) for pair in ((outer, inner), (inner, outer))]
        try:
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._open.discard(outer)
            for task in passing:
                task.cancel()
            await asyncio.gather(*passing, return_exceptions=True)


async def _pump(source: Any, sink: Any) -> None:
    """Pass messages on until one side closes, then close the other in the same way."""
    while True:
        message: WSMessage = await source.receive()
        try:
            match message.type:
                case WSMsgType.BINARY:
                    await sink.send_bytes(message.data)
                case WSMsgType.TEXT:
                    await sink.send_str(message.data)
                case _:
                    await _close_like(source, sink, message)
                    return
        except ConnectionError:
            return


async def _close_like(source: _Socket, sink: _Socket, message: WSMessage) -> None:
    if message.type is WSMsgType.CLOSE:
        code, reason = message.data, (message.extra or "").encode()[:120]
    else:
        code, reason = source.close_code, b""
    if code and code not in _NO_CODE:
        await sink.close(code=code, message=reason)
    elif isinstance(source, web.WebSocketResponse):
        await sink.close(code=WSCloseCode.GOING_AWAY)
    else:
        await sink.close(code=WSCloseCode.SERVICE_RESTART, message=_LOST)


def _refusal(refused: RefusedError) -> web.Response:
    headers = {"WWW-Authenticate": refused.challenge} if refused.challenge else None
    text = _REFUSALS.get(refused.status, "the gateway does not take this socket")
    return web.Response(status=refused.status, text=text, headers=headers)
