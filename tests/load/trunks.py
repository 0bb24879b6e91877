"""Measures a gateway with a crowd of trunks: their registrar restarts, or one of their tenants
dials all he can, while another tenant's calls go on.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from gateway.legs.sip.pace import PER_SECOND
from tests.load.machine import Busy
from tests.load.programs import cpu_s
from tests.load.report import Figure, Options, Result, Row
from tests.load.sip_long import application as app
from tests.load.sip_long.phone import Phone
from tests.load.stack import say
from tests.load.trunk_list import trunk_id
from tests.load.trunks_world import LOUD, World, world

CALLER_IDS = 100
AT_ONCE = 20
AWAY_S = 10.0
STEP_S = 0.5
SETTLE_S = 3.0
SLOWER, SLACK_MS = 1.5, 150.0
"""The allowed slowdown of another tenant's calls, as in tests/neighbours."""


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    trunks: int
    register_s: int
    calls: int
    dials: int
    quiet_s: float
    quiet_calls: int


FULL = Size(trunks=2000, register_s=120, calls=20, dials=1000, quiet_s=10, quiet_calls=10)
QUICK = Size(trunks=200, register_s=30, calls=5, dials=100, quiet_s=3, quiet_calls=3)


def measure(options: Options) -> Result:
    """Register, restart the registrar, dial; report."""
    size = QUICK if options.quick else FULL
    run = asyncio.run(_measure(options.work, size))
    return Result(
        title="a crowd of trunks, and another tenant's calls meanwhile",
        parameters={
            "trunks": size.trunks,
            "of_them_tcp": size.trunks // 2,
            "register_interval_s": size.register_s,
            "registrar_away_s": AWAY_S,
            "dials": size.dials,
            "caller_ids": CALLER_IDS,
        },
        rows=run["rows"],
        figures=_figures(run, size),
        notes=[],
        raw=[run],
    )


async def _measure(work: Path, size: Size) -> dict[str, Any]:
    async with world(work, 0, size.register_s) as alone:
        await asyncio.sleep(1.0)
        idle_mb = alone.rss_mb
    async with world(work, size.trunks, size.register_s) as here:
        first = await _all_registered(here, size.trunks, within_s=300)
        await asyncio.sleep(SETTLE_S)
        full_mb = here.rss_mb
        say(f"{size.trunks} trunks in {first['took_s']:.1f} s, {full_mb:.0f} MB, {first}")
        phones = [(await here.call())[0] for _ in range(size.calls)]
        await asyncio.sleep(SETTLE_S)
        rows = [await _heard("nothing", here, phones, asyncio.sleep(size.quiet_s))]
        again, row = await _restart(here, size, phones)
        rows.append(row)
        say(f"registered again: {again}")
        restarted_mb = here.rss_mb
        quiet = await _calls(here, size.quiet_calls)
        dialled: dict[str, Any] = {}
        rows.append(await _heard("dials", here, phones, _dial(here, size, dialled)))
        say(f"dialled: {dialled}")
        ended = sum(phone.ended.is_set() for phone in phones)
        for phone in phones:
            await phone.hangs_up()
    return {
        "rows": rows,
        "idle_mb": idle_mb,
        "full_mb": full_mb,
        "restarted_mb": restarted_mb,
        "first": first,
        "again": again,
        "quiet_ms": quiet,
        "dialled": dialled,
        "ended": ended,
    }


async def _all_registered(here: World, wanted: int, within_s: float) -> dict[str, Any]:
    """Wait until everybody is; return the counts, and the seconds since the first REGISTER."""
    deadline = time.monotonic() + within_s
    while True:
        counts = await here.crowd.ask("counts")
        if counts["registered"] >= wanted or time.monotonic() > deadline:
            took_s = counts["now"] - (counts["first_at"] or counts["now"])
            return counts | {"took_s": took_s}
        await asyncio.sleep(STEP_S)


async def _restart(here: World, size: Size, phones: list[Phone]) -> tuple[dict[str, Any], Row]:
    """Restart the registrar under all trunks; return when all are back, and what calls heard."""
    again: dict[str, Any] = {}

    async def restart() -> None:
        await here.crowd.ask("anew")
        await here.crowd.ask(f"restart {AWAY_S}")
        back_at = time.monotonic() + AWAY_S
        await asyncio.sleep(AWAY_S)
        counts = await _all_registered(here, size.trunks, within_s=3 * size.register_s)
        again.update(counts, took_s=time.monotonic() - back_at)

    row = await _heard("the registrar restarts", here, phones, restart())
    return again, row


async def _heard(beside: str, here: World, phones: list[Phone], doing: Any) -> Row:
    """Do something; return what the calls heard of themselves meanwhile."""
    for phone in phones:
        phone.heard = phone.lost = 0
        phone.longest_gap_s = 0.0
    busy, used, began = Busy(), cpu_s([here.pid]), time.monotonic()
    await doing
    lasted = time.monotonic() - began
    used = cpu_s([here.pid]) - used
    machine, _ = busy.seconds()
    heard, lost = sum(phone.heard for phone in phones), sum(phone.lost for phone in phones)
    return {
        "beside": beside,
        "lasted_s": lasted,
        "core_%": 100 * used / lasted,
        "machine_%": 100 * machine / lasted,
        "calls": len(phones),
        "up": sum(not phone.ended.is_set() for phone in phones),
        "frames": heard + lost,
        "lost_%": round(100 * lost / (heard + lost), 3) if heard else 100.0,
        "longest_gap_ms": 1000 * max(phone.longest_gap_s for phone in phones),
    }


async def _calls(here: World, count: int) -> list[float]:
    """Place calls one after the other; return how long each took to be up, in ms."""
    took = []
    for _ in range(count):
        phone, seconds = await here.call()
        took.append(1000 * seconds)
        await asyncio.sleep(1.0)
        await phone.hangs_up()
    return took


async def _dial(here: World, size: Size, into: dict[str, Any]) -> None:
    """Dial by one trunk as fast as it is let, while another tenant places calls."""
    before = (await here.crowd.ask("counts"))["calls"]
    began = time.monotonic()
    left = list(range(size.dials))
    refused = 0

    async def work() -> None:
        nonlocal refused
        while left:
            serial = left.pop()
            caller = f"+3319900{serial % CALLER_IDS:04d}"
            while not await _accepted(here, caller):
                refused += 1
                await asyncio.sleep(0.1)

    dialling = asyncio.gather(*(work() for _ in range(AT_ONCE)))
    quiet: list[float] = []
    while not dialling.done():
        quiet += await _calls(here, 1)
    await dialling
    took_s = time.monotonic() - began
    await asyncio.sleep(SETTLE_S)  # until the last ones are over
    came = (await here.crowd.ask("counts"))["calls"] - before
    into.update(took_s=took_s, refused=refused, came=came, setup_ms=quiet)


async def _accepted(here: World, caller: str) -> bool:
    """Dial; return False if the trunk has as many calls as it may have."""
    number = app.number(app.DIALLED, app.TALKS)
    try:
        await here.application.dial(here.gateway, number, trunk_id(LOUD), From=caller)
    except AssertionError as refusal:
        if ": 429" not in str(refusal):
            raise
        return False
    except aiohttp.ClientError:
        return False
    return True


def _figures(run: dict[str, Any], size: Size) -> list[Figure]:
    again, dialled = run["again"], run["dialled"]
    quiet, loud = statistics.median(run["quiet_ms"]), statistics.median(dialled["setup_ms"])
    kb = 1000 * (run["full_mb"] - run["idle_mb"]) / size.trunks
    most = 2 * PER_SECOND  # each is challenged
    allowed = SLOWER * quiet + SLACK_MS
    lost = max(row["lost_%"] for row in run["rows"])
    return [
        Figure("all registered, s after the first REGISTER", f"{run['first']['took_s']:.1f}"),
        Figure("memory of a trunk", f"{kb:.1f} kB"),
        Figure(
            "registered again after the restart",
            f"{again['registered']} of {size.trunks}",
            f"all {size.trunks}",
            again["registered"] == size.trunks,
        ),
        Figure(
            "until all are, s after the registrar is back",
            f"{again['took_s']:.1f}",
            f"< {1.5 * size.register_s:g}",
            again["took_s"] < 1.5 * size.register_s,
        ),
        Figure(
            "most REGISTERs in a second, with those that are challenged",
            again["most_a_second"],
            f"≤ {most}",
            again["most_a_second"] <= most,
        ),
        Figure("memory after the restart", f"{run['restarted_mb'] - run['full_mb']:+.1f} MB"),
        Figure("another tenant's calls that ended", run["ended"], "0", run["ended"] == 0),
        Figure("their frames lost, worst", f"{lost:.2f} %", "< 0.5 %", lost < 0.5),
        Figure(
            f"{size.dials} dials of one tenant, came through",
            f"{dialled['came']} in {dialled['took_s']:.1f} s, {dialled['refused']} refused (429)",
            f"{size.dials}",
            dialled["came"] == size.dials,
        ),
        Figure(
            "another tenant's call is up, median, quiet → meanwhile",
            f"{quiet:.0f} → {loud:.0f} ms",
            f"< {allowed:.0f} ms",
            loud < allowed,
        ),
    ]
