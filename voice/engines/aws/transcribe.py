"""Amazon Transcribe streaming: one stream a call, over a WebSocket, for as long as the call lasts.

Not by an SDK (decision 14): the WebSocket is documented, needs aiohttp only, and botocore signs its
URL and reads its frames.

Each stream is billed for at least 15 s, so one for each utterance would cost more. If a stream is
lost, the audio that has no final text yet is sent again on a new one, so no word is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence

import aiohttp

from voice.engines.aws import event_frames
from voice.engines.aws.credentials import Signer
from voice.engines.aws.words import Said, Words
from voice.engines.base import BYTES_A_MS, EngineError, Heard, Recognition

_log = logging.getLogger("voice")

LANGUAGES = (
    *("en-US", "de-DE", "en-AU", "en-GB", "en-IN", "en-NZ", "en-ZA", "es-ES", "es-US", "fr-CA"),
    *("fr-FR", "hi-IN", "it-IT", "ja-JP", "ko-KR", "nl-NL", "pl-PL", "pt-BR", "pt-PT", "sv-SE"),
    *("zh-CN", "fi-FI", "ca-ES"),
)
"""Languages that Transcribe streams and that Polly has a neural voice for."""
SEND_MS = 100
"""Audio of one frame: the service asks for 50 to 200 ms."""
KEPT_MS = 30_000
"""Audio that is kept for a stream that replaces a lost one."""
SETTLE_S = 0.7
"""Seconds without a change after which words that may still change are taken as they are."""
WAIT_S = 3.0
"""Seconds that an utterance waits for its text, whatever the service does."""
_TAIL_MS = 1000
"""The most silence that an utterance's audio has behind the speech."""
_CONNECT_S = 5.0
_BACK_S = 0.25, 10.0
_QUIET = {"BadRequestException"}  # among them: no audio for 15 s


class TranscribeRecogniser:
    """Transcribe, for all calls of the process."""

    languages: Sequence[str] = LANGUAGES

    def __init__(self, signer: Signer, session: Callable[[], aiohttp.ClientSession]) -> None:
        self._signer = signer
        self._session = session

    def open(self, language: str, *, partials: bool) -> Recognition:  # noqa: ARG002
        """Return the recognition of one more call. Its stream opens with the first audio."""
        return TranscribeRecognition(self._signer, self._session(), language)


class TranscribeRecognition:
    """The recognition of one call."""

    def __init__(self, signer: Signer, session: aiohttp.ClientSession, language: str) -> None:
        self._signer = signer
        self._session = session
        self._language = language
        self._words = Words()
        self._audio = bytearray()
        """The audio from `_audio_ms` on: what was not sent, and what has no final text yet."""
        self._audio_ms = 0
        self._sent_ms = 0
        self._more = asyncio.Event()
        self._changed = asyncio.Condition()
        self._failed = ""
        self._waiting = 0
        self._running = asyncio.create_task(self._run())

    @property
    def _fed_ms(self) -> int:
        return self._audio_ms + len(self._audio) // BYTES_A_MS

    def feed(self, pcm: bytes) -> None:
        """Take the caller's next 20 ms. While no stream is up, the last 30 s wait for one."""
        self._audio += pcm
        self._forget(self._fed_ms - KEPT_MS)
        if self._fed_ms - self._sent_ms >= SEND_MS:
            self._more.set()

    async def utterance(self, pcm: bytes, started_ms: int) -> Heard | None:
        """Return the text of an utterance, or None if there is no speech in it. EngineError."""
        self._waiting += 1
        self._more.set()
        try:
            said = await self._settled(started_ms, started_ms + len(pcm) // BYTES_A_MS)
        finally:
            self._waiting -= 1
        if said is None:
            if self._failed:
                raise EngineError(f"Amazon Transcribe: {self._failed}")
            return None
        return Heard(said.text, said.confidence)

    async def partial(self, pcm: bytes) -> str | None:
        """Return what seems to be said so far in the utterance whose audio this is."""
        said = self._words.between(self._fed_ms - len(pcm) // BYTES_A_MS, self._fed_ms)
        return said.text if said else None

    async def close(self) -> None:
        """End the stream. Never raises."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    async def _settled(self, start_ms: int, end_ms: int) -> Said | None:
        """Wait until nothing more is to be expected about a stretch of audio."""
        until = time.monotonic() + WAIT_S
        while True:
            said = self._words.between(start_ms, end_ms)
            if said and said.settled and said.end_ms >= end_ms - _TAIL_MS:
                return said
            left = until - time.monotonic()
            up = self._sent_ms >= end_ms - SEND_MS and not self._failed
            try:
                async with asyncio.timeout(min(SETTLE_S, left) if up else left), self._changed:
                    await self._changed.wait()
            except TimeoutError:
                return self._words.between(start_ms, end_ms)

    async def _run(self) -> None:
        """Keep a stream up while there is audio for it, until cancelled."""
        pause, longest = _BACK_S
        while True:
            await self._more.wait()
            began = time.monotonic()
            try:
                await self._stream()
            except (aiohttp.ClientError, OSError, TimeoutError, EngineError, ValueError) as error:
                await self._lost(_reason(error))
            if time.monotonic() - began > longest:
                pause = _BACK_S[0]
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)

    async def _stream(self) -> None:
        url = await self._signer.url(self._language)
        async with asyncio.timeout(_CONNECT_S):
            opened = await self._session.ws_connect(url, max_msg_size=1 << 20, heartbeat=10)
        async with opened as socket:
            base_ms = self._sent_ms = self._audio_ms
            self._failed = ""
            sending = asyncio.create_task(self._send(socket))
            try:
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.BINARY:
                        await self._take(message.data, base_ms)
            finally:
                sending.cancel()
                with contextlib.suppress(asyncio.CancelledError, aiohttp.ClientError, OSError):
                    await sending
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    await socket.send_bytes(event_frames.audio(b""))
        raise EngineError(f"the stream was closed ({socket.close_code})")

    async def _send(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            while self._fed_ms - self._sent_ms >= SEND_MS:
                if self._sent_ms < self._audio_ms:  # it was not taken for 30 s, and is gone
                    await socket.close()
                    return
                start = (self._sent_ms - self._audio_ms) * BYTES_A_MS
                pcm = bytes(self._audio[start : start + SEND_MS * BYTES_A_MS])
                self._sent_ms = self._audio_ms + (start + len(pcm)) // BYTES_A_MS
                await socket.send_bytes(event_frames.audio(pcm))

    async def _take(self, frame: bytes, base_ms: int) -> None:
        event = event_frames.read(frame)
        if event.failed:
            raise EngineError(f"{event.name}: {event.content.get('Message', '')}"[:300])
        if event.name == "TranscriptEvent":
            self._words.take(event.content, base_ms)
            self._forget(min(self._words.final_ms, self._sent_ms))
            async with self._changed:
                self._changed.notify_all()

    async def _lost(self, why: str) -> None:
        self._failed = why
        self._words.drop_open()
        if why.partition(":")[0] not in _QUIET:
            _log.warning("a stream of Amazon Transcribe was lost", extra={"why": why})
        if not self._waiting and self._fed_ms - self._sent_ms < SEND_MS:
            self._more.clear()  # no new stream before there is audio for it
        async with self._changed:
            self._changed.notify_all()

    def _forget(self, before_ms: int) -> None:
        size = (before_ms - self._audio_ms) * BYTES_A_MS
        if size > 0:
            del self._audio[:size]
            self._audio_ms = before_ms


def _reason(error: BaseException) -> str:
    """Return why a stream failed, without its URL, whose signature is a secret for a minute."""
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return f"it was refused with {error.status}"
    if isinstance(error, EngineError | event_frames.FrameError):
        return str(error)
    return type(error).__name__
