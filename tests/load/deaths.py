"""Measures what callers and agents notice when a relay dies, hangs or is cut off: whole stack.

Ten calls are up, with a tone each way; half of the agents connect by themselves with the client,
half are dialled in Twilio's dialect. Two relays stand behind a balancer. One of them is killed
(SIGKILL), stopped (SIGTERM: it hands its calls over), or hung (SIGSTOP), in turn; or the relays are
cut off from the application for ten seconds; or everything is, for thirty. A gap is the longest
time without the other side's tone, less the 20 ms of a frame.

A hung relay is let go on after its calls have moved; a killed one is started again. Between two
deaths calls have more than ten seconds, so that each finds streams that have lasted.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.load.deaths_world import RELAYS, DeathsWorld, world
from tests.load.report import Figure, Options, Result, Row
from tests.load.stack import quantile, say
from tests.support.rolling import keeping
from tests.support.toned_calls import Call, DialledAgents, begin, end

CALLS = 10
KINDS = ("kill", "term", "stop", "cut", "outage")
GAP_MS = 2000.0
BEFORE_S = 0.5
AGAIN_WITHIN_S = 15.0
CUT_S, OUTAGE_S = 10.0, 30.0
STEADY_S = 11.0
"""Seconds from the end of one death to the next: a stream that has lasted ten is one that works."""
WHAT = {
    "kill": "relay -9",
    "term": "relay SIGTERM, handed over",
    "stop": "relay SIGSTOP",
    "cut": "relays cut from the application 10 s",
    "outage": "application cut from everything 30 s",
}


@dataclass
class Measured:
    """The gaps of one kind of death, in ms, of the calls that it hit."""

    gaps: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    """By the side that heard the gap and the kind of the agent."""
    hit: int = 0
    never: int = 0
    """Sides that did not hear the other's tone again."""


def measure(options: Options) -> Result:
    """All kinds of death, one after the other, with the same calls."""
    return asyncio.run(measured(options))


async def measured(options: Options) -> Result:
    """As `measure`, in a running event loop."""
    kills = options.kills or (3 if options.quick else 20)
    kinds = options.subjects or KINDS
    return await _measure(kills, kinds, options.work / "deaths-logs")


async def _measure(kills: int, kinds: tuple[str, ...], logs: Path) -> Result:
    async with world(logs) as up, DialledAgents().listening() as agents:
        own, dialled = await _lines(up, agents)
        calls = []
        for number in range(CALLS):
            line = (own, None) if number % 2 == 0 else (dialled, agents)
            calls.append(await begin(up.rest, up.phone, number, *line))
        await _until_all_hear(calls, time.monotonic())
        found = {}
        for kind in kinds:
            times = kills if kind in ("kill", "term", "stop") else max(1, kills // 10)
            found[kind] = await _deaths(up, calls, kind, times)
            say(f"{kind}: {_row(kind, found[kind])}")
        lost = await _lost(up, calls)
        events = await _events(up)
        for call in calls:
            await end(call)
    return _result(kills, found, lost, events)


async def _lines(up: DeathsWorld, agents: DialledAgents) -> tuple[str, str]:
    """Return a number whose agents connect, and one whose agent is dialled."""
    own = str((await up.rest("GET", "/api/numbers"))["numbers"][0]["e164"])
    dialled = str((await up.rest("POST", "/api/number"))["e164"])
    change = {"auto_answer": True, "agent_url": agents.url}
    await up.rest("PATCH", f"/api/number/{dialled}", change)
    return own, dialled


async def _deaths(up: DeathsWorld, calls: list[Call], kind: str, times: int) -> Measured:
    measured = Measured()
    for number in range(times):
        await asyncio.sleep(STEADY_S)
        for call in calls:
            call.forget()
        owners = {call.call_id: await up.owner(call.call_id) for call in calls}
        held = Counter(owner for owner in owners.values() if owner)
        victim = max(RELAYS, key=lambda name: held[name])
        everyone = kind in ("cut", "outage")
        hit = [call for call in calls if everyone or owners[call.call_id] == victim]
        await asyncio.sleep(BEFORE_S)
        began = time.monotonic()
        mend = await _DEATHS[kind](up, victim)
        await _until_all_hear(hit, time.monotonic())
        ended = time.monotonic()
        measured.hit += len(hit)
        for call in hit:
            _take(measured, call, began - BEFORE_S, ended)
        unheard = [call.call_id for call in hit if not call.heard("caller", ended - 1)]
        if unheard:
            say(f"the callers do not hear their agents: {unheard}")
        worst = max((max(gaps) for gaps in measured.gaps.values()), default=0)
        say(f"{kind} {number + 1}: {len(hit)} calls on {victim}, worst gap so far {worst:.0f} ms")
        await mend()
    return measured


def _take(measured: Measured, call: Call, began: float, ended: float) -> None:
    for side in ("caller", "agent"):
        measured.gaps.setdefault((side, call.kind), []).append(call.gap_ms(side, began, ended))
        measured.never += not call.heard(side, ended - 1)


async def _until_all_hear(calls: list[Call], since: float) -> None:
    """Wait until both sides of each call have heard the other for half a second since then, or
    have had their time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(AGAIN_WITHIN_S):
            for call in calls:
                for side in ("caller", "agent"):
                    while not _hears(call, side, since):  # noqa: ASYNC110 - looks at what came
                        await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)


def _hears(call: Call, side: str, since: float) -> bool:
    """Return whether a side has heard the other within the last moment, as steadily as it talks."""
    now = time.monotonic()
    return now - since > 2.5 and len(call.heard(side, max(since, now - 1))) > 25


Mend = Callable[[], Awaitable[None]]


async def _kill(up: DeathsWorld, victim: str) -> Mend:
    up.relays.send(victim, signal.SIGKILL)

    async def start_again() -> None:
        await up.relays.until_dead(victim)
        await keeping(up.relays.start, victim)

    return start_again


async def _term(up: DeathsWorld, victim: str) -> Mend:
    up.relays.send(victim, signal.SIGTERM)

    async def start_again() -> None:
        await up.relays.until_dead(victim)
        await keeping(up.relays.start, victim)

    return start_again


async def _stop(up: DeathsWorld, victim: str) -> Mend:
    up.relays.send(victim, signal.SIGSTOP)

    async def go_on() -> None:
        up.relays.send(victim, signal.SIGCONT)

    return go_on


async def _cut(up: DeathsWorld, victim: str) -> Mend:
    up.from_relays.shut()
    await asyncio.sleep(CUT_S)

    async def mend() -> None:
        up.from_relays.open()

    return mend


async def _outage(up: DeathsWorld, victim: str) -> Mend:
    up.to_app.shut()
    up.from_relays.shut()
    await asyncio.sleep(OUTAGE_S)

    async def mend() -> None:
        up.to_app.open()
        up.from_relays.open()

    return mend


_DEATHS: dict[str, Callable[[DeathsWorld, str], Awaitable[Mend]]] = {
    "kill": _kill,
    "term": _term,
    "stop": _stop,
    "cut": _cut,
    "outage": _outage,
}


async def _lost(up: DeathsWorld, calls: list[Call]) -> int:
    """Return how many calls have ended, though nobody hung up."""
    states = [(await up.rest("GET", f"/api/call/{call.call_id}"))["state"] for call in calls]
    gone = [call.phone.ended.is_set() for call in calls]
    return sum(state != "active" or over for state, over in zip(states, gone, strict=True))


async def _events(up: DeathsWorld) -> dict[str, int]:
    return dict(Counter(str(event["type"]) for event in await up.events()))


def _row(kind: str, measured: Measured) -> Row:
    row: Row = {"death": WHAT[kind], "calls_hit": measured.hit, "never_again": measured.never}
    for side in ("caller", "agent"):
        gaps = [
            g for (heard_by, _), each in measured.gaps.items() if heard_by == side for g in each
        ]
        for name, share in (("p50", 0.5), ("p95", 0.95)):
            row[f"{side}_{name}_ms"] = quantile(gaps, share) if gaps else None
        row[f"{side}_max_ms"] = max(gaps, default=None)
    return row


def _result(kills: int, measured: dict[str, Measured], lost: int, events: dict[str, int]) -> Result:
    rows = [_row(kind, each) for kind, each in measured.items()]
    raw: list[dict[str, Any]] = [
        {"death": kind, "heard_by": side, "agent": agent, "gaps_ms": gaps}
        for kind, each in measured.items()
        for (side, agent), gaps in each.gaps.items()
    ]
    figures = [
        Figure(
            f"{row['death']}: audio again, p95",
            f"caller {row['caller_p95_ms']:.0f} ms, agent {row['agent_p95_ms']:.0f} ms",
            f"< {GAP_MS:.0f} ms",
            max(row["caller_p95_ms"], row["agent_p95_ms"]) < GAP_MS,
        )
        for row in rows
        if row["calls_hit"]
    ]
    figures.append(Figure("calls lost", lost, "0", lost == 0))
    return Result(
        title="gaps in calls when a relay dies, hangs or is cut off",
        parameters={"calls": CALLS, "deaths_of_each_kind": kills},
        rows=rows,
        figures=figures,
        notes=[
            "Events of the whole run: " + ", ".join(f"{k} {v}" for k, v in events.items()) + "."
        ],
        raw=raw,
    )
