"""The pipe between an agent's socket at this relay and the relay that holds its call, the owner.

The owner sees an ordinary connection of the agent. When it closes that, because it shuts down or
the caller's stream has moved, the application is asked where the call is, for as long as an agent
may be away: then the agent is piped to the new owner, or becomes a leg of the call here. The agent
notices nothing but a gap: it gets no second `start`.

Frames pass unread, fragments as fragments. If one side does not read, reading from the other is
paused; so it is the owner that drops audio for a slow agent, and says so.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from relay import logs
from relay.core.interfaces import Dialect
from relay.network.control import Answer, NoAnswerError, RefusedError
from relay.network.handshake import AgentHandshake
from runtime.websocket import connect

PIPED_HEADER = "X-Chamade-Led"
"""Header of a connection from another relay. It must not be piped further, or two relays that each
take the other for the owner would pipe it in a circle."""
MAX_FRAME = 1 << 20
HIGH_WATER = 64 * 1024
CONNECT_S = 1.0
"""For the connection to another relay. One that hangs accepts it and answers nothing."""
PAUSES_S = (0.1, 0.2, 0.4, 0.8)
"""Before each question where the call is; the last one again and again."""
_PING_S = 0.75
"""Seconds without anything from the owner until it is pinged, and from then until it is given up:
an owner that hangs closes nothing, and in a call fifty frames a second come."""
_RECONNECT = frozenset({0, 1001, 1006, 1011, 1012, 1013})
"""Close codes after which an agent connects again (docs/protocol.md, 8); 0: CLOSE without one."""
_DATA = frozenset({WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION})
START_PREFIXES = (b'{"type":"start"', b'{"event":"start"')
"""The first bytes of a relay's `start`, in either dialect."""
_HELD, _UNHELD = b'{"type":"held"', b'{"type":"unheld"'


class PipedAgent(Protocol):
    """The agent's socket, as the pipe sees it."""

    transport: WSTransport
    dialect: Dialect
    choked: bool
    call_id: str | None

    @property
    def closing(self) -> bool:
        """Return whether it is being closed, by whichever side."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Send CLOSE."""
        ...

    async def request_admission(self) -> Answer:
        """Ask the application to admit the agent. RefusedError may have the owner's URL."""
        ...

    def end_pipe(self, answer: Answer) -> None:
        """Join the call here, where it is by now."""
        ...

    def refuse(self, error: RefusedError) -> None:
        """Close with the code that stands for the application's refusal."""
        ...


class Pipe:
    """The pipe of one agent."""

    def __init__(
        self,
        agent: PipedAgent,
        handshake: AgentHandshake,
        away_s: float,
        texts: list[bytes],
    ) -> None:
        """`away_s`: seconds that an agent may be away. `texts`: its messages so far."""
        self._agent, self._handshake, self._away_s, self._texts = agent, handshake, away_s, texts
        self._owner: _OwnerConnection | None = None
        self._owner_has_sent = False
        """True if the owner has sent something since it was last looked for."""
        self._task: asyncio.Task[None] | None = None
        self._here = asyncio.Event()

    def begin(self, relay_url: str) -> None:
        """Pipe the agent to that relay, and to later owners of the call."""
        self._task = asyncio.get_running_loop().create_task(self._run(relay_url))

    def stream_came(self) -> None:
        """Ask at once where the call is: its stream has come to this relay. The former owner may
        hang, and say nothing.
        """
        self._here.set()

    def end(self) -> None:
        """Close the connection to the owner: the agent is gone."""
        if self._task is not None:
            self._task.cancel()
        if self._owner is not None:
            self._owner.close()

    def to_owner(self, frame: WSFrame) -> bool:
        """Send a frame of the agent's to the owner, or drop it while there is none. Return False if
        it is no data.
        """
        if frame.msg_type not in _DATA:
            return False
        owner = self._owner
        if owner is not None and not owner.transport.is_close_frame_sent:
            owner.transport.send(frame.msg_type, frame.get_payload_as_bytes(), frame.fin)
        return True

    def to_agent(self, frame: WSFrame) -> None:
        """Send a frame of the owner's to the agent."""
        self._owner_has_sent = True
        payload = frame.get_payload_as_bytes()
        if frame.msg_type == WSMsgType.TEXT:
            text = self._in_place_of(payload)
            if text is None:
                return
            payload = text
        if not self._agent.closing:
            self._agent.transport.send(frame.msg_type, payload, frame.fin)

    def _in_place_of(self, text: bytes) -> bytes | None:
        """Return the text that the agent gets, None for none: it knows what it was told before."""
        dialect = self._agent.dialect
        if text.startswith(START_PREFIXES):
            if dialect.started:
                return dialect.restarted()
            dialect.started = True
        elif text.startswith((_HELD, _UNHELD)):
            dialect.is_held = text.startswith(_HELD)
        return text

    def pause_owner(self) -> None:
        """Read no more from the owner: the agent does not read."""
        if self._owner is not None:
            _set_reading(self._owner.transport, False)

    def resume_owner(self) -> None:
        """Read from the owner again."""
        if self._owner is not None:
            _set_reading(self._owner.transport, True)

    def pause_agent(self) -> None:
        """Read no more from the agent: the owner does not read."""
        if not self._agent.closing:
            _set_reading(self._agent.transport, False)

    def resume_agent(self) -> None:
        """Read from the agent again."""
        if not self._agent.closing:
            _set_reading(self._agent.transport, True)

    async def _run(self, relay_url: str) -> None:
        until = time.monotonic() + self._away_s
        pauses = _pauses()
        try:
            owner_url: str | None = relay_url
            while owner_url is not None:
                code, reason = await self._pipe_until_moved(owner_url)
                if self._owner_has_sent:
                    self._owner_has_sent, pauses = False, _pauses()
                    until = time.monotonic() + self._away_s
                dialect = self._agent.dialect
                if code not in _RECONNECT:
                    self._agent.close(code, reason)
                    return
                if dialect.started and not dialect.resumes:
                    self._agent.close(1013, "the call has moved; connect again")
                    return
                owner_url = await self._find_owner(pauses, until)
        except Exception:
            logs.exception("pipe failed", call_id=self._agent.call_id)
            self._agent.close(1011, "internal error")

    async def _pipe_until_moved(self, owner_url: str) -> tuple[int, str]:
        """Pipe as `_pipe_to` does, but give the owner up when the call's stream has come here."""
        piping = asyncio.ensure_future(self._pipe_to(owner_url))
        here = asyncio.ensure_future(self._here.wait())
        try:
            await asyncio.wait([piping, here], return_when=asyncio.FIRST_COMPLETED)
            return piping.result() if piping.done() else (1006, "")
        finally:
            here.cancel()
            piping.cancel()

    async def _pipe_to(self, owner_url: str) -> tuple[int, str]:
        """Pipe until the owner's connection is closed. Return its close code and reason; 1006: it
        could not be opened.
        """
        owner = _OwnerConnection(self)
        path = self._handshake.path(started=self._agent.dialect.started)
        try:
            async with asyncio.timeout(CONNECT_S):
                await connect(
                    lambda: owner,
                    owner_url.rstrip("/") + path,
                    extra_headers={**self._handshake.headers, PIPED_HEADER: "1"},
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
        logs.info("piped to the owner", call_id=self._agent.call_id)
        self._begin_with(owner)
        try:
            await owner.gone.wait()
        finally:
            if not owner.gone.is_set():
                owner.close()
            if self._owner is owner:
                self._owner = None
            self.resume_agent()
        return owner.code, owner.reason

    def _begin_with(self, owner: _OwnerConnection) -> None:
        self._owner = owner
        texts, self._texts = self._texts, []
        for text in texts:
            owner.transport.send(WSMsgType.TEXT, text)
        _set_reading(owner.transport, not self._agent.choked)

    async def _find_owner(self, pauses: Iterator[float], until: float) -> str | None:
        """Return the URL of the relay that holds the call. None: the pipe has ended, as the agent
        has joined the call here or is closed.
        """
        for pause in pauses:
            if time.monotonic() > until:
                break
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._here.wait()
            self._here.clear()
            try:
                answer = await self._agent.request_admission()
            except NoAnswerError:
                continue
            except RefusedError as error:
                if error.relay_url is None:
                    self._agent.refuse(error)
                return error.relay_url
            self._agent.end_pipe(answer)
            return None
        self._agent.close(1013, "the call cannot be found; connect again")
        return None


def _pauses() -> Iterator[float]:
    return itertools.chain(PAUSES_S, itertools.repeat(PAUSES_S[-1]))


class _OwnerConnection(WSListener):
    """The connection to the owner."""

    transport: WSTransport

    def __init__(self, pipe: Pipe) -> None:
        self.code, self.reason = 1006, ""
        self.gone = asyncio.Event()
        self._pipe = pipe

    def close(self) -> None:
        """Send CLOSE and disconnect."""
        self.transport.send_close(WSCloseCode.GOING_AWAY)
        self.transport.disconnect(False)

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Set the socket up: the owner has accepted the handshake."""
        self.transport = transport
        sock = transport.underlying_transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, HIGH_WATER)
        transport.underlying_transport.set_write_buffer_limits(HIGH_WATER)

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002
        """Tell the pipe that the connection is gone, whoever closed it."""
        self.gone.set()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Send data to the agent, and handle control frames here."""
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
        """Pause the agent: more than `HIGH_WATER` bytes wait to be written."""
        self._pipe.pause_agent()

    def resume_writing(self) -> None:
        """Resume the agent: the owner has caught up."""
        self._pipe.resume_agent()


def _set_reading(transport: WSTransport, reading: bool) -> None:
    stream = transport.underlying_transport
    if not stream.is_closing():
        (stream.resume_reading if reading else stream.pause_reading)()
