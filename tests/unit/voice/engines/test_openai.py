"""Servers of OpenAI's audio API, played by a double of its published schema."""

from __future__ import annotations

import asyncio
import io
import logging
import math
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web

from tests.support.ports import free_port
from voice.engines.base import EngineError, EngineSettings, VoiceInfo
from voice.engines.openai import client
from voice.engines.openai.engine import OpenAIEngines

KEY = "sk-very-secret"
SETTINGS = EngineSettings("openai", openai_key=KEY, max_calls=2)
ALLOY = VoiceInfo("alloy", "en-US", "openai")
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _tone(hz: float, rate: int, seconds: float) -> bytes:
    time = np.arange(int(rate * seconds)) / rate
    return (12000 * np.sin(2 * np.pi * hz * time)).astype("<i2").tobytes()


UTTERANCE = _tone(700, 8000, 0.6)


def _refusal(status: int, message: str, **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        error = {"message": message, "type": "error", "param": None, "code": None}
        return web.json_response({"error": error}, status=status, headers=headers)

    return answer


class Server:
    """The double. It answers each request with the next of `answers`, then as the API does."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.transcription: Any = {"text": " Please call me back. "}

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.keys.append(request.headers.get("Authorization"))
        if request.path.endswith("/audio/speech"):
            self.asked.append(await request.json())
        else:
            form = await request.post()
            file = form["file"]
            assert isinstance(file, web.FileField)
            self.asked.append({**form, "file": file.file.read(), "name": file.filename})
        if self._answers:
            return await self._answers.pop(0)(request)
        if request.path.endswith("/audio/speech"):
            return web.Response(body=_tone(700, 24000, 1.0), content_type="audio/pcm")
        return web.json_response(self.transcription)


@asynccontextmanager
async def _engines(
    server: Server, settings: EngineSettings = SETTINGS
) -> AsyncIterator[OpenAIEngines]:
    app = web.Application()
    app.router.add_post("/v1/audio/{what}", server.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    engines = OpenAIEngines(replace(settings, openai_url=f"http://127.0.0.1:{port}/v1"))
    await engines.start()
    try:
        yield engines
    finally:
        await engines.close()
        await runner.cleanup()


async def _spoken(engines: OpenAIEngines, speed: float = 1.0) -> bytes:
    async with aclosing(engines.synthesiser.speak("Hello.", ALLOY, speed)) as pieces:
        return b"".join([piece async for piece in pieces])


async def test_an_utterance_is_sent_as_the_wav_that_it_is() -> None:
    server = Server()
    async with _engines(server) as engines:
        heard = await engines.recogniser.open("de-DE", partials=False).utterance(UTTERANCE, 0)
    assert heard is not None
    assert (heard.text, heard.confidence) == ("Please call me back.", None)
    sent = server.asked[0]
    assert (sent["model"], sent["language"]) == ("gpt-4o-mini-transcribe", "de")
    assert (sent["response_format"], sent["include[]"]) == ("json", "logprobs")
    with wave.open(io.BytesIO(sent["file"])) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        assert file.readframes(file.getnframes()) == UTTERANCE
    assert server.keys == [f"Bearer {KEY}"]


async def test_how_sure_the_model_is_is_the_mean_of_its_words() -> None:
    server = Server()
    server.transcription = {
        "text": "Yes",
        "logprobs": [{"token": "Yes", "logprob": -0.25, "bytes": []}],
    }
    async with _engines(server) as engines:
        heard = await engines.recogniser.open("en-US", partials=False).utterance(UTTERANCE, 0)
    assert heard is not None
    assert heard.confidence == pytest.approx(math.exp(-0.25))


async def test_another_server_is_asked_for_its_own_models_without_what_it_does_not_know() -> None:
    server = Server()
    settings = EngineSettings(
        "openai", voice="af_heart", language="fr-FR", openai_models="whisper-1, kokoro"
    )
    async with _engines(server, settings) as engines:
        assert engines.synthesiser.voices[0] == VoiceInfo("af_heart", "fr-FR", "openai")
        assert engines.recogniser.languages[0] == "fr-FR"
        await engines.recogniser.open("fr-FR", partials=False).utterance(UTTERANCE, 0)
        await _spoken(engines)
    assert server.asked[0]["model"] == "whisper-1"
    assert "include[]" not in server.asked[0]
    assert server.asked[1]["model"] == "kokoro"
    assert server.keys == [None, None]


@pytest.mark.parametrize("text", ["", "  ", ". . ."])
async def test_a_text_without_words_is_no_speech(text: str) -> None:
    server = Server()
    server.transcription = {"text": text}
    async with _engines(server) as engines:
        recognition = engines.recogniser.open("en-US", partials=False)
        assert await recognition.utterance(UTTERANCE, 0) is None
        assert await recognition.utterance(bytes(320), 0) is None
    assert len(server.asked) == 1


async def test_speech_comes_at_telephone_rate_with_the_same_tone() -> None:
    server = Server()
    async with _engines(server) as engines:
        pcm = await _spoken(engines, 1.5)
    assert server.asked == [
        {
            "model": "gpt-4o-mini-tts",
            "input": "Hello.",
            "voice": "alloy",
            "response_format": "pcm",
            "speed": 1.5,
        }
    ]
    samples = np.frombuffer(pcm, "<i2").astype(float)
    assert len(samples) == pytest.approx(8000, abs=10)
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.argmax(spectrum) * 8000 / len(samples) == pytest.approx(700, abs=3)
    assert samples[1000:7000].std() == pytest.approx(12000 / math.sqrt(2), rel=0.02)


async def test_the_first_speech_is_there_while_the_rest_is_being_made() -> None:
    rest = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(_tone(700, 24000, 0.5) + b"\1")  # cut inside a sample
        await rest.wait()
        await response.write(b"\0" + _tone(700, 24000, 0.5))
        return response

    async with (
        _engines(Server(slow)) as engines,
        aclosing(engines.synthesiser.speak("Hello.", ALLOY, 1.0)) as pieces,
    ):
        first = await asyncio.wait_for(anext(pieces), 30)
        rest.set()
        whole = first + b"".join([piece async for piece in pieces])
    assert len(whole) == pytest.approx(16_000, abs=20)


async def test_a_wrong_key_is_an_error_at_once_and_is_not_repeated_in_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Server(_refusal(401, f"Incorrect API key provided: {KEY}."))
    async with _engines(server) as engines:
        with caplog.at_level(logging.DEBUG), pytest.raises(EngineError) as refused:
            await _spoken(engines)
    assert "401 Incorrect API key provided: ***" in str(refused.value)
    assert len(server.asked) == 1
    assert KEY not in caplog.text + repr(refused.value) + repr(SETTINGS)


async def test_no_part_of_the_key_is_in_an_error_that_is_cut() -> None:
    for before in range(250, 300):
        server = Server(_refusal(401, "x" * before + KEY))
        async with _engines(server) as engines:
            with pytest.raises(EngineError) as refused:
                await _spoken(engines)
        assert KEY[:5] not in str(refused.value)


async def test_a_busy_server_is_asked_again_when_it_says() -> None:
    busy = _refusal(429, "Rate limit reached", **{"Retry-After": "0.1"})
    server = Server(busy, _refusal(503, "overloaded"))
    async with _engines(server) as engines:
        heard = await engines.recogniser.open("en-US", partials=False).utterance(UTTERANCE, 0)
    assert heard is not None
    assert len(server.asked) == 3
    assert all(each["file"] == server.asked[0]["file"] for each in server.asked)


async def test_a_server_that_stays_busy_is_an_error_that_says_so() -> None:
    server = Server(*[_refusal(429, "Rate limit reached")] * 3)
    async with _engines(server) as engines:
        with pytest.raises(EngineError, match="429 Rate limit reached"):
            await _spoken(engines)


async def _cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(_tone(700, 24000, 0.5))
    assert request.transport is not None
    request.transport.close()
    return response


async def test_speech_that_is_cut_is_an_error_behind_what_had_come() -> None:
    async with _engines(Server(_cut)) as engines:
        pieces = []
        with pytest.raises(EngineError, match="cut"):
            async with aclosing(engines.synthesiser.speak("Hello.", ALLOY, 1.0)) as speech:
                pieces += [piece async for piece in speech]


@pytest.mark.parametrize("answer", ["not JSON", '{"no": "text"}', "[]"])
async def test_an_answer_that_is_no_transcription_is_an_error(answer: str) -> None:
    async def nonsense(request: web.Request) -> web.StreamResponse:
        return web.Response(text=answer)

    async with _engines(Server(nonsense)) as engines:
        with pytest.raises(EngineError, match="no transcription"):
            await engines.recogniser.open("en-US", partials=False).utterance(UTTERANCE, 0)


async def test_an_answer_without_end_is_not_held() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        return web.Response(text='{"text": "' + "a" * 3_000_000)

    async with _engines(Server(endless)) as engines:
        with pytest.raises(EngineError, match="too long"):
            await engines.recogniser.open("en-US", partials=False).utterance(UTTERANCE, 0)


async def test_a_server_that_hangs_is_given_up_without_another_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "TIMES", aiohttp.ClientTimeout(sock_read=0.2))
    over = asyncio.Event()

    async def hang(request: web.Request) -> web.StreamResponse:
        await over.wait()
        return web.Response()

    server = Server(*[hang] * 3)
    async with _engines(server) as engines:
        with pytest.raises(EngineError, match="no answer"):
            await engines.recogniser.open("en-US", partials=False).utterance(UTTERANCE, 0)
        over.set()
    assert len(server.asked) == 1


async def test_a_server_that_is_not_there_is_an_error() -> None:
    engines = OpenAIEngines(replace(SETTINGS, openai_url=f"http://127.0.0.1:{free_port()}/v1"))
    await engines.start()
    try:
        with pytest.raises(EngineError, match="no answer"):
            await engines.recogniser.open("en-US", partials=False).utterance(UTTERANCE, 0)
    finally:
        await engines.close()


def test_settings_that_cannot_work_are_named() -> None:
    with pytest.raises(ValueError, match="VOICE_OPENAI_KEY"):
        OpenAIEngines(EngineSettings("openai"))
    with pytest.raises(ValueError, match="VOICE_OPENAI_URL"):
        OpenAIEngines(EngineSettings("openai", openai_url="localhost:8000"))
