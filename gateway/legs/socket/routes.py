"""The routes of socket parties: `/legs/call` places a call, `/legs/answer` waits for calls.

Both need the account's credentials; the first also accepts a ticket, for one call
(`tickets.py`). The handlers check the credentials, read messages and pass them to a
`SocketLeg`. A registered party is one line: during a call, it is busy for another one.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from aiohttp import WSCloseCode, WSMsgType, web

from gateway.calls.leg import Destination, Leg, LegEvents, Release
from gateway.calls.pace import Pace
from gateway.config import Config
from gateway.http import auth
from gateway.http.listener import MAX_MESSAGE
from gateway.legs.socket.leg import Socket, SocketLeg, parse_command
from gateway.legs.socket.tickets import BadTicket, Tickets
from runtime.strangers import note_known, note_socket

_PARTY = re.compile(r"[\w+.@:;=*#-]{1,255}", re.ASCII)
MAX_LINES = 1000
"""Limit of the numbers that wait for calls, of all parties."""
MAX_BROWSERS_PER_NUMBER = 20
"""Limit of the calls by ticket to one number at the same time."""
MESSAGES_A_SECOND, MESSAGES_BURST = 200.0, 1000.0
"""Limit of the messages of one party; a party that sends more is hung up. Audio is 50 a second."""

_BAD_MESSAGE = 4400
_TOO_MANY_MESSAGES = 4429


class Exchange(Protocol):
    """The taker of calls that parties place: the gateway's exchange, or a carrier's phones."""

    @property
    def closed(self) -> bool:
        """Return whether no more calls are taken."""

    def admit(
        self,
        leg: Leg,
        *,
        to: str,
        from_: str,
        forwarded_from: str | None = None,
        trunk_id: str | None = None,
    ) -> object:
        """Take a call on `leg`, or reject it there."""


class SocketLegs:
    """The two routes, and a `Dialler` to the parties registered on the second."""

    def __init__(self, config: Config, exchange: Exchange) -> None:
        self._config = config
        self._exchange = exchange
        self._lines: defaultdict[str, list[_Line]] = defaultdict(list)
        self._open: set[web.WebSocketResponse] = set()
        self._browsers: Counter[str] = Counter()
        """Number of calls by ticket, by the number called."""
        self._tickets = Tickets(config.control_secret)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the application's router."""
        return [web.get("/legs/call", self._call), web.get("/legs/answer", self._answer)]

    def route(self, destination: Destination) -> SocketLeg | _BusyLeg | None:
        """Return a leg to a registered party, found by the number or the user part of a SIP URI."""
        if destination.trunk_id is not None:
            return None  # the trunk's carrier is meant, not a party here
        user = re.sub(r"^sips?:([^@;?]*).*$", r"\1", destination.to)
        lines = self._lines.get(destination.to) or self._lines.get(user)
        if not lines:
            return None
        for line in lines:
            if line.leg is None:
                return line.incoming(destination)
        return _BusyLeg()

    async def close(self, _app: web.Application) -> None:
        """Close every socket that is still open, for the application's `on_shutdown`."""
        closing = [ws.close(code=WSCloseCode.GOING_AWAY, drain=False) for ws in self._open]
        await asyncio.gather(*closing, return_exceptions=True)

    async def _call(self, request: web.Request) -> web.StreamResponse:
        if "ticket" in request.query:
            return await self._call_by_ticket(request)
        return await self._place(request, self._asked(request))

    async def _call_by_ticket(self, request: web.Request) -> web.StreamResponse:
        call = self._call_of_ticket(request)
        number = call["to"]
        self._browsers[number] += 1
        try:
            return await self._place(request, call)
        finally:
            self._browsers[number] -= 1
            if not self._browsers[number]:
                del self._browsers[number]

    async def _place(self, request: web.Request, call: dict[str, Any]) -> web.StreamResponse:
        ws, socket = await self._accept(request)
        leg = SocketLeg(socket)
        try:
            self._exchange.admit(leg, **call)
            if not leg.over.is_set():
                await _until_over(_read(ws, leg.hear, leg.command), leg)
        finally:
            leg.lost()
            await socket.close()
            self._open.discard(ws)
        return ws

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self._check(request)
        number = _party(request, "number")
        if sum(map(len, self._lines.values())) >= MAX_LINES:
            raise web.HTTPServiceUnavailable(text="too many numbers are registered")
        ws, socket = await self._accept(request)
        line = _Line(socket)
        self._lines[number].append(line)
        socket.tell("registered", number=number)
        try:
            await _read(ws, line.hear, line.command)
        finally:
            self._lines[number].remove(line)
            if not self._lines[number]:
                del self._lines[number]
            if line.leg is not None:
                line.leg.lost()
            await socket.close()
            self._open.discard(ws)
        return ws

    async def _accept(self, request: web.Request) -> tuple[web.WebSocketResponse, Socket]:
        ws = web.WebSocketResponse(
            heartbeat=20.0, compress=False, max_msg_size=MAX_MESSAGE, timeout=2.0
        )
        if not ws.can_prepare(request):
            raise web.HTTPBadRequest(text="this is a WebSocket")
        note_known(request)
        note_socket(request)
        await ws.prepare(request)
        self._open.add(ws)
        return ws, Socket(ws, lambda: _abort(request))

    def _asked(self, request: web.Request) -> dict[str, Any]:
        """Return the call that the holder of the account's credentials asks for."""
        self._check(request)
        return {
            "to": _party(request, "to"),
            "from_": _party(request, "from"),
            "forwarded_from": _party(request, "forwarded_from", required=False) or None,
        }

    def _call_of_ticket(self, request: web.Request) -> dict[str, Any]:
        """Return the call that a ticket is for.

        `Origin` is not checked, and any page may open it: there is no cookie or other credential
        here that a browser would add by itself.
        """
        if len(request.query) != 1:
            raise web.HTTPBadRequest(text="a ticket says all there is to a call")
        self._check_serving()
        if not web.WebSocketResponse().can_prepare(request):
            raise web.HTTPBadRequest(text="this is a WebSocket")  # the ticket stays valid
        try:
            ticket = self._tickets.take(request.query["ticket"])
        except BadTicket as bad:
            raise web.HTTPForbidden(text=str(bad)) from None
        if self._browsers[ticket.to] >= MAX_BROWSERS_PER_NUMBER:
            raise web.HTTPTooManyRequests(text="too many browsers call this number")
        return {"to": ticket.to, "from_": ticket.from_, "trunk_id": ticket.trunk_id}

    def _check(self, request: web.Request) -> None:
        if not auth.allowed(self._config, request.headers.get("Authorization")):
            raise web.HTTPUnauthorized(
                text="account SID and auth token, please",
                headers={"WWW-Authenticate": 'Basic realm="gateway"'},
            )
        self._check_serving()

    def _check_serving(self) -> None:
        if self._exchange.closed:
            raise web.HTTPServiceUnavailable(text="the gateway is stopping")


class _Line:
    """A registered party, in a call or not."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._leg: SocketLeg | None = None

    @property
    def leg(self) -> SocketLeg | None:
        """Return the leg of its present call; None if there is none."""
        if self._leg is not None and self._leg.over.is_set():
            self._leg = None
        return self._leg

    def incoming(self, destination: Destination) -> SocketLeg:
        """Start a call for this party."""
        parties = {"from": destination.from_, "to": destination.to}
        self._leg = SocketLeg(self._socket, parties)
        return self._leg

    def hear(self, frame: bytes) -> None:
        """Pass audio to the call, if there is one."""
        if (leg := self.leg) is not None:
            leg.hear(frame)

    def command(self, message: dict[str, Any]) -> None:
        """Pass a message to the call, if there is one."""
        if (leg := self.leg) is not None:
            leg.command(message)


class _BusyLeg:
    """The leg to a party that is in another call. Implements `Leg`."""

    def __init__(self) -> None:
        self._events: LegEvents | None = None

    def attach(self, events: LegEvents, call_sid: str) -> None:  # noqa: ARG002
        """Set the receiver of the events."""
        self._events = events

    def ring(self) -> None:
        """Report busy at once."""
        if self._events is not None:
            self._events.on_hangup(486, "busy")

    async def answer(self) -> None:
        """Do nothing: the call is never answered."""

    def reject(self, release: Release) -> None:
        """Do nothing: there is no caller."""

    def hangup(self, release: Release) -> None:
        """Do nothing: there is no far end."""

    def play(self, frame: bytes) -> None:
        """Do nothing: there is no far end."""

    def press(self, digit: str) -> None:
        """Do nothing: there is no far end."""


def _party(request: web.Request, name: str, *, required: bool = True) -> str:
    value = request.query.get(name, "")
    if value.startswith(" "):
        value = "+" + value.strip()  # a plus that was not percent-encoded
    if not _PARTY.fullmatch(value) and (required or value):
        raise web.HTTPBadRequest(text=f"{name} is missing or is no number or SIP URI")
    return value


async def _read(
    ws: web.WebSocketResponse,
    hear: Callable[[bytes], None],
    command: Callable[[dict[str, Any]], None],
) -> None:
    pace = Pace(MESSAGES_A_SECOND, MESSAGES_BURST)
    async for message in ws:
        if not pace.take():
            await ws.close(code=_TOO_MANY_MESSAGES, message=b"too many messages")
            return
        try:
            if message.type is WSMsgType.BINARY:
                hear(message.data)
            elif message.type is WSMsgType.TEXT:
                command(parse_command(message.data))
        except ValueError as error:
            await ws.close(code=_BAD_MESSAGE, message=str(error).encode()[:120])
            return


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _until_over(reading: Coroutine[Any, Any, None], leg: SocketLeg) -> None:
    tasks = [asyncio.create_task(reading), asyncio.create_task(leg.over.wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
