"""The recogniser and synthesiser of a server of OpenAI's audio API."""

from __future__ import annotations

import io
import json
import math
import wave
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import aiohttp

from voice.engines.base import (
    BYTES_A_MS,
    SAMPLE_RATE,
    EngineError,
    EngineSettings,
    Heard,
    Recogniser,
    Recognition,
    Synthesiser,
    VoiceInfo,
)
from voice.engines.openai.client import MAX_ANSWER, Client
from voice.engines.resampler import ToTelephone

NAME = "openai"
DEFAULT_URL = "https://api.openai.com/v1"
MODELS = "gpt-4o-mini-transcribe", "gpt-4o-mini-tts"
SPEECH_RATE = 24000
"""Samples a second of the format `pcm`, as the API describes it."""
LANGUAGES = (
    *("en-US", "ar-SA", "bg-BG", "ca-ES", "cs-CZ", "da-DK", "de-DE", "el-GR", "en-AU", "en-GB"),
    *("en-IN", "es-ES", "es-MX", "et-EE", "fi-FI", "fr-CA", "fr-FR", "he-IL", "hi-IN", "hr-HR"),
    *("hu-HU", "id-ID", "it-IT", "ja-JP", "ko-KR", "lt-LT", "lv-LV", "ms-MY", "nb-NO", "nl-NL"),
    *("pl-PL", "pt-BR", "pt-PT", "ro-RO", "ru-RU", "sk-SK", "sl-SI", "sv-SE", "th-TH", "tr-TR"),
    *("uk-UA", "vi-VN", "zh-CN", "zh-TW"),
)
VOICES = (
    *("alloy", "ash", "ballad", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer"),
    "verse",
)
"""Voices that the API names. Other servers have others: VOICE_NAME adds one."""
_PIECE = 100 * BYTES_A_MS * SPEECH_RATE // SAMPLE_RATE
_LEAST_MS = 100
"""Shorter audio is refused by the API."""


class OpenAIEngines:
    """One server that hears and speaks."""

    name = NAME

    def __init__(self, settings: EngineSettings) -> None:
        url = settings.openai_url or DEFAULT_URL
        if not url.startswith(("http://", "https://")):
            raise ValueError("VOICE_OPENAI_URL is no URL")
        if not settings.openai_key and url == DEFAULT_URL:
            raise ValueError("VOICE_OPENAI_KEY is not set")
        given = [each.strip() for each in settings.openai_models.split(",")]
        hearing, speaking = [*(each or None for each in given), None, None][:2]
        # An utterance and a partial that are heard, a sentence that is spoken.
        self._client = Client(url, settings.openai_key, most=3 * settings.max_calls)
        self.recogniser: Recogniser = _Recogniser(
            self._client, hearing or MODELS[0], _first(settings.language, LANGUAGES)
        )
        self.synthesiser: Synthesiser = _Synthesiser(
            self._client,
            speaking or MODELS[1],
            _voices(settings),
        )

    async def start(self) -> None:
        """Make the connections' pool. No request of the API tells for free whether a key works."""
        self._client.start()

    async def close(self) -> None:
        """Close the connections. Never raises."""
        await self._client.close()


class _Recogniser:
    def __init__(self, client: Client, model: str, languages: Sequence[str]) -> None:
        self._client = client
        self._model = model
        self.languages = languages

    def open(self, language: str, *, partials: bool) -> Recognition:  # noqa: ARG002
        return _Recognition(self._client, self._model, language)


class _Recognition:
    """The recognition of one call, one request an utterance."""

    def __init__(self, client: Client, model: str, language: str) -> None:
        self._client = client
        self._fields = {"model": model, "language": language.partition("-")[0]}
        # Only these models tell how sure they are; others refuse the field.
        if model.startswith("gpt-4o") and "transcribe" in model and "diarize" not in model:
            self._fields["include[]"] = "logprobs"

    def feed(self, pcm: bytes) -> None:
        """Ignore it: utterances are heard as a whole."""

    async def utterance(self, pcm: bytes, started_ms: int) -> Heard | None:  # noqa: ARG002
        """Return the text of an utterance, or None if there is no speech in it. EngineError."""
        if len(pcm) < _LEAST_MS * BYTES_A_MS:
            return None
        content = _wav(pcm)
        async with self._client.post("/audio/transcriptions", lambda: self._body(content)) as got:
            answer = await got.content.read(MAX_ANSWER)
            while more := await got.content.read(MAX_ANSWER):
                answer += more
                if len(answer) > MAX_ANSWER:
                    raise EngineError("/audio/transcriptions: the answer is too long")
        return _heard(answer)

    async def partial(self, pcm: bytes) -> str | None:
        """Return what seems to be said so far: a request like any other. EngineError."""
        heard = await self.utterance(pcm, 0)
        return heard.text if heard else None

    async def close(self) -> None:
        """Do nothing: a call holds nothing between its utterances."""

    def _body(self, content: bytes) -> dict[str, Any]:
        form = aiohttp.FormData({**self._fields, "response_format": "json"})
        form.add_field("file", content, filename="utterance.wav", content_type="audio/wav")
        return {"data": form}


class _Synthesiser:
    def __init__(self, client: Client, model: str, voices: Sequence[VoiceInfo]) -> None:
        self._client = client
        self._model = model
        self.voices = voices

    async def speak(self, text: str, voice: VoiceInfo, speed: float) -> AsyncGenerator[bytes, None]:
        """Yield the speech of a sentence as it comes. EngineError."""
        body = {
            "model": self._model,
            "input": text,
            "voice": voice.name,
            "response_format": "pcm",
            "speed": speed,
        }
        narrow = ToTelephone(SPEECH_RATE)
        async with self._client.post("/audio/speech", lambda: {"json": body}) as got:
            async for chunk in got.content.iter_chunked(_PIECE):
                if pcm := narrow(chunk):
                    yield pcm
        if pcm := narrow(b"", last=True):
            yield pcm


def _voices(settings: EngineSettings) -> list[VoiceInfo]:
    """Return all voices in the default language, and the default voice in each other one: any
    voice speaks any language, whichever it is listed with.
    """
    names = _first(settings.voice, VOICES)
    language, *others = _first(settings.language, LANGUAGES)
    return [
        *(VoiceInfo(name, language, NAME) for name in names),
        *(VoiceInfo(names[0], other, NAME) for other in others),
    ]


def _heard(answer: bytes) -> Heard | None:
    try:
        content = json.loads(answer)
        text = str(content["text"]).strip()
        sure = [float(each["logprob"]) for each in content.get("logprobs") or []]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineError("/audio/transcriptions: the answer is no transcription") from error
    if not any(map(str.isalnum, text)):
        return None
    return Heard(text, math.exp(min(0.0, sum(sure) / len(sure))) if sure else None)


def _wav(pcm: bytes) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(pcm)
    return buffer.getvalue()


def _first(given: str, names: Sequence[str]) -> list[str]:
    """Return `names` with `given` before the others, if there is one."""
    return [given, *(each for each in names if each != given)] if given else list(names)
