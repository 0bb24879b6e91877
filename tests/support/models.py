"""The local models, apart from any voice host: they make what callers say, and tell what a phone
has heard.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np

from common import g711
from local.voice_hosts import MODELS
from voice.engines.base import EngineSettings
from voice.engines.local.engine import LANGUAGE, LocalEngines

RATE = 8000
_LONG_PIECE_S = 20.0


class Models:
    """A mouth for callers, and ears for what they hear."""

    def __init__(self, engines: LocalEngines) -> None:
        self._engines = engines

    async def spoken(self, text: str, speed: float = 1.0) -> bytes:
        """Return a text as speech, mu-law at 8 kHz."""
        voice = self._engines.synthesiser.voices[0]
        pieces = [piece async for piece in self._engines.synthesiser.speak(text, voice, speed)]
        return g711.encode(b"".join(pieces))

    async def heard(self, ulaw: bytes) -> str:
        """Return the words of a recording of at most 20 s, by a recogniser of its own."""
        assert len(ulaw) <= _LONG_PIECE_S * RATE
        recognition = self._engines.recogniser.open(LANGUAGE, partials=False)
        pcm = g711.DECODE_TABLE[np.frombuffer(bytes(ulaw), np.uint8)].astype("<i2").tobytes()
        heard = await recognition.utterance(pcm, 0)
        await recognition.close()
        return heard.text if heard else ""


@asynccontextmanager
async def models() -> AsyncIterator[Models]:
    """Load the models meanwhile."""
    engines = LocalEngines(EngineSettings("local", python=str(MODELS)))
    await engines.start()
    try:
        yield Models(engines)
    finally:
        await engines.close()


def words(text: str) -> list[str]:
    """Return the words of a text, in small letters and without punctuation."""
    return re.findall(r"[a-z0-9']+", text.lower())


def word_errors(said: str, heard: str) -> float:
    """Return the word error rate: words to change, to add and to remove, per word said."""
    wanted, got = words(said), words(heard)
    row = list(range(len(got) + 1))
    for i, word in enumerate(wanted, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(got, 1):
            best = min(row[j] + 1, row[j - 1] + 1, before + (word != other))
            before, row[j] = row[j], best
    return row[-1] / len(wanted)
