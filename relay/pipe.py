"""An agent whose call another relay holds: its socket stays here, and what passes is led there.

The owner sees an ordinary connection of the agent. When it lets go, because it shuts down or the
caller's stream has gone elsewhere, the application is asked again, for as long as an agent may be
away: then the agent is led to the new owner, or becomes a leg of the call here. Agents notice
nothing but a gap: whoever had its `start` gets no other.

Frames pass unread, fragments as fragments. A side that does not read holds the other up by TCP, so
what is dropped for a slow agent is dropped, and said, by the owner.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, Self
from urllib.parse import urlencode

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from relay import logs
from relay.control import Answer, RefusedError, UnreachableError
from relay.ports import Dialect

LED = "X-Chamade-Led"
"""Header of a connection from another relay: it must not be led further, or relays that both look
for the owner would lead it in a circle."""
MAX_FRAME = 1 << 20
HIGH_WATER = 64 * 1024
CONNECT_S = 3.0
PAUSES_S = (0.1, 0.2, 0.4, 0.8)
"""Between questions where the call is; the last one again and again."""
_PING_S = 20.0
_WISHES: tuple[str, ...] = ("dialect", "format", "rate")
_AGAIN = frozenset({0, 1001, 1006, 1011, 1012, 1013})
"""Close codes after which an agent would come again (docs/protocol.md, 8); 0: no code at all."""
_DATA = frozenset({WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION})
START = (b'{"type":"start"', b'{"event":"start"')
"""How our own relays' `start` begins, in either dialect."""


@dataclass(frozen=True)
class Way:
    """How an agent has come: path with query, and headers, of its handshake."""

    path: str
    headers: dict[str, str]

    @classmethod
    def of(cls, call_id: str, token: str, given: dict[str, str]) -> Self:
        """`given`: the query's parameters."""
        wishes = [(name, given[name]) for name in _WISHES if name in given]
        path = f"/media/agent/{call_id}?{urlencode(wishes)}"
        return cls(path, {"Authorization": f"Bearer {token}"})


class Led(Protocol):
    """The agent's socket, as the pipe sees it."""

    transport: WSTransport
    dialect: Dialect
    choked: bool
    call_id: str | None

    @property
    def closing(self) -> bool:
        """True once it is being closed, by whichever side."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close it."""
        ...

    async def ask(self) -> Answer:
        """Where is the call? RefusedError, UnreachableError."""
        ...

    def come_back(self, answer: Answer) -> None:
        """The call is here by now."""
        ...

    def refuse(self, error: RefusedError) -> None:
        """The application says no: close it with what that means."""
        ...


class Pipe:
    """One agent's way to the relay that holds its call."""

    def __init__(self, agent: Led, way: Way, back_s: float, held: list[bytes]) -> None:
        """`held`: what the agent has said already. `back_s`: how long it may be away."""
        self._agent, self._way, self._back_s, self._held = agent, way, back_s, held
        self._owner: _Owner | None = None
        self._begun = False
        """Whether the owner has had its say since it was last looked for."""
        self._task: asyncio.Task[None] | None = None

    def begin(self, relay_url: str) -> None:
        """Lead it there, and wherever the call goes afterwards."""
        self._task = asyncio.get_running_loop().create_task(self._run(relay_url))

    def end(self) -> None:
        """The agent is gone."""
        if self._task is not None:
            self._task.cancel()
        if self._owner is not None:
            self._owner.leave()

    def to_owner(self, frame: WSFrame) -> bool:
        """What the agent says; nobody hears it while the call is looked for. False: no data."""
        if frame.msg_type not in _DATA:
            return False
        owner = self._owner
        if owner is not None and not owner.transport.is_close_frame_sent:
            owner.transport.send(frame.msg_type, frame.get_payload_as_bytes(), frame.fin)
        return True

    def to_agent(self, frame: WSFrame) -> None:
        """What the owner says."""
        self._begun = True
        payload = frame.get_payload_as_bytes()
        if frame.msg_type == WSMsgType.TEXT and payload.startswith(START):
            if self._agent.dialect.started:
                return
            self._agent.dialect.started = True
        if not self._agent.closing:
            self._agent.transport.send(frame.msg_type, payload, frame.fin)

    def hold_owner(self, held: bool) -> None:
        """The agent does not read, or does again."""
        if self._owner is not None:
            _hold(self._owner.transport, held)

    def hold_agent(self, held: bool) -> None:
        """The owner does not read, or does again."""
        if not self._agent.closing:
            _hold(self._agent.transport, held)

    async def _run(self, relay_url: str) -> None:
        until = time.monotonic() + self._back_s
        pauses = _pauses()
        try:
            where: str | None = relay_url
            while where is not None:
                code, reason = await self._through(where)
                if self._begun:
                    self._begun, pauses = False, _pauses()
                    until = time.monotonic() + self._back_s
                dialect = self._agent.dialect
                if code not in _AGAIN:
                    self._agent.close(code, reason)
                    return
                if dialect.started and not dialect.resumes:
                    self._agent.close(1013, "the call has moved; connect again")
                    return
                where = await self._look(pauses, until)
        except Exception:
            logs.exception("pipe failed", call_id=self._agent.call_id)
            self._agent.close(1011, "internal error")

    async def _through(self, relay_url: str) -> tuple[int, str]:
        """The code with which the connection to the owner was closed, and why; 1006: there was
        none."""
        owner = _Owner(self)
        try:
            async with asyncio.timeout(CONNECT_S):
                await ws_connect(
                    lambda: owner,
                    relay_url.rstrip("/") + self._way.path,
                    extra_headers={**self._way.headers, LED: "1"},
                    max_redirects=0,
                    enable_auto_ping=True,
                    enable_auto_pong=False,
                    auto_ping_idle_timeout=_PING_S,
                    auto_ping_reply_timeout=_PING_S,
                    max_frame_size=MAX_FRAME,
                )
        except Exception as error:
            why = type(error).__name__
            logs.warning("owner not reached", call_id=self._agent.call_id, why=why)
            return 1006, ""
        logs.info("led to the owner", call_id=self._agent.call_id)
        self._take(owner)
        try:
            await owner.gone.wait()
        finally:
            self._owner = None
            self.hold_agent(False)
        return owner.code, owner.reason

    def _take(self, owner: _Owner) -> None:
        self._owner = owner
        held, self._held = self._held, []
        for text in held:
            owner.transport.send(WSMsgType.TEXT, text)
        _hold(owner.transport, self._agent.choked)

    async def _look(self, pauses: Iterator[float], until: float) -> str | None:
        """Where the call is now; None if the agent has been dealt with."""
        for pause in pauses:
            if time.monotonic() > until:
                break
            await asyncio.sleep(pause)
            try:
                answer = await self._agent.ask()
            except UnreachableError:
                continue
            except RefusedError as error:
                if error.relay_url is None:
                    self._agent.refuse(error)
                return error.relay_url
            self._agent.come_back(answer)
            return None
        self._agent.close(1013, "the call cannot be found; connect again")
        return None


def _pauses() -> Iterator[float]:
    return itertools.chain(PAUSES_S, itertools.repeat(PAUSES_S[-1]))


class _Owner(WSListener):
    """The connection to the owner."""

    transport: WSTransport

    def __init__(self, pipe: Pipe) -> None:
        self.code, self.reason = 1006, ""
        self.gone = asyncio.Event()
        self._pipe = pipe

    def leave(self) -> None:
        """The agent is gone: so is this."""
        self.transport.send_close(WSCloseCode.GOING_AWAY)
        self.transport.disconnect(False)

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The owner has taken the handshake."""
        self.transport = transport
        sock = transport.underlying_transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, HIGH_WATER)
        transport.underlying_transport.set_write_buffer_limits(HIGH_WATER)

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002
        """It is gone, whoever closed it."""
        self.gone.set()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Data goes on; the rest is between the relays."""
        kind = frame.msg_type
        if kind in _DATA:
            self._pipe.to_agent(frame)
        elif kind == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif kind == WSMsgType.CLOSE:
            payload = frame.get_payload_as_bytes()
            self.code = int.from_bytes(payload[:2], "big")
            self.reason = payload[2:].decode("utf-8", "replace")
            if not transport.is_close_frame_sent:
                transport.send_close(WSCloseCode.OK)
            transport.disconnect()

    def pause_writing(self) -> None:
        """More than `HIGH_WATER` bytes wait."""
        self._pipe.hold_agent(True)

    def resume_writing(self) -> None:
        """The owner has caught up."""
        self._pipe.hold_agent(False)


def _hold(transport: WSTransport, held: bool) -> None:
    stream = transport.underlying_transport
    if not stream.is_closing():
        (stream.pause_reading if held else stream.resume_reading)()
