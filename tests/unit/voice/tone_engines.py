"""Engines of tones: what they hear and say is in `tones.py`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from tests.unit.voice.call_scene import LANGUAGES, MS_A_CHARACTER, VOICES
from tests.unit.voice.tones import tone, word
from voice.engines.base import EngineError, Heard, VoiceInfo

PIECE_MS = 100
VOICE_HZ = {"ann": 1000, "bea": 1400}


class Ear:
    """The recogniser. `free` is clear while it hears nothing; `failures` are still to come."""

    languages = LANGUAGES

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.free.set()
        self.failures = 0
        self.opened: list[EarOfCall] = []

    def open(self, language: str, *, partials: bool) -> EarOfCall:
        self.opened.append(EarOfCall(self, language, partials))
        return self.opened[-1]


class EarOfCall:
    def __init__(self, ear: Ear, language: str, partials: bool) -> None:
        self.ear, self.language, self.partials = ear, language, partials
        self.fed = bytearray()
        self.tries = self.cancelled = 0
        self.closed = False

    def feed(self, pcm: bytes) -> None:
        self.fed += pcm

    async def utterance(self, pcm: bytes, started_ms: int) -> Heard | None:
        self.tries += 1
        assert bytes(self.fed[started_ms * 16 :][: len(pcm)]) == pcm
        try:
            await self.ear.free.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.ear.failures:
            self.ear.failures -= 1
            raise EngineError("out of order")
        text = word(pcm)
        return Heard(text, 0.9) if text else None

    async def partial(self, pcm: bytes) -> str | None:
        return word(pcm)

    async def close(self) -> None:
        self.closed = True


class Mouth:
    """The synthesiser. It makes its first piece at once, and the others while `free` is set."""

    voices = VOICES

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.free.set()
        self.failing: set[str] = set()
        self.said: list[tuple[str, str, float]] = []
        self.stopped: list[str] = []

    async def speak(self, text: str, voice: VoiceInfo, speed: float) -> AsyncGenerator[bytes, None]:
        self.said.append((text, voice.name, speed))
        if text in self.failing:
            raise EngineError("no voice today")
        audio = tone(VOICE_HZ[voice.name], len(text) * MS_A_CHARACTER)
        try:
            for at in range(0, len(audio), PIECE_MS * 16):
                yield audio[at : at + PIECE_MS * 16]
                await self.free.wait()
        except (GeneratorExit, asyncio.CancelledError):
            self.stopped.append(text)
            raise


class ToneEngines:
    name = "tones"

    def __init__(self) -> None:
        self.recogniser, self.synthesiser = Ear(), Mouth()
        self.open = False

    async def start(self) -> None:
        self.open = True

    async def close(self) -> None:
        self.open = False
