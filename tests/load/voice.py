"""Measures hosted voices on the whole stack, with the local models: how long a caller waits for the
answer, how soon the agent is silent when the caller speaks, and what calls cost a voice host.

The caller says one of a few sentences, whose last frame is loud. The agent, over REST, answers at
once with a sentence when `say` brings the reply. The clock runs from the last frame of the caller's
sentence that was sent until the first frame of the answer that is not silent. The caller's phone
and the agent run in this process.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from common.g711 import DECODE_TABLE
from gateway.media.playout_queue import FRAME
from gateway.softphone.call import PhoneCall, is_silent
from tests.load.report import Figure, Options, Result, Row
from tests.load.stack import World, quantile, say, stack
from tests.load.voice_host import Host
from tests.support.models import models

ANSWER_MS, STOP_MS = 900.0, 250.0
"""Targets: the median until the answer, and p95 until silence."""
PLACES = 8
CALLS = (1, 4, 8)
_SAYS = (
    "I would like to make an appointment for next Monday.",
    "Can you tell me when you are open?",
    "My name is Robert and I live in Boston.",
    "Please ask him to call me back tomorrow morning.",
    "I have a question about my last bill.",
)
_ANSWERS = "Thank you. Is there anything else that I can do for you?"
_LONG = (
    "Let me tell you about our opening hours. On Monday and on Tuesday we are open from nine to "
    "five. On Wednesday we are open from ten to six. On Thursday and on Friday we are closed."
)
_LOUD = 512
"""Peak of 32767 from which a frame of the caller's sentence counts as speech."""
_QUIET = 50
"""Silent frames after which the agent has stopped: one second."""
_WITHIN_S = 40
_callers = itertools.count(1)


@dataclass(frozen=True)
class Turn:
    """The times of a turn, in ms from the caller's last frame: until the agent had the text, and
    until the caller heard the answer."""

    text_ms: float
    heard_ms: float


@dataclass
class Line:
    """A call and its agent."""

    world: World
    call: PhoneCall
    call_id: str
    sentences: list[bytes]
    turns: list[Turn] = field(default_factory=list)

    async def say(self, text: str, **more: Any) -> dict[str, Any]:
        """Have a text spoken."""
        path = f"/api/call/{self.call_id}/say"
        return dict(await self.world.rest("POST", path, {"text": text, **more}))

    async def talk(self, turns: int) -> None:
        """Hold a conversation of so many turns."""
        place = len(self.call.received)
        saying = asyncio.create_task(self.say(_ANSWERS, wait_for_reply_s=20))
        await self._heard_to_its_end(place)
        for number in range(turns):
            await self.call.play(random.choice(self.sentences))
            spoken, place = time.monotonic(), len(self.call.received)
            said = await saying
            had_text = time.monotonic()
            more = number < turns - 1
            saying = asyncio.create_task(
                self.say(_ANSWERS, wait=True, wait_for_reply_s=20 if more else 0)
            )
            first = await self._first_sound(place)
            if said["reply"]:  # else the caller was not heard, which is no turn
                at = self.call.received[first].at
                self.turns.append(Turn((had_text - spoken) * 1000, (at - spoken) * 1000))
            await self._heard_to_its_end(first)
        await saying

    async def barge_in(self) -> float:
        """Speak over the agent; return ms from the caller's first frame to the last that the caller
        heard of the agent."""
        place = len(self.call.received)
        saying = asyncio.create_task(self.say(_LONG, wait_for_reply_s=20))
        first = await self._first_sound(place)
        await self.call.wait_frames(first + random.randrange(50, 200))
        began = time.monotonic()
        await self.call.play(random.choice(self.sentences))
        await saying
        end = await self._heard_to_its_end(first)
        loud = [each.at for each in self.call.received[first:end] if not is_silent(each.frame)]
        return max(0.0, (loud[-1] - began) * 1000)

    async def _first_sound(self, start: int) -> int:
        """Wait for a frame that is not silent; return its place."""
        async with asyncio.timeout(_WITHIN_S):
            at = start
            while True:
                await self._frames(at + 1)
                if not is_silent(self.call.received[at].frame):
                    return at
                at += 1

    async def _heard_to_its_end(self, start: int) -> int:
        """Wait for sound, and then for silence; return the place at which it has lasted."""
        at, silent = await self._first_sound(start), 0
        while silent < _QUIET:
            at += 1
            await self._frames(at + 1)
            silent = silent + 1 if is_silent(self.call.received[at].frame) else 0
        return at

    async def _frames(self, count: int) -> None:
        await self.call.wait_frames(count)
        if self.call.ended.is_set():
            raise RuntimeError(f"the call is over: {self.call.ending}")

    async def hang_up(self) -> None:
        """End the call."""
        self.call.hangup()
        await self.call.ended.wait()
        await self.call.close()


def measure(options: Options) -> Result:
    """Turns one after the other, interruptions, and conversations side by side."""
    turns, stops = (5, 4) if options.quick else (30, 20)
    sentences = asyncio.run(_sentences())
    places = {"VOICE_MAX_CALLS": str(PLACES), "VOICE_MAX_CALLS_PER_ACCOUNT": str(PLACES)}
    with stack(voice_hosts=1, **places) as world:
        host = Host(world.voice_pids[0], world.layout.voice_urls[0])
        waits, parts, stopped = asyncio.run(_alone(world, host, sentences, turns, stops))
        rows = [
            asyncio.run(_side_by_side(world, host, sentences, calls, 2 if options.quick else 5))
            for calls in CALLS
        ]
    answers = sorted(each.heard_ms for each in waits)
    stopped.sort()
    p50, p95, stop = quantile(answers, 0.5), quantile(answers, 0.95), quantile(stopped, 0.95)
    return Result(
        title="hosted voices with the local models",
        parameters={"turns": len(waits), "interruptions": len(stopped), "places": PLACES},
        rows=rows,
        figures=[
            Figure(
                "end of the caller's speech → first sound of the answer, p50",
                f"{p50:.0f} ms", f"< {ANSWER_MS:.0f} ms", p50 < ANSWER_MS,
            ),
            Figure("the same, p95", f"{p95:.0f} ms"),
            *(Figure(f"of it: {name}, mean", f"{ms:.0f} ms") for name, ms in parts.items()),
            Figure(
                "start of the caller's speech → agent silent, p95",
                f"{stop:.0f} ms", f"< {STOP_MS:.0f} ms", stop < STOP_MS,
            ),
            Figure("the same, p50", f"{quantile(stopped, 0.5):.0f} ms"),
        ],
        notes=[
            "The voice host's silence begins with the first frame that its detector does not take "
            "for speech, which may be before the last frame that is loud.",
            "`cpu_percent` is of one processor: the voice host and its two workers, over the time "
            "of the conversations, in which each side speaks about half of the time. `memory_mb` "
            "is their proportional set size together."
        ],
        raw=[vars(each) for each in waits] + [{"stop_ms": each} for each in stopped],
    )  # fmt: skip


async def _alone(
    world: World, host: Host, sentences: list[bytes], turns: int, stops: int
) -> tuple[list[Turn], dict[str, float], list[float]]:
    """One call. Returns its turns, the means of their parts, and ms until silence."""
    line = await _line(world, sentences)
    await line.talk(1)  # warms up
    line.turns.clear()
    before = await asyncio.to_thread(host.counts)
    await line.talk(turns)
    after = await asyncio.to_thread(host.counts)
    stopped = []
    for _ in range(stops):
        stopped.append(await line.barge_in())
        say(f"silent after {stopped[-1]:.0f} ms")
    await line.hang_up()
    text, heard = (
        float(np.mean([getattr(each, name) for each in line.turns]))
        for name in ("text_ms", "heard_ms")
    )
    parts = {
        "until the agent has the text": text,
        "from then until the caller hears the answer": heard - text,
        "in the first part, at the voice host: from the beginning of the silence to the text": (
            host.mean(before, after, "final")
        ),
        "in the second part, at the voice host: a sentence is made": (
            host.mean(before, after, "sentences")
        ),
    }
    return line.turns, parts, stopped


async def _side_by_side(
    world: World, host: Host, sentences: list[bytes], calls: int, turns: int
) -> Row:
    # Each agent waits for its caller in a request, so in a thread, of which there are few else.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(4 * calls))
    lines = [await _line(world, sentences) for _ in range(calls)]
    busy, began = host.cpu_s(), time.monotonic()
    talking = asyncio.gather(*(line.talk(turns) for line in lines))
    await asyncio.sleep(1)
    memory = host.memory_mb()
    await talking
    took, used = time.monotonic() - began, host.cpu_s() - busy
    for line in lines:
        await line.hang_up()
    answers = sorted(each.heard_ms for line in lines for each in line.turns)
    row = {
        "calls": calls,
        "turns": len(answers),
        "answer_p50_ms": quantile(answers, 0.5),
        "answer_p95_ms": quantile(answers, 0.95),
        "cpu_percent": 100 * used / took,
        "memory_mb": memory,
        "load_average": round(os.getloadavg()[0], 1),
    }
    say(", ".join(f"{name} {value:.0f}" for name, value in row.items()))
    return row


async def _line(world: World, sentences: list[bytes]) -> Line:
    [number] = await world.numbers(1)
    caller = f"+1555{next(_callers):07d}"
    call = await world.phone().place_call(number, from_=caller)
    call_id = (await world.ringing_from(caller))["call_id"]
    await world.rest("POST", f"/api/call/{call_id}/accept", {"voice": "hosted"})
    await call.wait_answered()
    return Line(world, call, call_id, sentences)


async def _sentences() -> list[bytes]:
    """Return the caller's sentences, from the first loud frame to the last."""
    async with models() as loaded:
        return [_loud_part(await loaded.spoken(text)) for text in _SAYS]


def _loud_part(ulaw: bytes) -> bytes:
    whole = ulaw[: len(ulaw) // FRAME * FRAME]
    peaks = np.abs(DECODE_TABLE[np.frombuffer(whole, np.uint8)].astype(int)).reshape(-1, FRAME)
    loud = np.flatnonzero(peaks.max(axis=1) >= _LOUD)
    return whole[loud[0] * FRAME : (loud[-1] + 1) * FRAME]
