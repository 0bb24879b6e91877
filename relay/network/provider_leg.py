"""The provider's socket: Twilio Media Streams, to which the provider connects.

It joins its call once the application has admitted it and its `start` names that call, in either
order. Meanwhile two seconds of audio are kept at most.
"""

from __future__ import annotations

import asyncio
from collections import deque

from picows import WSFrame, WSTransport

from common import media_stream
from relay.core.caller_to_agent import KEPT_MS
from relay.network.calls import Calls
from relay.network.control import Answer
from relay.network.leg import EARLY_BYTES, TEXT, Leg, now
from relay.protocol.agent import FRAME_MS

KEPT_MESSAGES = KEPT_MS // FRAME_MS
"""Messages that are kept until the stream joins: as much audio as is kept for an agent."""


class ProviderSocket(Leg):
    """One media stream."""

    kind = "provider"
    # An agent may send at once the five minutes that playout may queue, 3.3 MB as messages: with
    # less, audio would be dropped although the provider is not slow.
    high_water = 4 << 20

    def __init__(self, calls: Calls, token: str, url: str, signature: str) -> None:
        super().__init__(calls)
        self._attach_arguments = token, url, signature
        self._answer: Answer | None = None
        self._start: media_stream.Start | None = None
        self._kept: deque[tuple[media_stream.FromProvider, int]] = deque()
        self._kept_bytes = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Set the socket up and wait for its `start`: the upgrade is done."""
        super().on_ws_connected(transport)
        loop = asyncio.get_running_loop()
        self._start_timer = loop.call_later(
            self.calls.timeouts.provider_start, self.close, 4408, "silent: no start message"
        )

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Pass audio straight to the bridge. Hot path."""
        bridge = self.bridge
        if (
            bridge is not None
            and frame.msg_type == TEXT  # type: ignore[comparison-overlap]
            and frame.fin
            and not (self._fragments or transport.is_close_frame_sent)
        ):
            came = now()
            ulaw = media_stream.decode_media(frame.get_payload_as_bytes())
            if ulaw is not None:
                quality = bridge.quality
                quality.caller_spoke(ulaw, came)
                bridge.caller_audio(ulaw, came)
                if came >= quality.sample_caller_at:
                    quality.passed(came, now())
                return
        super().on_ws_frame(transport, frame)

    async def request_admission(self) -> Answer:
        """Ask the application whether the token is a call's and the provider's signature is right.

        RefusedError, NoAnswerError.
        """
        return await self.calls.control.attach_provider(*self._attach_arguments)

    def on_admitted(self, answer: Answer) -> None:
        """Join the call, if `start` has come: the application has admitted this socket."""
        self._answer = answer
        self._join()

    def on_text(self, text: bytes) -> None:
        """Handle a message of the stream. Unknown and malformed messages are ignored."""
        try:
            message = media_stream.parse_from_provider(text)
        except ValueError:
            return
        if isinstance(message, media_stream.Start):
            if self._start is None:
                self._start = message
                self._start_timer.cancel()
                self._join()
        elif isinstance(message, media_stream.Stop):
            self.on_gone()
            self.close(1000, "stream stopped")
        elif isinstance(message, media_stream.Connected):
            return
        elif self.bridge is None:
            self._keep(message, len(text))
        else:
            self._to_bridge(message)

    def on_binary(self, payload: bytes) -> None:
        """Ignore it: Media Streams has no binary messages."""

    def on_gone(self) -> None:
        """Leave the call: the stream has sent `stop`, or the socket is gone."""
        self._start_timer.cancel()
        if self.bridge is not None:
            self.bridge.provider_gone(self, now())
            self.bridge = None

    def _join(self) -> None:
        """Join the call if both the admission and `start` are there."""
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
        self.on_joined(bridge)
        self.calls.stream_came(answer.call_id)
        while self._kept:
            self._to_bridge(self._kept.popleft()[0])

    def _keep(self, message: media_stream.FromProvider, size: int) -> None:
        """Keep a message until the stream joins. The oldest are dropped if there are too many."""
        self._kept.append((message, size))
        self._kept_bytes += size
        while len(self._kept) > KEPT_MESSAGES or self._kept_bytes > EARLY_BYTES:
            self._kept_bytes -= self._kept.popleft()[1]
            self.calls.counters.dropped["to_agent", "no_agent"] += 1

    def _to_bridge(self, message: media_stream.FromProvider) -> None:
        if self.bridge is None:
            return
        if isinstance(message, media_stream.Media):
            self.bridge.quality.caller_spoke(message.media.payload, now())
            self.bridge.caller_audio(message.media.payload, now())
        else:
            self.bridge.caller_message(message, now())
