"""The relay's socket of one hosted call, and the tasks that work for the call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from common import g711
from voice import logs
from voice.core.call_clock import CallClock
from voice.core.call_settings import CallSettings
from voice.core.conversation import Conversation
from voice.core.counters import Counters
from voice.core.interfaces import Item
from voice.core.turn_taking import IsSpeech, Turn
from voice.core.voices import Voices
from voice.engines.base import Engines, Heard
from voice.network.outbox import Outbox
from voice.network.recognitions import Recognitions
from voice.network.reports import Reports
from voice.network.speaker import Speaker

TICK_S = 0.1
CLOSING_S = 2.0
"""Time for the relay to take what is unsent, and to answer CLOSE."""
_TOLD = ("code", "detail", "why", "ms", "direction")


@dataclass(frozen=True, slots=True)
class Host:
    """The things that the calls of a process share."""

    engines: Engines
    voices: Voices
    reports: Reports
    counters: Counters
    detector: Callable[[], IsSpeech]
    """Returns the detector of one more call."""


class CallSocket:
    """One hosted call: the `World` of its conversation, on a WebSocket."""

    def __init__(
        self,
        call_id: str,
        request: web.Request,
        socket: web.WebSocketResponse,
        host: Host,
        settings: CallSettings,
    ) -> None:
        """UnknownChoiceError."""
        self._call_id, self._request, self._socket, self._host = call_id, request, socket, host
        self._now = asyncio.get_running_loop().time
        self._outbox = Outbox(socket, self.abort)
        choice = host.voices.choose(settings.name, settings.language)
        clock = CallClock(settings.answered_at, time.time_ns() // 1_000_000, self._now())
        self._conversation = Conversation(self, settings, host.voices, host.detector(), clock)
        self._recognitions = Recognitions(
            call_id,
            host.engines.recogniser.open(choice.language, partials=settings.partials is True),
            host.counters,
            self._on_text,
            self._on_partial,
        )
        self._speaker = Speaker(
            call_id, self._conversation, host.engines.synthesiser, host.counters
        )

    async def run(self) -> None:
        """Host the call until its socket is closed and its last words are recognised."""
        sending = asyncio.create_task(self._outbox.run())
        work = self._speaker.run(), self._tick()
        jobs = [asyncio.create_task(self._or_abort(job)) for job in work]
        try:
            await self._receive()
        finally:
            try:
                self.close(1001, "the relay is gone")
            finally:
                for job in jobs:
                    job.cancel()
                await asyncio.wait([sending, *jobs], timeout=CLOSING_S)
                sending.cancel()
                await self._recognitions.close()

    async def _or_abort(self, job: Coroutine[Any, Any, None]) -> None:
        """Do a job of the call. If it fails, the connection is cut, so that the relay takes the
        call to another host: here it would be silent.
        """
        try:
            await job
        except Exception:
            logs.exception("a call cannot be hosted any more", call_id=self._call_id)
            self.abort()

    def close(self, code: int, reason: str) -> None:
        """End the conversation and close the socket; the call may go on elsewhere."""
        self._conversation.close("failed", self._now())
        self._speaker.look()
        self._outbox.close(code, reason)

    def abort(self) -> None:
        """Cut the connection."""
        if self._request.transport:
            self._request.transport.abort()

    async def _receive(self) -> None:
        while True:
            message = await self._socket.receive()
            if message.type is WSMsgType.BINARY:
                self._conversation.audio(message.data, self._now())
            elif message.type is WSMsgType.TEXT:
                self._message(message.data)
            else:
                return
            self._speaker.look()

    def _message(self, text: str) -> None:
        try:
            message = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            message = None
        if not isinstance(message, dict):
            logs.warning("a message of the relay is no JSON object", call_id=self._call_id)
            return
        kind = message.get("type")
        if kind in ("error", "warning", "dropped"):
            self._host.counters.count(f"relay_{kind}")
            told = {name: message[name] for name in _TOLD if name in message}
            logs.warning(f"the relay says {kind}", call_id=self._call_id, **told)
        self._conversation.message(message, self._now())

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._conversation.tick(self._now())
            self._speaker.look()

    def _on_text(self, turn: Turn, heard: Heard | None) -> None:
        self._conversation.hearing.recognised(turn, heard, self._now())

    def _on_partial(self, turn: Turn, text: str | None) -> None:
        self._conversation.hearing.partly_recognised(turn, text, self._now())

    # The world of the conversation.

    def send_audio(self, pcm: bytes) -> None:
        """Send audio to the caller."""
        self._outbox.audio(g711.encode(pcm))

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a text message."""
        self._outbox.message(message)

    def clear(self) -> None:
        """Send `clear`, in place of audio and marks that are not sent yet."""
        self._outbox.clear()

    def feed(self, pcm: bytes) -> None:
        """Give the recogniser a frame."""
        self._recognitions.feed(pcm)

    def recognise(self, turn: Turn) -> None:
        """Begin to recognise a turn."""
        self._recognitions.begin(turn)

    def withdraw(self, turn: Turn) -> None:
        """Throw away the recognition of a turn."""
        self._recognitions.withdraw(turn)

    def partial(self, turn: Turn) -> None:
        """Recognise a turn that goes on."""
        self._recognitions.begin_partial(turn)

    def report(self, item: Item) -> None:
        """Report an item."""
        self._host.reports.add(self._call_id, item)

    def count(self, what: str, ms: float = 0.0) -> None:
        """Count something that happened."""
        self._host.counters.count(what, ms)
