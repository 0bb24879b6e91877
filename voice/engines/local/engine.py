"""The local engine: its recogniser and synthesiser give the workers jobs."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncGenerator, Sequence

import numpy as np

from voice.engines.base import (
    BYTES_A_MS,
    EngineError,
    EngineSettings,
    Heard,
    Recogniser,
    Recognition,
    Synthesiser,
    VoiceInfo,
)
from voice.engines.local import messages
from voice.engines.local.workers import Kind, Pool

NAME = "local"
LANGUAGE = "en-US"
"""Both models know English only. No package has a voice of another language (decision 14)."""
PIECE_MS = 20_000
"""Speech that goes on longer is recognised in pieces, each in its turn between the calls."""
_SEEK_MS = 4_000
_FRAME = 20 * BYTES_A_MS
JOBS_A_CALL = 3
"""An utterance and a partial to be heard, and a sentence to be spoken."""


class LocalEngines:
    """The recogniser and synthesiser of this machine, and their worker processes."""

    name = NAME

    def __init__(self, settings: EngineSettings) -> None:
        python = settings.python or sys.executable
        waiting = JOBS_A_CALL * settings.max_calls
        # Hearing takes 100 ms a sentence, speaking 25: one of each is enough for what two cores do.
        hearing = 1 if (os.cpu_count() or 1) < 4 else 2
        self._hearing = Pool(Kind("hear", hearing, python), max_waiting=waiting)
        self._speaking = Pool(Kind("speak", 1, python), max_waiting=waiting)
        self.recogniser: Recogniser = LocalRecogniser(self._hearing)
        self.synthesiser: Synthesiser = LocalSynthesiser(self._speaking)

    async def start(self) -> None:
        """Start the workers and warm the models up. EngineError."""
        await self._hearing.start()
        try:
            await self._speaking.start()
        except EngineError:
            await self.close()
            raise

    async def close(self) -> None:
        """End the workers. Never raises."""
        await self._hearing.close()
        await self._speaking.close()


class LocalRecogniser:
    """Whisper, in worker processes."""

    languages: Sequence[str] = (LANGUAGE,)

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def open(self, language: str, *, partials: bool) -> Recognition:  # noqa: ARG002
        """Return the recognition of one more call."""
        return LocalRecognition(self._pool)


class LocalRecognition:
    """The recognition of one call: utterance by utterance, since Whisper does not stream."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def feed(self, pcm: bytes) -> None:
        """Ignore it: utterances are heard as a whole."""

    async def utterance(self, pcm: bytes, started_ms: int) -> Heard | None:  # noqa: ARG002
        """Return the text of an utterance, or None if there is no speech in it. EngineError."""
        heard = [text for piece in pieces(pcm) if (text := await self._hear(piece)).text]
        if not heard:
            return None
        return Heard(" ".join(each.text for each in heard), min(each.confidence for each in heard))

    async def partial(self, pcm: bytes) -> str | None:
        """Return the text of the last 20 s of what is said so far. EngineError."""
        return (await self._hear(pcm[-PIECE_MS * BYTES_A_MS :])).text or None

    async def close(self) -> None:
        """Do nothing: a call holds nothing between its utterances."""

    async def _hear(self, pcm: bytes) -> messages.Text:
        async with contextlib.aclosing(self._pool.run(self, messages.Hear(pcm))) as answers:
            async for answer in answers:
                if isinstance(answer, messages.Text):
                    return answer
                raise EngineError(f"recognition failed: {answer}")
        raise EngineError("recognition gave no answer")


class LocalSynthesiser:
    """The voice in hibari-tts, in a worker process."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @property
    def voices(self) -> Sequence[VoiceInfo]:
        """Return the voices that are there without a download."""
        return [VoiceInfo(name, LANGUAGE, NAME) for name in self._pool.voices]

    async def speak(self, text: str, voice: VoiceInfo, speed: float) -> AsyncGenerator[bytes, None]:
        """Yield the speech of a sentence, in one job or several. EngineError."""
        job: messages.Job | None = messages.Speak(text, voice.name, speed)
        while job is not None:
            # Each job counts as a call of its own: a call has one sentence made at a time.
            async with contextlib.aclosing(self._pool.run(object(), job)) as answers:
                job = None
                async for answer in answers:
                    if isinstance(answer, messages.Audio):
                        yield answer.pcm
                    elif not isinstance(answer, messages.Done):
                        raise EngineError(f"synthesis failed: {answer}")
                    elif answer.rest:
                        job = messages.SpeakOn(answer.rest, voice.name, speed)


def pieces(pcm: bytes) -> list[bytes]:
    """Cut speech into pieces of at most `PIECE_MS`, each at the quietest 20 ms of its end."""
    found = []
    while len(pcm) > PIECE_MS * BYTES_A_MS:
        start = (PIECE_MS - _SEEK_MS) * BYTES_A_MS
        frames = np.frombuffer(pcm[start : PIECE_MS * BYTES_A_MS], "<i2").astype(np.float32)
        loudness = (frames.reshape(-1, _FRAME // 2) ** 2).sum(axis=1)
        cut = start + int(loudness.argmin()) * _FRAME
        found.append(pcm[:cut])
        pcm = pcm[cut:]
    return [*found, pcm]
