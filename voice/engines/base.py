"""The interface between calls and engines: a recogniser makes text of speech, a synthesiser speech
of text.

Audio is PCM s16le, mono, `SAMPLE_RATE`: telephones carry no more. Everything is called on the event
loop and must not block it: heavy work belongs in threads or processes, bounded, and fair between
calls. Any coroutine may be cancelled at any time.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

SAMPLE_RATE = 8000
BYTES_A_MS = 16


class EngineError(Exception):
    """An engine could not do its work; the text is for logs and operators, and holds no secret."""


@dataclass(frozen=True, slots=True)
class VoiceInfo:
    """A voice: its name, its language (BCP 47), and its engine's name. A voice of several languages
    is listed once for each.
    """

    name: str
    language: str
    engine: str


@dataclass(frozen=True, slots=True)
class Heard:
    """The text of an utterance. `confidence` is 0 to 1, or None if the engine tells none."""

    text: str
    confidence: float | None = None


class Recognition(Protocol):
    """The recognition of one call's caller."""

    def feed(self, pcm: bytes) -> None:
        """Take the caller's next 20 ms, speech or not, at once. Engines that do not stream ignore
        it.
        """

    async def utterance(self, pcm: bytes, started_ms: int) -> Heard | None:
        """Return the text of a whole utterance, or None if there is no speech in it. EngineError.

        `started_ms` is its place in what was fed since `open`. It may be asked for before it is
        sure that the utterance is over, cancelled if the caller goes on, and asked for again with
        more audio and the same `started_ms`.
        """

    async def partial(self, pcm: bytes) -> str | None:
        """Return what seems to be said so far in an utterance that goes on, or None. EngineError.

        It is asked for about every second, and only if partials were wanted.
        """

    async def close(self) -> None:
        """Free what the call holds. Never raises."""


class Recogniser(Protocol):
    """A speech recogniser; one a process."""

    @property
    def languages(self) -> Sequence[str]:
        """Return the languages that it hears (BCP 47), the default first."""

    def open(self, language: str, *, partials: bool) -> Recognition:
        """Return the recognition of one more call. `language` is one of `languages`."""


class Synthesiser(Protocol):
    """A speech synthesiser; one a process."""

    @property
    def voices(self) -> Sequence[VoiceInfo]:
        """Return its voices, the default of each language before the others of it."""

    def speak(self, text: str, voice: VoiceInfo, speed: float) -> AsyncGenerator[bytes, None]:
        """Yield the speech of a sentence as it is made, in pieces of any whole number of samples.
        EngineError.

        `speed` is 0.5 to 2.0; 1.0 is the voice's own. Whoever stops iterating calls `aclose`.
        """


class Engines(Protocol):
    """The recogniser and the synthesiser of one process. `name` is VOICE_ENGINE's value."""

    name: str
    recogniser: Recogniser
    synthesiser: Synthesiser

    async def start(self) -> None:
        """Load models or open connections, so that no call waits for them. EngineError."""

    async def close(self) -> None:
        """Free everything. Never raises."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """The settings of the engines, as `voice/config.py` reads them.

    `voice.engines.choose.engines(settings)` returns the engines of `engine`, or raises ValueError
    with what is missing.
    """

    engine: str
    """`local`, `aws` or `openai`."""
    language: str = ""
    """The default language; blank: the engine's own."""
    voice: str = ""
    """The name of the default voice; blank: the engine's own."""
    openai_url: str = ""
    openai_key: str = field(default="", repr=False)
    openai_models: str = ""
    """`<of transcriptions>,<of speech>`; blank: the engine's defaults."""
    max_calls: int = 8
    """Calls at the same time, which bounds the work that can wait."""
    python: str = ""
    """The Python in whose environment the local models are; blank: the one that runs the host."""
