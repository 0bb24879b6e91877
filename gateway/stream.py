"""A media stream: the client side of Twilio Media Streams, for one `<Connect><Stream>`.

It carries the caller's frames to the application's WebSocket and plays what comes back through a
`Playout`. It does not know legs: frames come in through `hear`, go out through `tick`.
Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from picows import WSCloseCode, WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from gateway import logs
from gateway.errors import (
    STREAM_BAD_MESSAGE,
    STREAM_CONNECTION,
    STREAM_QUEUE_FULL,
    STREAM_SLOW_READER,
)
from gateway.metrics import Metrics
from gateway.playout import Key, Marker, Playout
from gateway.sids import new_sid
from wire import media_stream as ms

_MAX_MESSAGE = 10 * 1024 * 1024
_CONNECT_TIMEOUT = 10.0
_CLOSE_TIMEOUT = 2.0
EARLY = 100
"""Frames kept for a stream that is about to open: the last two seconds."""

_KEYS = frozenset("0123456789*#ABCD")
_WARNINGS = 5
"""Warnings of one kind logged a stream; a broken server sends fifty a second."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a stream tells its server about itself."""

    url: str
    signature: str
    account_sid: str
    call_sid: str
    parameters: dict[str, str]


class MediaStream(WSListener):  # type: ignore[misc, unused-ignore]
    """One stream, used once: `run` it, feed `hear`, call `tick` every 20 ms, `close` it. `press`
    is told of the keys that the server wants pressed."""

    def __init__(
        self, opening: Opening, metrics: Metrics, press: Callable[[str], None] = lambda _: None
    ) -> None:
        self.sid = new_sid("MZ")
        self._opening = opening
        self._metrics = metrics
        self._press = press
        self._log = logs.of_call(__name__, opening.call_sid, stream_sid=self.sid)
        self._playout = Playout()
        self._says = ms.Outgoing(self.sid, opening.account_sid, opening.call_sid)
        self._transport: WSTransport | None = None
        self._closed = asyncio.Event()
        self._congested = False
        self._fragments = bytearray()
        self._early: deque[bytes] = deque(maxlen=EARLY)
        self._warned: dict[int, int] = {}

    async def run(self) -> bool:
        """Connects and lasts until either side closes. False: there was no connecting."""
        refusal = _refusal(self._opening.url)
        if refusal:
            return self._failed(refusal)
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                await ws_connect(
                    lambda: self,
                    self._opening.url,
                    extra_headers={"X-Twilio-Signature": self._opening.signature},
                    websocket_handshake_timeout=_CONNECT_TIMEOUT,
                    enable_auto_ping=True,
                    max_frame_size=_MAX_MESSAGE,
                    max_redirects=0,
                )
        except (WSError, OSError, TimeoutError, ValueError) as error:
            return self._failed(f"no stream: {type(error).__name__}: {error}")
        await self._closed.wait()
        return True

    def hear(self, frame: bytes) -> None:
        """20 ms of mu-law from the caller. While the stream is not open yet they are kept: who
        picks up says "hello" before a server has been reached."""
        if self._transport is None:
            if not self._closed.is_set():
                self._early.append(frame)
            return
        if self._congested:
            self._metrics.bytes_dropped += len(frame)
            self._warn(STREAM_SLOW_READER, "the server reads too slowly; audio is dropped")
            return
        self._send(self._says.media(frame))

    def dtmf(self, digit: str) -> None:
        """The caller pressed a key."""
        self._send(self._says.dtmf(digit))

    def tick(self) -> bytes:
        """20 ms are over: the frame that the caller shall hear now. Echoes marks passed by."""
        frame, passed = self._playout.tick()
        for marker in passed:
            self._reached(marker)
        return frame

    def close(self) -> None:
        """The call goes another way: says `stop` and closes. Harmless when closed already."""
        transport, self._transport = self._transport, None
        if transport is not None and not transport.is_disconnected:
            transport.send(WSMsgType.TEXT, self._says.stop())
            transport.send_close(WSCloseCode.OK)
            asyncio.get_running_loop().call_later(_CLOSE_TIMEOUT, transport.disconnect, False)
        self._closed.set()

    # What picows calls.

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The handshake is done: say who we are, unless the call has gone elsewhere meanwhile."""
        if self._closed.is_set():
            transport.disconnect(False)
        else:
            self._open(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """A frame of the server."""
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
            case WSMsgType.BINARY:
                self._warn(STREAM_BAD_MESSAGE, "a binary message; text was expected")
            case _:
                pass

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002
        """The socket is gone, whoever closed it."""
        self._transport = None
        self._closed.set()

    def pause_writing(self) -> None:
        """The socket's buffer is full."""
        self._congested = True

    def resume_writing(self) -> None:
        """The socket's buffer has drained."""
        self._congested = False

    def _open(self, transport: WSTransport) -> None:
        self._metrics.streams += 1
        self._transport = transport
        self._log.info("stream opened", extra={"url": self._opening.url.rpartition("/")[0]})
        self._send(self._says.connected())
        self._send(self._says.start(self._opening.parameters, keys=True))
        while self._early:
            self.hear(self._early.popleft())

    def _failed(self, reason: str) -> bool:
        self._metrics.streams_failed += 1
        self._log.warning(reason, extra={"error_code": STREAM_CONNECTION})
        return False

    def _fragment(self, transport: WSTransport, frame: WSFrame) -> None:
        self._fragments += frame.get_payload_as_memoryview()
        if len(self._fragments) > _MAX_MESSAGE:
            transport.send_close(WSCloseCode.MESSAGE_TOO_BIG)
            transport.disconnect()
        elif frame.fin:
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
                self._mark(message.mark.name)
            elif isinstance(message, ms.Dtmf):
                self._mark(_key(message.dtmf.digit))
            else:
                for name in self._playout.clear():
                    self._echo(name)
        except ValueError as error:
            self._warn(STREAM_BAD_MESSAGE, f"message ignored: {error}")

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
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, message)

    def _warn(self, code: int, text: str) -> None:
        count = self._warned[code] = self._warned.get(code, 0) + 1
        if count <= _WARNINGS:
            more = "; further ones are not logged" if count == _WARNINGS else ""
            self._log.warning(text + more, extra={"error_code": code})


def _key(digit: str) -> Key:
    if digit not in _KEYS:
        raise ValueError("dtmf.digit is no key")
    return Key(digit)


def _refusal(url: str) -> str | None:
    if not url.startswith(("ws://", "wss://")):
        # Twilio takes wss only; ws is for stacks on one machine and inside a private network.
        return "no stream: the URL is neither wss nor ws"
    if "?" in url or "#" in url:
        return "no stream: the URL has a query string; use <Parameter> or the path"
    return None
