"""Amazon Transcribe at the wire: its frames are encoded and decoded by AWS's own SDK."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import botocore.session
import pytest

from tests.unit.voice.engines.transcribe_double import (
    Transcribe,
    event,
    exception,
    result,
    transcribe,
)
from voice.engines.aws.credentials import Signer
from voice.engines.aws.transcribe import TranscribeRecogniser, TranscribeRecognition
from voice.engines.base import EngineError

FRAME = bytes(320)
SECRET = "wJalrXUtnFEMI-very-secret"


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "the-token")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


@asynccontextmanager
async def _call() -> AsyncIterator[tuple[Transcribe, TranscribeRecognition]]:
    signer = botocore.session.get_session()
    async with transcribe() as service, aiohttp.ClientSession() as session:
        recogniser = TranscribeRecogniser(Signer(signer, service.url), lambda: session)
        recognition = recogniser.open("en-US", partials=True)
        assert isinstance(recognition, TranscribeRecognition)
        try:
            yield service, recognition
        finally:
            await recognition.close()


def _feed(recognition: TranscribeRecognition, ms: int, sample: bytes = b"\0\0") -> None:
    for _ in range(ms // 20):
        recognition.feed(sample * 160)


def _utterance(
    recognition: TranscribeRecognition, start_ms: int, end_ms: int
) -> asyncio.Task[object]:
    return asyncio.create_task(recognition.utterance(bytes((end_ms - start_ms) * 16), start_ms))


async def test_the_stream_is_signed_and_says_what_audio_it_is() -> None:
    async with _call() as (service, recognition):
        _feed(recognition, 100)
        query = (await service.stream()).query
    assert query["language-code"] == "en-US"
    assert (query["media-encoding"], query["sample-rate"]) == ("pcm", "8000")
    assert "/eu-west-1/transcribe/aws4_request" in query["X-Amz-Credential"]
    assert query["X-Amz-Security-Token"] == "the-token"
    assert query["X-Amz-SignedHeaders"] == "host"
    assert len(query["X-Amz-Signature"]) == 64
    assert int(query["X-Amz-Expires"]) <= 300


async def test_all_audio_comes_in_its_order_in_frames_of_100_ms() -> None:
    async with _call() as (service, recognition):
        for n in range(50):
            recognition.feed(n.to_bytes(2, "little") * 160)
        stream = await service.stream()
        await stream.heard(16_000)
        assert stream.audio == b"".join(n.to_bytes(2, "little") * 160 for n in range(50))


async def test_the_stream_is_ended_with_the_call() -> None:
    async with _call() as (service, recognition):
        _feed(recognition, 200)
        stream = await service.stream()
        await stream.heard(200 * 16)
        await recognition.close()
        await asyncio.wait_for(stream.ended.wait(), 30)


async def test_no_stream_is_opened_before_there_is_audio() -> None:
    async with _call() as (service, recognition):
        await asyncio.sleep(0.05)
        assert service.asked == 0
        _feed(recognition, 100)
        await service.stream()


async def test_an_utterance_is_heard_when_its_result_is_final() -> None:
    async with _call() as (service, recognition):
        _feed(recognition, 2000)
        stream = await service.stream()
        await stream.heard(32_000)
        heard = _utterance(recognition, 400, 2000)
        await stream.say(event(result("please call", 0.5, 1.0, partial=True)))
        await stream.say(event(result("Please call me back.", 0.5, 1.6)))
        said = await heard
    assert said is not None
    assert (said.text, said.confidence) == ("Please call me back.", pytest.approx(0.9))  # type: ignore[attr-defined]


async def test_two_results_of_one_utterance_are_one_text_and_the_next_has_its_own() -> None:
    async with _call() as (service, recognition):
        _feed(recognition, 6000)
        stream = await service.stream()
        await stream.say(
            event(result("Hello.", 0.5, 0.9, name="a")),
            event(result("It is me.", 1.2, 2.0, name="b")),
            event(result("Are you there?", 4.0, 5.0, name="c")),
        )
        first = await recognition.utterance(bytes(2000 * 16), 400)
        second = await recognition.utterance(bytes(1500 * 16), 3900)
    assert first is not None
    assert second is not None
    assert (first.text, second.text) == ("Hello. It is me.", "Are you there?")


async def test_what_was_heard_for_a_pause_is_heard_again_with_the_rest() -> None:
    async with _call() as (service, recognition):
        _feed(recognition, 3000)
        stream = await service.stream()
        await stream.say(event(result("My number is", 0.5, 1.2, name="a")))
        early = await recognition.utterance(bytes(1000 * 16), 400)
        await stream.say(event(result("four seven.", 1.8, 2.6, name="b")))
        whole = await recognition.utterance(bytes(2500 * 16), 400)
    assert early is not None
    assert whole is not None
    assert (early.text, whole.text) == ("My number is", "My number is four seven.")


async def test_stable_words_are_enough_before_a_result_is_final() -> None:
    async with _call() as (service, recognition):
        _feed(recognition, 2000)
        stream = await service.stream()
        await stream.say(event(result("Yes please", 0.5, 1.4, partial=True, stable=True)))
        said = await recognition.utterance(bytes(1600 * 16), 400)
        assert said is not None
        assert said.text == "Yes please"
        assert await recognition.partial(bytes(1600 * 16)) == "Yes please"


async def test_a_slow_service_gets_the_time_that_it_needs_for_a_final_result() -> None:
    async with _call() as (service, recognition):
        _feed(recognition, 2000)
        stream = await service.stream()
        await stream.heard(32_000)
        heard = _utterance(recognition, 400, 2000)
        for words in ("please", "please call", "please call me"):
            await stream.say(event(result(words, 0.5, 1.0, partial=True)))
            await asyncio.sleep(0.4)
        await stream.say(event(result("Please call me back.", 0.5, 1.6)))
        said = await heard
    assert said is not None
    assert said.text == "Please call me back."  # type: ignore[attr-defined]


async def test_noise_has_no_text() -> None:
    async with _call() as (service, recognition):
        _feed(recognition, 1000)
        await (await service.stream()).heard(16_000)
        assert await recognition.utterance(bytes(600 * 16), 400) is None


async def test_a_stream_that_is_cut_is_replaced_and_no_word_is_lost() -> None:
    async with _call() as (service, recognition):
        _feed(recognition, 1000, b"\1\0")
        stream = await service.stream()
        await stream.heard(16_000)
        await stream.say(event(result("Hello.", 0.0, 0.4, name="a")))
        await stream.say(event(result("I wa", 0.6, 0.9, partial=True, name="b")))
        await stream.socket.close(code=1011)
        heard = _utterance(recognition, 0, 2000)
        _feed(recognition, 1000, b"\2\0")
        after = await service.stream()
        await after.heard(1600 * 16)
        # What nothing final was said about comes again, and counts from the new stream's start.
        assert after.audio == b"\1\0" * 600 * 8 + b"\2\0" * 1000 * 8
        await after.say(event(result("I want a taxi.", 0.2, 1.3, name="a")))
        said = await heard
    assert said is not None
    assert said.text == "Hello. I want a taxi."  # type: ignore[attr-defined]


async def test_throttling_is_waited_out_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with _call() as (service, recognition):
        service.refuse = [429, 503]
        _feed(recognition, 1000)
        with caplog.at_level(logging.WARNING):
            stream = await service.stream()
        assert service.asked == 3
        await stream.heard(16_000)
    assert "429" in str([record.__dict__.get("why") for record in caplog.records])


async def test_an_exception_of_the_service_is_an_error_without_a_secret(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with _call() as (service, recognition):
        _feed(recognition, 1000)
        stream = await service.stream()
        await stream.heard(16_000)
        service.refuse = [429] * 50
        heard = _utterance(recognition, 0, 1000)
        await stream.say(exception("LimitExceededException", "You have too many streams."))
        with pytest.raises(EngineError, match=r"LimitExceededException|429"):
            await heard
    logged = "\n".join(str(record.__dict__) for record in caplog.records)
    assert "too many streams" in logged
    assert SECRET not in logged
    assert "X-Amz-Signature" not in logged


async def test_a_frame_that_makes_no_sense_ends_the_stream_not_the_call() -> None:
    async with _call() as (service, recognition):
        _feed(recognition, 200)
        stream = await service.stream()
        await stream.say(b"\0\0\0\0 no frame")
        await asyncio.wait_for(stream.ended.wait(), 30)
        _feed(recognition, 200)
        after = await service.stream()
        await after.heard(400 * 16)


async def test_without_an_account_the_error_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    async with _call() as (_, recognition):
        _feed(recognition, 1000)
        with pytest.raises(EngineError, match="credentials"):
            await recognition.utterance(bytes(600 * 16), 400)


async def test_audio_that_waits_for_a_stream_is_bounded() -> None:
    async with _call() as (service, recognition):
        service.refuse = [503] * 1000
        _feed(recognition, 120_000)
        assert len(recognition._audio) == 30_000 * 16
