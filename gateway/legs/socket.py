"""A party on a WebSocket: binary messages are 20 ms of mu-law, text messages are small JSON.

For callers and called parties that are programs: tests, demos, the softphone, a browser. The far
side paces its own audio; what comes faster than real time beyond a second's burst is dropped, and
so is what a slow far side does not take. Not a telephone network: who may connect is decided by
the account's credentials, or a ticket, in `socket_routes.py`.

| text message | from the gateway | from the party |
|---|---|---|
| `{"type":"ringing","call_sid"}` | inbound: the call rings | |
| `{"type":"answered","call_sid"}` | audio flows from here on | |
| `{"type":"incoming","call_sid","from","to"}` | a registered number is called | |
| `{"type":"accept"}` | | takes the incoming call |
| `{"type":"reject","reason":"busy"\\|"declined"}` | | does not |
| `{"type":"dtmf","digit"}` | the other side pressed a key | a key was pressed |
| `{"type":"hangup"}` | | hangs up |
| `{"type":"ended","call_sid","status","sip_code","reason"}` | last word about a call | |
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any

from aiohttp import web

from gateway.legs.base import LegEvents, Release
from gateway.playout import FRAME

_QUEUE = 100
_BURST = 50.0
_FRAMES_A_SECOND = 50.0
_KEYS = frozenset("0123456789*#ABCD")
_REJECTIONS = {"busy": (486, "busy"), "declined": (603, "declined")}

log = logging.getLogger(__name__)


class Socket:
    """The sending half of a WebSocket: never blocks, keeps order, bounds the audio it holds."""

    def __init__(self, ws: web.WebSocketResponse) -> None:
        self._ws = ws
        self._queue: asyncio.Queue[bytes | str | None] = asyncio.Queue()
        self._pump = asyncio.create_task(self._send())
        self.dropped = 0

    def tell(self, kind: str, **fields: Any) -> None:
        """A JSON text message."""
        self._queue.put_nowait(json.dumps({"type": kind, **fields}))

    def play(self, frame: bytes) -> None:
        """An audio frame; dropped if two seconds of them wait already."""
        if self._queue.qsize() < _QUEUE:
            self._queue.put_nowait(frame)
        else:
            if not self.dropped:
                log.warning("a socket party reads too slowly; audio is dropped")
            self.dropped += 1

    async def close(self) -> None:
        """Sends what is queued and closes; gives up on a far side that does not take it."""
        self._queue.put_nowait(None)
        await asyncio.wait([self._pump], timeout=2.0)
        self._pump.cancel()

    async def _send(self) -> None:
        try:
            while (item := await self._queue.get()) is not None:
                if isinstance(item, bytes):
                    await self._ws.send_bytes(item)
                else:
                    await self._ws.send_str(item)
            await self._ws.close()
        except (ConnectionError, RuntimeError):
            pass  # the reading half notices a lost connection and ends the call


class SocketLeg:
    """One call on a socket. Implements `Leg`."""

    def __init__(self, socket: Socket, incoming: dict[str, str] | None = None) -> None:
        self._socket = socket
        self._events: LegEvents | None = None
        self._incoming = incoming
        self._talking = False
        self._credit = _BURST
        self._credited_at = time.monotonic()
        self._call_sid: str | None = None
        self.over = asyncio.Event()

    # Leg: what the call wants.

    def attach(self, events: LegEvents, call_sid: str) -> None:
        """Whom to report to."""
        self._events = events
        self._call_sid = call_sid

    def ring(self) -> None:
        """Tells the caller that it rings, or the called party that somebody calls."""
        if self._incoming is None:
            self._socket.tell("ringing", call_sid=self._call_sid)
        else:
            self._socket.tell("incoming", call_sid=self._call_sid, **self._incoming)
            if self._events is not None:
                self._events.on_ringing()

    async def answer(self) -> None:
        """Tells the caller that the call is answered."""
        self._start_talking()

    def reject(self, release: Release) -> None:
        """Turns the caller away."""
        self.hangup(release)

    def hangup(self, release: Release) -> None:
        """The last word about this call."""
        if not self.over.is_set():
            self._talking = False
            self.over.set()
            self._socket.tell(
                "ended",
                call_sid=self._call_sid,
                status=release.status,
                sip_code=release.sip_code,
                reason=release.reason,
            )

    def play(self, frame: bytes) -> None:
        """A frame for the party's ear."""
        self._socket.play(frame)

    def press(self, digit: str) -> None:
        """Tells the party of a key."""
        self._socket.tell("dtmf", digit=digit)

    # What the party does.

    def hear(self, frame: bytes) -> None:
        """A binary message. ValueError: it is no frame."""
        if len(frame) != FRAME:
            raise ValueError(f"audio comes in frames of {FRAME} bytes, not {len(frame)}")
        if self._talking and self._events is not None and self._in_pace():
            self._events.on_audio(frame)

    def command(self, message: dict[str, Any]) -> None:
        """A text message. ValueError: it makes no sense."""
        events = self._events
        if events is None or self.over.is_set():
            return  # it crossed our own last word
        match message:
            case {"type": "hangup"}:
                events.on_hangup(200 if self._talking else 487, "hung up by the party")
            case {"type": "dtmf", "digit": str(digit)} if digit in _KEYS:
                events.on_dtmf(digit)
            case {"type": "accept"} if self._incoming is not None:
                if not self._talking:
                    self._start_talking()
                    events.on_answered()
            case {"type": "reject", "reason": str(reason)} if reason in _REJECTIONS:
                if self._incoming is not None and not self._talking:
                    events.on_hangup(*_REJECTIONS[reason])
            case _:
                raise ValueError("not a message of this protocol")

    def lost(self) -> None:
        """The socket is gone without a word."""
        if self._events is not None and not self.over.is_set():
            self._events.on_hangup(200 if self._talking else 487, "connection lost")

    def _start_talking(self) -> None:
        self._talking = True
        self._socket.tell("answered", call_sid=self._call_sid)

    def _in_pace(self) -> bool:
        now = time.monotonic()
        earned = (now - self._credited_at) * _FRAMES_A_SECOND
        self._credit = min(_BURST, self._credit + earned) - 1
        self._credited_at = now
        if self._credit < 0:
            self._credit += 1
            return False
        return True


def parse_command(text: str) -> dict[str, Any]:
    """A text message as an object. ValueError: it is none."""
    try:
        message = json.loads(text)
    except ValueError:
        raise ValueError("text messages are JSON") from None
    if not isinstance(message, dict):
        raise ValueError("text messages are JSON objects")
    return message
