"""A media stream: the client side of Twilio Media Streams, for one `<Connect><Stream>`.

It sends the caller's frames to the application's WebSocket and plays the answer through a
`PlayoutQueue`. It does not know legs: frames come in through `hear` and go out through `tick`.
Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from picows import WSCloseCode, WSError, WSFrame, WSListener, WSMsgType, WSTransport

from common import media_stream as ms
from gateway.errors import (
    STREAM_BAD_MESSAGE,
    STREAM_CONNECTION,
    STREAM_QUEUE_FULL,
    STREAM_SLOW_READER,
)
from gateway.media.early import EarlyMedia
from gateway.media.liveness import LOOK_S, Liveness
from gateway.media.opening import Opening
from gateway.media.playout_queue import Key, Marker, PlayoutQueue
from gateway.media.ticker import PERIOD
from gateway.sids import new_sid
from gateway.telemetry import logs
from gateway.telemetry.metrics import Metrics
from runtime.websocket import connect

MAX_MESSAGE = 10 * 1024 * 1024
"""Limit of a message of the server, in bytes: ten minutes of audio are less."""
MAX_UNREAD = 1 << 20
"""Bytes that may wait for a server that does not read. Audio is dropped long before. Marks and keys
must not be lost silently: beyond this limit the stream is ended."""
MAX_MARK = 1024
"""Limit of a mark's name, in characters."""
_CONNECT_TIMEOUT = 3.0
"""Seconds for the handshake. A server that hangs accepts connections and answers nothing; the
application is asked for another stream all the sooner."""
_CLOSE_TIMEOUT = 2.0
_TICKS_A_LOOK = round(LOOK_S / PERIOD)

_KEYS = frozenset("0123456789*#ABCD")
WARNINGS = 5
"""Warnings of one kind that a stream logs; a broken server sends fifty a second."""


class MediaStream(WSListener):  # type: ignore[misc, unused-ignore]
    """A stream, used once: `run` it, feed `hear`, call `tick` every 20 ms, `close` it.

    `press` is called with the keys that the server wants pressed.
    """

    def __init__(
        self, opening: Opening, metrics: Metrics, press: Callable[[str], None] = lambda _: None
    ) -> None:
        self.sid = new_sid("MZ")
        self._opening = opening
        self._metrics = metrics
        self._press = press
        self._log = logs.of_call(__name__, opening.call_sid, stream_sid=self.sid)
        self._playout = PlayoutQueue()
        self._says = ms.Outgoing(self.sid, opening.account_sid, opening.call_sid)
        self._transport: WSTransport | None = None
        self._closed = asyncio.Event()
        self._congested = False
        self._fragments = bytearray()
        self._early = EarlyMedia()
        self._warned: dict[int, int] = {}
        self._server = Liveness(0.0)
        self._ticks = 0

    async def run(self) -> bool:
        """Connect, and run until either side closes. Return False if there was no connection."""
        refusal = self._opening.refusal
        if refusal:
            return self._failed(refusal)
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                await connect(
                    lambda: self,
                    self._opening.url,
                    extra_headers={"X-Twilio-Signature": self._opening.signature},
                    websocket_handshake_timeout=_CONNECT_TIMEOUT,
                    enable_auto_ping=False,  # `Liveness` pings
                    max_frame_size=MAX_MESSAGE,
                    enable_auto_pong=False,
                    max_redirects=0,
                )
        except (WSError, OSError, TimeoutError, ValueError) as error:
            return self._failed(f"no stream: {type(error).__name__}: {error}")
        await self._closed.wait()
        return True

    def hear(self, frame: bytes) -> None:
        """Take 20 ms of mu-law from the caller; keep them while the stream is not open yet.

        A person says "hello" right after picking up, before a server has been reached.
        """
        if self._transport is None:
            if not self._closed.is_set():
                self._early.keep_frame(frame)
            return
        if self._congested:
            self._metrics.bytes_dropped += len(frame)
            self._warn(STREAM_SLOW_READER, "the server reads too slowly; audio is dropped")
            return
        self._send(self._says.media(frame))

    def dtmf(self, digit: str) -> None:
        """Tell the server that the caller pressed a key: now, or once the stream is open."""
        if self._transport is not None:
            self._send(self._says.dtmf(digit))
        elif not self._closed.is_set():
            self._early.keep_key(digit)

    def replay(self, early: EarlyMedia) -> None:
        """Take what was kept before this stream, or before it was open."""
        for item in early.take():
            if isinstance(item, bytes):
                self.hear(item)
            else:
                self.dtmf(item)

    def tick(self) -> bytes:
        """Return the frame for the caller's next 20 ms. Echo the marks that were reached."""
        frame, passed = self._playout.tick()
        for marker in passed:
            self._reached(marker)
        self._ticks += 1
        if self._ticks % _TICKS_A_LOOK == 0:
            self._look(time.monotonic())
        return frame

    def close(self) -> None:
        """Say `stop` and close. Do nothing if it is closed already."""
        transport, self._transport = self._transport, None
        if transport is not None and not transport.is_disconnected:
            transport.send(WSMsgType.TEXT, self._says.stop())
            transport.send_close(WSCloseCode.OK)
            asyncio.get_running_loop().call_later(_CLOSE_TIMEOUT, transport.disconnect, False)
        self._closed.set()

    # Callbacks of picows.

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Start the stream after the handshake, unless it has been closed meanwhile."""
        if self._closed.is_set():
            transport.disconnect(False)
        else:
            self._open(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Handle a frame of the server."""
        self._server.heard = True
        if transport.is_close_frame_sent or self._closed.is_set():
            return
        match frame.msg_type:
            case WSMsgType.TEXT if frame.fin:
                self._message(frame.get_payload_as_memoryview())
            case WSMsgType.TEXT | WSMsgType.CONTINUATION:
                self._fragment(transport, frame)
            case WSMsgType.CLOSE:
                transport.send_close(WSCloseCode.OK)
                transport.disconnect()
            case WSMsgType.PING:
                if not self._congested:
                    transport.send_pong(frame.get_payload_as_bytes())
            case WSMsgType.BINARY:
                self._warn(STREAM_BAD_MESSAGE, "a binary message; text was expected")
            case _:
                pass

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002
        """Note that the socket is gone, whichever side closed it."""
        self._transport = None
        self._closed.set()

    def pause_writing(self) -> None:
        """Drop audio from now on: the socket's buffer is full."""
        self._congested = True

    def resume_writing(self) -> None:
        """Send audio again: the socket's buffer has drained."""
        self._congested = False

    def _look(self, now: float) -> None:
        """Ping a server that is silent; give the stream up if it hangs."""
        transport = self._transport
        if transport is None:
            return
        match self._server.look(now):
            case "ping":
                transport.send_ping()
            case "hung":
                self._metrics.streams_hung += 1
                extra = {"error_code": STREAM_CONNECTION}
                self._log.error("the server is silent; the stream is given up", extra=extra)
                self._transport = None
                transport.disconnect(False)
            case _:
                pass

    def _open(self, transport: WSTransport) -> None:
        self._metrics.streams += 1
        self._transport = transport
        self._server = Liveness(time.monotonic())
        self._log.info("stream opened", extra={"url": self._opening.url.rpartition("/")[0]})
        self._send(self._says.connected())
        self._send(self._says.start(self._opening.parameters, keys=True))
        self.replay(self._early)

    def _failed(self, reason: str) -> bool:
        self._metrics.streams_failed += 1
        self._log.warning(reason, extra={"error_code": STREAM_CONNECTION})
        return False

    def _fragment(self, transport: WSTransport, frame: WSFrame) -> None:
        part = frame.get_payload_as_memoryview()
        if len(self._fragments) + len(part) > MAX_MESSAGE:
            self._fragments.clear()
            self._warn(STREAM_BAD_MESSAGE, f"a message of more than {MAX_MESSAGE} bytes: closed")
            transport.send_close(WSCloseCode.MESSAGE_TOO_BIG)
            transport.disconnect()
            return
        self._fragments += part
        if frame.fin:
            whole, self._fragments = self._fragments, bytearray()
            self._message(memoryview(whole))

    def _message(self, text: memoryview) -> None:
        try:
            message = ms.parse_to_provider(text)
            if message.stream_sid != self.sid:
                raise ValueError("streamSid is missing or another stream's")
            if isinstance(message, ms.Media):
                self._enqueue(message.media.payload)
            elif isinstance(message, ms.Mark):
                self._mark(_name(message.mark.name))
            elif isinstance(message, ms.Dtmf):
                self._mark(_key(message.dtmf.digit))
            else:
                for name in self._playout.clear():
                    self._echo(name)
        except RecursionError:
            self._warn(STREAM_BAD_MESSAGE, "message ignored: it is nested too deeply")
        except ValueError as error:
            self._warn(STREAM_BAD_MESSAGE, f"message ignored: {str(error)[:200]}")

    def _enqueue(self, ulaw: bytes) -> None:
        if dropped := self._playout.enqueue(ulaw):
            self._metrics.bytes_dropped += dropped
            self._warn(STREAM_QUEUE_FULL, f"ten minutes are queued; {dropped} bytes dropped")

    def _mark(self, marker: Marker) -> None:
        if self._playout.mark(marker):
            self._reached(marker)

    def _reached(self, marker: Marker) -> None:
        if isinstance(marker, Key):
            self._press(marker.digit)
        else:
            self._echo(marker)

    def _echo(self, name: str) -> None:
        self._send(self._says.mark(name))

    def _send(self, message: bytes) -> None:
        transport = self._transport
        if transport is None:
            return
        if transport.underlying_transport.get_write_buffer_size() > MAX_UNREAD:
            extra = {"error_code": STREAM_SLOW_READER}
            self._log.error("the server does not read; the stream is given up", extra=extra)
            self._transport = None
            transport.disconnect(False)
            return
        transport.send(WSMsgType.TEXT, message)

    def _warn(self, code: int, text: str) -> None:
        count = self._warned[code] = self._warned.get(code, 0) + 1
        if count <= WARNINGS:
            more = "; further ones are not logged" if count == WARNINGS else ""
            self._log.warning(text + more, extra={"error_code": code})


def _key(digit: str) -> Key:
    if digit not in _KEYS:
        raise ValueError("dtmf.digit is no key")
    return Key(digit)


def _name(name: str) -> str:
    if len(name) > MAX_MARK:
        raise ValueError(f"mark.name has more than {MAX_MARK} characters")
    return name
