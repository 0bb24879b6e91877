"""Measures the local speech models: how many words are understood, how long that takes, and what it
takes of the machine, for calls of which each says one sentence after the other.

Sentences come over a telephone (mu-law, 8000 Hz). One half of them is spoken by espeak-ng, which is
none of ours and a robot, the other by our own voice; add recordings of people by VOICE_CLIPS.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from tests.load.report import Figure, Options, Result, Row
from tests.load.stack import quantile, say
from tests.support.speech import (
    PYTHON,
    SENTENCES,
    espeak,
    mistakes,
    over_a_telephone,
    recording,
    words,
)
from voice.engines.base import BYTES_A_MS, EngineSettings, Recognition
from voice.engines.local.engine import LocalEngines

CALLS = (1, 4, 8)
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Clip:
    """A sentence as it was said, and its sound. `said` is blank if nobody knows it."""

    speaker: str
    said: str
    pcm: bytes


def measure(options: Options) -> Result:
    """Measure, and return the result."""
    return asyncio.run(_measure(options))


async def _measure(options: Options) -> Result:
    engines = LocalEngines(EngineSettings("local", python=PYTHON))
    began = time.monotonic()
    await engines.start()
    started_s = time.monotonic() - began
    try:
        ours, first_ms = await _spoken(engines)
        clips = [*ours, *(Clip("espeak-ng", each, espeak(each)) for each in SENTENCES)]
        heard = [await _heard(engines, each) for each in clips]
        rows = [_words_row(who, heard) for who in ("our own voice", "espeak-ng")]
        rows += [await _load(engines, calls, clips, options.quick) for calls in CALLS]
        extra = [await _heard(engines, each) for each in _given()]
    finally:
        await engines.close()
    alone = next(row for row in rows if row["what"] == "1 call")
    return Result(
        "Speech models of one machine",
        {"sentences": len(clips), "start_s": round(started_s, 2)},
        rows,
        [
            Figure("first audio of a sentence, p50", f"{quantile(first_ms, 0.5):.0f} ms"),
            Figure("first audio of a sentence, p95", f"{quantile(first_ms, 0.95):.0f} ms"),
            Figure(
                "text of an utterance, one call, p95",
                f"{alone['hear_p95_ms']} ms",
                "< 350 ms",
                alone["hear_p95_ms"] < 350,
            ),
        ],
        ["espeak-ng is a robot; people are understood better."],
        [
            {"speaker": clip.speaker, "said": clip.said, "heard": text}
            for clip, text, _ in heard + extra
        ],
    )


async def _spoken(engines: LocalEngines) -> tuple[list[Clip], list[float]]:
    clips, first_ms = [], []
    for sentence in SENTENCES:
        began, pcm = time.monotonic(), b""
        speech = engines.synthesiser.speak(sentence, engines.synthesiser.voices[0], 1.0)
        async with aclosing(speech) as parts:
            async for part in parts:
                if not pcm:
                    first_ms.append((time.monotonic() - began) * 1000)
                pcm += part
        clips.append(Clip("our own voice", sentence, over_a_telephone(pcm)))
    return clips, first_ms


Heard = tuple[Clip, str, float]
"""A clip, the text that was heard, and the ms that it took."""


async def _heard(engines: LocalEngines, clip: Clip, call: Recognition | None = None) -> Heard:
    call = call or engines.recogniser.open("en-US", partials=False)
    began = time.monotonic()
    heard = await call.utterance(clip.pcm, 0)
    return clip, heard.text if heard else "", (time.monotonic() - began) * 1000


def _words_row(speaker: str, heard: list[Heard]) -> Row:
    mine = [each for each in heard if each[0].speaker == speaker]
    wrong = sum(mistakes(clip.said, text) for clip, text, _ in mine)
    total = sum(len(words(clip.said)) for clip, _, _ in mine)
    took = [ms for _, _, ms in mine]
    return {
        "what": f"words of {speaker}",
        "wrong_words_percent": round(100 * wrong / total, 1),
        "hear_p50_ms": round(quantile(took, 0.5)),
        "hear_p95_ms": round(quantile(took, 0.95)),
        "cpu_percent": None,
        "memory_mb": None,
    }


async def _load(engines: LocalEngines, calls: int, clips: list[Clip], quick: bool) -> Row:
    """Calls that each say a sentence, pause for as long as an answer takes, and say the next."""
    say(f"{calls} calls talk")
    took: list[float] = []
    until = time.monotonic() + (10 if quick else 60)
    cpu, began = _cpu_s(engines), time.monotonic()

    async def talk(n: int) -> None:
        call = engines.recogniser.open("en-US", partials=False)
        await asyncio.sleep(n * 0.37)
        for turn in range(10_000):
            clip = clips[(n * 7 + turn) % len(clips)]
            await asyncio.sleep(len(clip.pcm) / BYTES_A_MS / 1000 * 2)
            if time.monotonic() > until:
                return
            took.append((await _heard(engines, clip, call))[2])

    await asyncio.gather(*(talk(n) for n in range(calls)))
    spent = (_cpu_s(engines) - cpu) / (time.monotonic() - began)
    return {
        "what": f"{calls} call{'s' * (calls > 1)}",
        "wrong_words_percent": None,
        "hear_p50_ms": round(quantile(took, 0.5)),
        "hear_p95_ms": round(quantile(took, 0.95)),
        "cpu_percent": round(100 * spent, 1),
        "memory_mb": round(sum(map(_memory_mb, _pids(engines)))),
    }


def _given() -> list[Clip]:
    folder = os.environ.get("VOICE_CLIPS")
    files = sorted(Path(folder).glob("*_8k.wav")) if folder else []
    return [Clip(file.name, "", recording(file)) for file in files]


def _pids(engines: LocalEngines) -> list[int]:
    return [worker.pid for pool in (engines._hearing, engines._speaking) for worker in pool.workers]


def _cpu_s(engines: LocalEngines) -> float:
    fields = [
        Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in _pids(engines)
    ]
    return sum(int(each[11]) + int(each[12]) for each in fields) / _TICKS


def _memory_mb(pid: int) -> float:
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith("Pss:")) / 1024
