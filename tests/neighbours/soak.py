"""All attacks at once against a stack that carries calls: `python -m tests.neighbours.soak`.

Writes a report as JSON and prints it. The requirements: no call is lost, memory is flat, and a new
call has its usual pace again within `RECOVER_S` after the attacks have ended.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from local.agent import Refused
from tests.load.machine import circumstances
from tests.neighbours import greedy, strangers
from tests.neighbours.attacker import attacking
from tests.neighbours.carried import Carried
from tests.neighbours.pace import median, slower
from tests.neighbours.tenant import Figures
from tests.support.engine import ROOT
from tests.support.running import Live, Process, newcomers, stack_up

ACCOUNTS = 4
SAMPLE_S = 10.0
RECOVER_S = 5.0
SETTLED_S = 300.0
"""Seconds after which memory is compared: buffers, caches and workers have reached their size."""
REPORT = ROOT / ".local" / "bench" / "soak.json"


def main() -> int:
    """Run the soak; return 0 if all requirements are met."""
    parser = argparse.ArgumentParser(description="All attacks at once.")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--calls", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, stack_up(Path(folder)) as process:
        found = asyncio.run(_soak(process, given.calls, 60 * given.minutes))
    report = {**circumstances(), "minutes": given.minutes, **found}
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=1) + "\n")
    shown = {name: value for name, value in report.items() if name != "samples"}
    print(json.dumps(shown, indent=1))
    return 0 if not report["lost"] and report["recovered_s"] is not None else 1


async def _soak(process: Process, calls: int, seconds: float) -> dict[str, Any]:
    # Before any call is carried, since this takes the process's time.
    watcher, stranger, *others = newcomers(process, 2 + ACCOUNTS + len(greedy.ATTACKS))
    accounts, tenants = others[:ACCOUNTS], others[ACCOUNTS:]
    await median(watcher, 1, talk_s=1)
    quiet = await median(watcher, 5, talk_s=2)
    carried = [await Carried.begin(accounts[n % ACCOUNTS]) for n in range(calls)]
    print(f"{calls} calls are up", file=sys.stderr, flush=True)
    samples: list[dict[str, Any]] = []
    with contextlib.ExitStack() as attacks:
        folder = process.state_dir
        attacks.enter_context(attacking(stranger.stack, folder, *strangers.ATTACKS))
        for tenant, name in zip(tenants, greedy.ATTACKS, strict=True):
            attacks.enter_context(attacking(tenant.stack, folder, name))
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds:
            await asyncio.sleep(min(SAMPLE_S, seconds - elapsed))
            samples.append(_sample(process, carried, time.monotonic() - began))
            print(json.dumps(samples[-1]), file=sys.stderr, flush=True)
        loud = await _measure(watcher, talk_s=2)
    recovered_s, again = await _recover(watcher, quiet)
    lost = [each.call_id for each in carried if not each.up]
    ends = [await each.end() for each in carried]
    return {
        "calls": calls,
        "attacks": [*strangers.ATTACKS, *greedy.ATTACKS],
        "lost": lost,
        "end_reasons": sorted({str(end["end_reason"]) for end in ends}),
        "longest_gap_ms": {
            "caller": max(round(1000 * each.caller.longest_gap_s) for each in carried),
            "agent": max(round(1000 * each.agent.longest_gap_s) for each in carried),
        },
        "pace_ms": {
            name: figures and dataclasses.asdict(figures)
            for name, figures in (("quiet", quiet), ("attacked", loud), ("afterwards", again))
        },
        "recovered_s": recovered_s,
        "memory_mb": _growth(samples, seconds),
        "samples": samples,
    }


async def _measure(watcher: Live, *, talk_s: float) -> Figures | None:
    """Place a call and return its figures, or None if the API refused a request (503: come again)
    or the call did not come through in time."""
    try:
        return await median(watcher, 1, talk_s=talk_s)
    except (TimeoutError, Refused) as problem:
        print(f"not measured: {problem!r}", file=sys.stderr, flush=True)
        return None


async def _recover(watcher: Live, quiet: Figures) -> tuple[float | None, Figures | None]:
    """Place calls until one has its usual pace; return when that one was placed, in s after the
    attacks' end, and its figures."""
    ended = time.monotonic()
    while True:
        placed_s = time.monotonic() - ended
        figures = await _measure(watcher, talk_s=1)
        if figures and not slower(quiet, figures):
            return placed_s, figures
        if placed_s > RECOVER_S:
            return None, figures


def _sample(process: Process, carried: list[Carried], at: float) -> dict[str, Any]:
    """Return the memory of each part (MB), the calls that are up, and the longest gaps so far
    (ms)."""
    return {
        "at_s": round(at),
        "up": sum(each.up for each in carried),
        "gap_ms": {
            "caller": max(round(1000 * each.caller.longest_gap_s) for each in carried),
            "agent": max(round(1000 * each.agent.longest_gap_s) for each in carried),
        },
        "memory_mb": memory_mb(process),
    }


def memory_mb(process: Process) -> dict[str, int]:
    """Return the resident memory of the stack's processes by what they run."""
    marker = f"CHAMADE_STATE_DIR={process.state_dir}".encode()
    found: dict[str, int] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError, ValueError):
            if not entry.name.isdigit() or marker not in (entry / "environ").read_bytes():
                continue
            words = (entry / "cmdline").read_text().split("\0")
            part = words[words.index("-m") + 1]
            if part == "awslambdaric":
                part = words[words.index("-m") + 2]
            pages = int((entry / "statm").read_text().split()[1])
            found[part] = found.get(part, 0) + pages * 4096 // 1_000_000
    return found


def _growth(samples: list[dict[str, Any]], seconds: float) -> dict[str, list[int]]:
    """Return the memory of each part once it had settled, half-way, and at the end."""
    settled = [each for each in samples if each["at_s"] >= min(SETTLED_S, seconds / 3)]
    looks = (settled[0], settled[len(settled) // 2], settled[-1])
    return {
        part: [look["memory_mb"].get(part, 0) for look in looks] for part in looks[-1]["memory_mb"]
    }


if __name__ == "__main__":
    sys.exit(main())
