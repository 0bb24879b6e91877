"""A party on a WebSocket: binary messages are 20 ms of mu-law, text messages are small JSON.

For callers and called parties that are programs: tests, demos, the softphone, a browser. The party
sets the pace of its own audio. Frames that come faster than real time are dropped beyond a burst of
one second, and so are frames that a slow party does not take. This is not a telephone network: the
account's credentials, or a ticket, decide who may connect (`routes.py`).

| text message | from the gateway | from the party |
|---|---|---|
| `{"type":"ringing","call_sid"}` | inbound: the call rings | |
| `{"type":"answered","call_sid"}` | audio flows from here on | |
| `{"type":"incoming","call_sid","from","to"}` | a registered number is called | |
| `{"type":"accept"}` | | takes the incoming call |
| `{"type":"reject","reason":"busy"\\|"declined"}` | | does not |
| `{"type":"dtmf","digit"}` | the other side pressed a key | a key was pressed |
| `{"type":"hangup"}` | | hangs up |
| `{"type":"ended","call_sid","status","sip_code","reason"}` | last message about a call | |
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

from aiohttp import web

from gateway.calls.leg import LegEvents, Release
from gateway.calls.pace import Pace
from gateway.media.playout_queue import FRAME

QUEUE = 100
"""Frames that may wait for a party; further ones are dropped."""
QUEUE_MESSAGES = 200
"""Frames and messages that may wait; a party with more of them is disconnected."""
FRAMES_A_SECOND, BURST = 50.0, 50.0
"""Limit of the frames that a party sends; further ones are dropped."""
_KEYS = frozenset("0123456789*#ABCD")
_REJECTIONS = {"busy": (486, "busy"), "declined": (603, "declined")}

log = logging.getLogger(__name__)


class Socket:
    """The sending half of a WebSocket: never blocks, keeps order, bounds the audio it holds."""

    def __init__(self, ws: web.WebSocketResponse, abort: Callable[[], None]) -> None:
        """`abort` ends the connection at once."""
        self._ws = ws
        self._abort = abort
        self._queue: asyncio.Queue[bytes | str | None] = asyncio.Queue()
        self._given_up = False
        self._pump = asyncio.create_task(self._send())
        self.dropped = 0

    def tell(self, kind: str, **fields: Any) -> None:
        """Send a JSON text message. A party with too many waiting messages is disconnected."""
        if self._queue.qsize() >= QUEUE_MESSAGES:
            if not self._given_up:
                log.warning("a socket party does not read; it is given up")
                self._given_up = True
                self._abort()
            return
        self._queue.put_nowait(json.dumps({"type": kind, **fields}))

    def play(self, frame: bytes) -> None:
        """Send an audio frame; drop it if two seconds of them wait already."""
        if self._queue.qsize() < QUEUE:
            self._queue.put_nowait(frame)
        elif not self._given_up:
            if not self.dropped:
                log.warning("a socket party reads too slowly; audio is dropped")
            self.dropped += 1

    async def close(self) -> None:
        """Send what is queued, then close; give up if the far side does not take it."""
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
            pass  # the reading half sees that the connection is lost, and ends the call


class SocketLeg:
    """A call on a socket. Implements `Leg`."""

    def __init__(self, socket: Socket, incoming: dict[str, str] | None = None) -> None:
        self._socket = socket
        self._events: LegEvents | None = None
        self._incoming = incoming
        self._talking = False
        self._pace = Pace(FRAMES_A_SECOND, BURST)
        self._call_sid: str | None = None
        self.over = asyncio.Event()

    # Leg: commands of the call.

    def attach(self, events: LegEvents, call_sid: str) -> None:
        """Set the receiver of the events."""
        self._events = events
        self._call_sid = call_sid

    def ring(self) -> None:
        """Tell the caller that it rings, or the called party that there is a call."""
        if self._incoming is None:
            self._socket.tell("ringing", call_sid=self._call_sid)
        else:
            self._socket.tell("incoming", call_sid=self._call_sid, **self._incoming)
            if self._events is not None:
                self._events.on_ringing()

    async def answer(self) -> None:
        """Tell the caller that the call is answered."""
        self._start_talking()

    def reject(self, release: Release) -> None:
        """Refuse the caller."""
        self.hangup(release)

    def hangup(self, release: Release) -> None:
        """Send the last message about this call."""
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
        """Send an audio frame to the party."""
        self._socket.play(frame)

    def press(self, digit: str) -> None:
        """Tell the party that a key was pressed."""
        self._socket.tell("dtmf", digit=digit)

    # Messages of the party.

    def hear(self, frame: bytes) -> None:
        """Take a binary message. Raises ValueError if it is no frame."""
        if len(frame) != FRAME:
            raise ValueError(f"audio comes in frames of {FRAME} bytes, not {len(frame)}")
        if self._talking and self._events is not None and self._pace.take():
            self._events.on_audio(frame)

    def command(self, message: dict[str, Any]) -> None:
        """Handle a text message. Raises ValueError if it is not valid."""
        events = self._events
        if events is None or self.over.is_set():
            return  # it was sent before the party got our `ended`
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
        """End the call: the socket was lost without a `hangup`."""
        if self._events is not None and not self.over.is_set():
            self._events.on_hangup(200 if self._talking else 487, "connection lost")

    def _start_talking(self) -> None:
        self._talking = True
        self._socket.tell("answered", call_sid=self._call_sid)


def parse_command(text: str) -> dict[str, Any]:
    """Return a text message as an object. Raises ValueError if it is none."""
    try:
        message = json.loads(text)
    except RecursionError:
        raise ValueError("a message is nested too deeply") from None
    except ValueError:
        raise ValueError("text messages are JSON") from None
    if not isinstance(message, dict):
        raise ValueError("text messages are JSON objects")
    return message
