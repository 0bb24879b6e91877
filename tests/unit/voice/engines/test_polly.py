"""Amazon Polly at the wire: botocore talks to a server of ours, which answers as Polly's API
reference says.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from tests.support.ports import free_port
from voice.engines.aws.engine import AwsEngines
from voice.engines.base import EngineError, EngineSettings, VoiceInfo

SPEECH = bytes(range(256)) * 25
SECRET = "wJalrXUtnFEMI-very-secret"
JOANNA = VoiceInfo("Joanna", "en-US", "aws")
Speech = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response(
        {"message": message}, status=status, headers={"x-amzn-ErrorType": code}
    )


class Polly:
    """The service: it answers each request for speech with the next of `answers`, then well."""

    def __init__(self, *answers: Speech) -> None:
        self._answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.signatures: list[str] = []
        self.denied = False

    async def voices(self, request: web.Request) -> web.StreamResponse:
        if self.denied:
            return _error(403, "AccessDeniedException", "not authorized to polly:DescribeVoices")
        assert request.query["Engine"] == "neural"
        if "NextToken" not in request.query:
            names = [
                {"Id": "Danielle", "LanguageCode": "en-US"},
                {"Id": "Joanna", "LanguageCode": "en-US"},
            ]
            return web.json_response({"Voices": names, "NextToken": "more"})
        return web.json_response({"Voices": [{"Id": "Vicki", "LanguageCode": "de-DE"}]})

    async def speech(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(json.loads(await request.read()))
        self.signatures.append(request.headers["Authorization"])
        if self._answers:
            return await self._answers.pop(0)(request)
        return web.Response(body=SPEECH, content_type="audio/pcm")


@asynccontextmanager
async def _engines(polly: Polly) -> AsyncIterator[AwsEngines]:
    app = web.Application()
    app.router.add_get("/v1/voices", polly.voices)
    app.router.add_post("/v1/speech", polly.speech)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    engines = AwsEngines(EngineSettings("aws"), polly_url=f"http://127.0.0.1:{port}")
    try:
        await engines.start()
        yield engines
    finally:
        await engines.close()
        await runner.cleanup()


async def _spoken(engines: AwsEngines, text: str = "Hello.", speed: float = 1.0) -> bytes:
    async with aclosing(engines.synthesiser.speak(text, JOANNA, speed)) as pieces:
        return b"".join([piece async for piece in pieces])


async def _cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "audio/pcm"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(SPEECH[:3200])
    assert request.transport is not None
    request.transport.close()
    return response


async def _throttled(request: web.Request) -> web.StreamResponse:
    return _error(400, "ThrottlingException", "Rate exceeded")


async def test_its_neural_voices_are_listed_with_the_usual_one_of_a_language_first() -> None:
    async with _engines(Polly()) as engines:
        assert engines.synthesiser.voices == [
            JOANNA,
            VoiceInfo("Vicki", "de-DE", "aws"),
            VoiceInfo("Danielle", "en-US", "aws"),
        ]


async def test_speech_comes_at_8_khz_as_polly_made_it() -> None:
    polly = Polly()
    async with _engines(polly) as engines:
        assert await _spoken(engines, "Tom & Jerry <call>.") == SPEECH
    assert polly.asked == [
        {
            "Engine": "neural",
            "LanguageCode": "en-US",
            "OutputFormat": "pcm",
            "SampleRate": "8000",
            "Text": "Tom & Jerry <call>.",
            "TextType": "text",
            "VoiceId": "Joanna",
        }
    ]
    assert "/eu-west-1/polly/aws4_request" in polly.signatures[0]


async def test_another_speed_is_asked_for_in_markup_in_which_the_text_stays_text() -> None:
    polly = Polly()
    async with _engines(polly) as engines:
        await _spoken(engines, "Tom & Jerry <call>.", 1.25)
    assert polly.asked[0]["TextType"] == "ssml"
    assert polly.asked[0]["Text"] == (
        '<speak><prosody rate="125%">Tom &amp; Jerry &lt;call&gt;.</prosody></speak>'
    )


async def test_the_first_audio_is_there_while_the_rest_is_being_made() -> None:
    rest = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "audio/pcm"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(SPEECH[:3200])
        await rest.wait()
        await response.write(SPEECH[3200:])
        return response

    async with (
        _engines(Polly(slow)) as engines,
        aclosing(engines.synthesiser.speak("Hello.", JOANNA, 1.0)) as pieces,
    ):
        first = await asyncio.wait_for(anext(pieces), 30)
        rest.set()
        assert first + b"".join([piece async for piece in pieces]) == SPEECH


async def test_throttling_is_tried_again_and_then_an_error() -> None:
    polly = Polly(_throttled, *[_throttled] * 3)
    async with _engines(polly) as engines:
        with pytest.raises(EngineError, match="ThrottlingException"):
            await _spoken(engines)
        assert len(polly.asked) == 3
        assert await _spoken(engines) == SPEECH


async def test_speech_that_is_cut_is_an_error_and_the_next_sentence_is_spoken() -> None:
    async with _engines(Polly(_cut)) as engines:
        with pytest.raises(EngineError, match="Amazon Polly"):
            await _spoken(engines)
        assert await _spoken(engines) == SPEECH


async def test_speech_that_nobody_wants_any_more_is_given_up() -> None:
    async with _engines(Polly()) as engines:
        async with aclosing(engines.synthesiser.speak("Hello.", JOANNA, 1.0)) as pieces:
            await anext(pieces)
        assert await _spoken(engines) == SPEECH


async def test_without_the_right_to_use_polly_the_start_says_which_is_missing() -> None:
    polly = Polly()
    polly.denied = True
    with pytest.raises(EngineError, match="polly:DescribeVoices") as refused:
        async with _engines(polly):
            pass
    assert SECRET not in str(refused.value)
