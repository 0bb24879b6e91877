"""The local engine with its real models, in the environment that `make voice` installs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest

from tests.support.speech import PYTHON, SENTENCES, espeak, mistakes, over_a_telephone, words
from voice.engines.base import EngineSettings
from voice.engines.choose import engines
from voice.engines.local import messages
from voice.engines.local.engine import PIECE_MS, LocalEngines, pieces
from voice.engines.local.phonemes import STRETCH_MS
from voice.engines.local.workers import Pool

FOUR = (
    "Please call me back tomorrow at half past nine.",
    "My order number is four seven one two nine.",
    "I would like to speak to somebody about the invoice from last week.",
    "Is there a table for six people on Friday evening?",
)


@pytest.fixture
async def local() -> AsyncIterator[LocalEngines]:
    started = engines(EngineSettings("local", python=PYTHON))
    assert isinstance(started, LocalEngines)
    await started.start()
    yield started
    await started.close()


async def _spoken(local: LocalEngines, text: str, speed: float = 1.0) -> bytes:
    speech = local.synthesiser.speak(text, local.synthesiser.voices[0], speed)
    async with aclosing(speech) as parts:
        return b"".join([part async for part in parts])


async def _heard(local: LocalEngines, pcm: bytes) -> str | None:
    heard = await local.recogniser.open("en-US", partials=False).utterance(pcm, 0)
    return heard and heard.text


async def test_what_it_says_is_understood_over_a_telephone(local: LocalEngines) -> None:
    for sentence in FOUR:
        heard = await _heard(local, over_a_telephone(await _spoken(local, sentence)))
        assert mistakes(sentence, heard or "") == 0, heard


async def test_most_of_what_another_voice_says_is_understood(local: LocalEngines) -> None:
    """espeak-ng is a robot, and harder to understand than people; the bench has the figure."""
    wrong = sum([mistakes(each, await _heard(local, espeak(each)) or "") for each in SENTENCES])
    assert wrong < 0.35 * sum(len(words(each)) for each in SENTENCES)


async def test_a_single_word_is_heard_once(local: LocalEngines) -> None:
    for word in ("Yes.", "No.", "Okay.", "Hello?", "Goodbye."):
        ours = over_a_telephone(bytes(3200) + await _spoken(local, word) + bytes(3200))
        for pcm in (ours, bytes(3200) + espeak(word) + bytes(3200)):
            assert words(await _heard(local, pcm) or "") == words(word)


async def test_noise_and_silence_are_not_heard_as_words(local: LocalEngines) -> None:
    noise = np.random.default_rng(1).normal(0, 400, 16_000).astype("<i2").tobytes()
    assert await _heard(local, over_a_telephone(noise)) is None
    assert await _heard(local, bytes(32_000)) is None
    assert await _heard(local, bytes(2)) is None


async def test_a_long_story_is_understood_in_pieces_to_its_end(local: LocalEngines) -> None:
    pause = bytes(8000)
    story = pause.join([await _spoken(local, each) for each in SENTENCES])
    assert len(pieces(story)) > 1
    assert all(len(piece) <= PIECE_MS * 16 for piece in pieces(story))
    assert b"".join(pieces(story)) == story
    heard = await _heard(local, over_a_telephone(story)) or ""
    said = " ".join(SENTENCES)
    assert mistakes(said, heard) < 0.1 * len(words(said)), heard


async def test_what_is_said_so_far_is_told_while_the_caller_goes_on(local: LocalEngines) -> None:
    call = local.recogniser.open("en-US", partials=True)
    pcm = over_a_telephone(await _spoken(local, FOUR[2]))
    assert "speak to somebody" in (await call.partial(pcm[: len(pcm) * 2 // 3]) or "")
    assert await call.partial(bytes(16_000)) is None


async def test_a_short_utterance_does_not_wait_for_the_end_of_a_long_one(
    local: LocalEngines,
) -> None:
    order: list[str] = []

    async def hear(call: str, pcm: bytes) -> None:
        await local.recogniser.open("en-US", partials=False).utterance(pcm, 0)
        order.append(call)

    short = await _spoken(local, FOUR[0])
    long = (await _spoken(local, FOUR[2]) + bytes(8000)) * 30
    going = [asyncio.create_task(hear("long", long)) for _ in range(2)]
    await asyncio.sleep(0)
    going.append(asyncio.create_task(hear("short", short)))
    await asyncio.gather(*going)
    assert order[0] == "short"


async def test_another_speed_makes_the_same_words_shorter_or_longer(local: LocalEngines) -> None:
    slow, own, fast = [len(await _spoken(local, FOUR[2], each)) for each in (0.7, 1.0, 1.5)]
    assert slow > 1.2 * own
    assert fast < 0.85 * own
    assert mistakes(FOUR[2], await _heard(local, await _spoken(local, FOUR[2], 1.3)) or "") <= 1


async def test_it_begins_to_speak_at_once_and_as_loud_as_people(local: LocalEngines) -> None:
    """Silence that the model makes in front of a sentence would be time that callers wait."""
    samples = np.frombuffer(await _spoken(local, FOUR[0]), "<i2").astype(float)
    assert np.abs(samples[: 8 * 100]).max() > 300
    assert 8000 < np.abs(samples).max() <= 32_767


async def test_a_text_of_which_each_character_is_a_word_is_spoken_in_short_jobs(
    local: LocalEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[float] = []
    run = Pool.run

    async def noted(*job: Any) -> AsyncGenerator[Any, None]:
        async with aclosing(run(*job)) as answers:
            async for answer in answers:
                if isinstance(answer, messages.Audio):
                    made.append(len(answer.pcm) / 16)
                yield answer

    monkeypatch.setattr(Pool, "run", noted)
    await _spoken(local, "W%" * 100, 0.5)
    assert sum(made) > 5 * STRETCH_MS
    assert max(made) < 2 * STRETCH_MS


async def test_text_that_is_no_speech_makes_no_sound(local: LocalEngines) -> None:
    assert await _spoken(local, "...") == b""
    assert await _spoken(local, "Hello.") != b""


async def test_the_host_goes_on_while_models_compute(local: LocalEngines) -> None:
    """The loop is the audio of all calls: models must not take it."""
    pcm = over_a_telephone(await _spoken(local, FOUR[2]))
    hearing = asyncio.create_task(_heard(local, pcm * 6))
    worst = 0.0
    while not hearing.done():
        began = time.process_time()
        await asyncio.sleep(0.005)
        worst = max(worst, time.process_time() - began)
    assert worst < 0.05
