"""Measures the time from the agent's accept to its voice at the caller: whole stack, real audio.

One call at a time. It rings for a random while, so that the accept falls anywhere between two of
the provider's polls; then the clock runs from the sending of `POST …/accept` to the first frame at
the caller's phone that is not silent. The agent sends its clip, loud from its first sample, when it
is told `start`. Twice two variants: the provider takes a redirect while the call rings (the fast
path), or refuses it with 21220 and learns of the accept by its next poll, at most a second later;
and the agent opens its socket after the accept, or already while it rings. Then voice webhooks are
posted as a provider does, and timed until its instructions are there.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from common import g711
from gateway.softphone.call import PhoneCall
from gateway.softphone.phone import Softphone
from local.agent import Talk
from tests.load.report import Figure, Options, Result, Row
from tests.load.stack import World, quantile, say, stack
from tests.load.voice_webhook import answer_times

P95_MS = 150.0
RINGS_S = (0.3, 1.3)
CALL_LIMIT_S = 20.0
CLIP_MS = 300
AFTER_ACCEPT, WHILE_RINGING = "after accept", "while ringing"
FAST, POLLED = "work", "21220"


@dataclass(frozen=True)
class Timed:
    """One call: seconds from the accept's sending to each step."""

    accepted: float
    answered: float
    start: float
    first_audio: float


def measure(options: Options) -> Result:
    """Both kinds of provider, one stack after the other; in each the agents take turns."""
    calls = 10 if options.quick else 50
    rows = []
    raw: list[Row] = []
    waited: list[float] = []
    for redirect in (FAST, POLLED):
        with stack(GATEWAY_REDIRECT_RINGING=redirect) as world:
            timed = asyncio.run(_measure_all(world, calls))
            if redirect == FAST:
                [number] = asyncio.run(world.numbers(1))
                waited = answer_times(world, number, calls)
        for connects, times in timed.items():
            rows.append(_row(redirect, connects, times))
            raw.extend(
                {"redirect": redirect, "connects": connects, **vars(time_)} for time_ in times
            )
    p95 = {(row["redirect"], row["agent_connects"]): row["p95_ms"] for row in rows}
    return Result(
        title="from accept to the agent's first audio at the caller",
        parameters={
            "calls_a_row": calls,
            "ringing_before_accept_s": list(RINGS_S),
            "clip_ms": CLIP_MS,
        },
        rows=rows,
        figures=[
            Figure(
                f"accept → first audio, p95, agent connects {connects}",
                f"{p95[FAST, connects]:.0f} ms",
                f"< {P95_MS:.0f} ms",
                p95[FAST, connects] < P95_MS,
            )
            for connects in (AFTER_ACCEPT, WHILE_RINGING)
        ]
        + [
            Figure(f"voice webhook → TwiML, {name}", f"{1000 * quantile(waited, share):.1f} ms")
            for name, share in (("p50", 0.5), ("p95", 0.95))
        ],
        notes=[
            "`cold_ms` is the first call of all on its stack, not counted in the others. The three "
            "last columns are medians of the steps: accept answered to the agent over REST, call "
            "answered at the caller's phone, `start` at the agent."
        ],
        raw=[*raw, {"webhook_s": waited}],
    )


async def _measure_all(world: World, calls: int) -> dict[str, list[Timed]]:
    """Agents of both kinds in turns. The cold call stands first in the list of its kind."""
    [number] = await world.numbers(1)
    phone = world.phone()
    timed: dict[str, list[Timed]] = {AFTER_ACCEPT: [], WHILE_RINGING: []}
    order = [AFTER_ACCEPT] + [AFTER_ACCEPT, WHILE_RINGING] * calls
    for index, connects in enumerate(order):
        async with asyncio.timeout(CALL_LIMIT_S):
            one = await _one_call(world, phone, number, f"+1555{index:07d}", connects)
        timed[connects].append(one)
    return timed


async def _one_call(
    world: World, phone: Softphone, number: str, caller: str, connects: str
) -> Timed:
    call = await phone.place_call(number, from_=caller)
    shown = await world.ringing_from(caller)
    await asyncio.sleep(random.uniform(*RINGS_S))
    return await accept_and_hear(world, call, shown, connects)


async def accept_and_hear(
    world: World, call: PhoneCall, shown: dict[str, Any], connects: str = AFTER_ACCEPT
) -> Timed:
    """Accept a call that rings (`shown` by REST), speak, and end it once its phone has heard."""
    talk = Talk(shown["audio"])
    talking = None
    if connects == WHILE_RINGING:
        talking = asyncio.create_task(talk.run(_clip()))
        await _connected(talk, talking)
    began = time.monotonic()
    accepted: dict[str, Any] = await world.rest("POST", f"/api/call/{shown['call_id']}/accept")
    accepted_at = time.monotonic()
    if talking is None:
        talk = Talk(accepted["audio"])
        talking = asyncio.create_task(talk.run(_clip()))
    await _first(talk.started, talking)
    started_at = time.monotonic()
    heard_at = await _first_audio(call)
    await world.rest("POST", f"/api/call/{shown['call_id']}/leave")
    await call.ended.wait()
    await call.close()
    await talking
    if call.answered_at is None:
        raise RuntimeError("audio, but no answer")
    return Timed(
        accepted_at - began, call.answered_at - began, started_at - began, heard_at - began
    )


async def _connected(talk: Talk, talking: asyncio.Task[None]) -> None:
    while talk.socket is None and not talking.done():  # noqa: ASYNC110 - it has no event for this
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)  # the relay asks the application who this is


async def _first(event: asyncio.Event, talking: asyncio.Task[None]) -> None:
    """The event; or, if the agent fails or is turned away before, its error."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait([waiting, talking], return_when=asyncio.FIRST_COMPLETED)
    if not event.is_set():
        waiting.cancel()
        await talking
        raise RuntimeError("the agent's socket was closed before the call began")


async def _first_audio(call: PhoneCall) -> float:
    while (frame := call.first_audio()) is None:
        if call.ended.is_set():
            raise RuntimeError(f"the call ended unheard: {call.ending}")
        await call.wait_frames(len(call.received) + 1)
    return frame.at


def _clip() -> bytes:
    """A tone that is loudest at its first sample."""
    times = np.arange(CLIP_MS * 8) / 8000
    return g711.encode((12000 * np.cos(2 * np.pi * 440 * times)).astype("<i2").tobytes())


def _row(redirect: str, connects: str, timed: list[Timed]) -> Row:
    cold, warm = (timed[:1], timed[1:]) if connects == AFTER_ACCEPT else ([], timed)
    ms = [1000 * one.first_audio for one in warm]

    def median_ms(step: str) -> float:
        return 1000 * quantile([getattr(one, step) for one in warm], 0.5)

    row = {
        "redirect": redirect,
        "agent_connects": connects,
        "calls": len(warm),
        "p50_ms": quantile(ms, 0.5),
        "p95_ms": quantile(ms, 0.95),
        "max_ms": max(ms),
        "cold_ms": 1000 * cold[0].first_audio if cold else None,
        "accepted_ms": median_ms("accepted"),
        "answered_ms": median_ms("answered"),
        "start_ms": median_ms("start"),
    }
    say(f"{row}")
    return row
