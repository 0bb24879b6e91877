"""The provider's socket: Twilio Media Streams, the provider dials us.

Let in once both the application has granted it and its `start` names the call that was granted;
whichever comes first waits for the other, with two seconds of audio at most.
"""

from __future__ import annotations

import asyncio
from collections import deque

from picows import WSFrame, WSTransport

from relay.calls import Calls
from relay.control import Answer
from relay.hearing import KEPT_MS
from relay.leg import EARLY_BYTES, TEXT, Leg, now
from relay.wire.agent import FRAME_MS
from wire import media_stream

HELD_MESSAGES = KEPT_MS // FRAME_MS
"""How much is kept while the application thinks about it: as much as for an agent."""


class ProviderSocket(Leg):
    """One media stream."""

    kind = "provider"
    # The five minutes that the playout may hold are 3.3 MB as messages, and an agent may send
    # them in one go: less would drop speech that nobody is slow to take.
    high_water = 4 << 20

    def __init__(self, calls: Calls, token: str, url: str, signature: str) -> None:
        super().__init__(calls)
        self._attach = token, url, signature
        self._answer: Answer | None = None
        self._start: media_stream.Start | None = None
        self._held: deque[tuple[media_stream.FromProvider, int]] = deque()
        self._held_bytes = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The upgrade is done: a `start` must follow soon."""
        super().on_ws_connected(transport)
        loop = asyncio.get_running_loop()
        self._silence = loop.call_later(
            self.calls.graces.provider_start, self.close, 4408, "silent: no start message"
        )

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Audio goes straight to the bridge. Hot path."""
        bridge = self.bridge
        if (
            bridge is not None
            and frame.msg_type == TEXT  # type: ignore[comparison-overlap]
            and frame.fin
            and not (self._parts or transport.is_close_frame_sent)
        ):
            ulaw = media_stream.decode_media(frame.get_payload_as_memoryview())
            if ulaw is not None:
                bridge.caller_audio(ulaw, now())
                return
        super().on_ws_frame(transport, frame)

    async def ask(self) -> Answer:
        """Does this token belong to a call, and did the provider sign the handshake?"""
        return await self.calls.control.attach_provider(*self._attach)

    def admitted(self, answer: Answer) -> None:
        """The application granted it."""
        self._answer = answer
        self._meet()

    def on_text(self, text: bytes) -> None:
        """A message of the stream; what is not one, or of a kind yet unknown, is let pass."""
        try:
            message = media_stream.parse_from_provider(text)
        except ValueError:
            return
        if isinstance(message, media_stream.Start):
            if self._start is None:
                self._start = message
                self._silence.cancel()
                self._meet()
        elif isinstance(message, media_stream.Stop):
            self.gone()
            self.close(1000, "stream stopped")
        elif isinstance(message, media_stream.Connected):
            return
        elif self.bridge is None:
            self._hold(message, len(text))
        else:
            self._pass_on(message)

    def on_binary(self, payload: bytes) -> None:
        """Media Streams has no binary messages."""

    def gone(self) -> None:
        """The stream is over, whether it said so or the socket just went."""
        self._silence.cancel()
        if self.bridge is not None:
            self.bridge.provider_gone(self, now())
            self.bridge = None

    def _meet(self) -> None:
        answer, start = self._answer, self._start
        if answer is None or start is None:
            return
        if start.start.call_sid != answer.provider_call_id:
            self.close(4403, "start names another call")
            return
        bridge = self.calls.bridge(answer)
        if not bridge.provider_started(
            self, start.stream_sid, now(), keys=start.start.keys is True
        ):
            return
        self.joined(bridge)
        while self._held:
            self._pass_on(self._held.popleft()[0])

    def _hold(self, message: media_stream.FromProvider, size: int) -> None:
        """Keep it until the stream is let in; the oldest go, as with an agent that is not there."""
        self._held.append((message, size))
        self._held_bytes += size
        while len(self._held) > HELD_MESSAGES or self._held_bytes > EARLY_BYTES:
            self._held_bytes -= self._held.popleft()[1]
            self.calls.counters.dropped["to_agent", "no_agent"] += 1

    def _pass_on(self, message: media_stream.FromProvider) -> None:
        if self.bridge is None:
            return
        if isinstance(message, media_stream.Media):
            self.bridge.caller_audio(message.media.payload, now())
        else:
            self.bridge.caller_message(message)
