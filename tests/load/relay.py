"""Measures the cost of carrying calls: our relay, the same on `websockets`, and a floor in C, in
turns.

Each relay is alone on one core; the load client (and this program) is on the other. A frame that
is carried is two messages, one in and one out; CPU time a message is the process's CPU time over
the messages it got through in the same window. Latency is from a frame's `send` on one side to its
`recv` on the other, so it includes loopback and whatever else kept the load client's core busy: the
floor's, from the same run, tells how much that is.

At the pace `live` frames come every 20 ms, as calls send them, and CPU time a message depends on
how many calls share a wake-up. At the pace `closed` each leg sends a frame for each that it gets,
so that the relay is never idle: that compares programs with one another; its latency means nothing.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.load import control_stub, relays
from tests.load.c_programs import compile_c
from tests.load.machine import Busy, pinned_to
from tests.load.relays import VARIANTS, Variant
from tests.load.report import Figure, Options, Result, Row

LIVE, CLOSED = "live", "closed"
CLOSED_CALLS = 100
P99_MS = 20.0
CALLS_WANTED = 250
OF_FLOOR, OF_PEER = 1.8, 1 / 3
MESSAGES_A_FRAME = 2
_QUERIES = {"mulaw": "format=mulaw", "pcm": "format=pcm_s16le&rate=16000"}
"""The query with which an agent asks for its format."""
CLIENT_LIMIT_S = 120


def measure(options: Options) -> Result:
    """All variants at every number of calls, several times over."""
    warm_s, seconds, repetitions = (0.5, 1.5, 2) if options.quick else (1.0, 4.0, 3)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise RuntimeError("the relay bench needs two cores: one for the relay, one for the load")
    rig = _Rig(options.work, relay_core=cores[0], load_core=cores[1])
    runs: list[Row] = []
    loads = [(LIVE, calls) for calls in options.relay_calls] + [(CLOSED, CLOSED_CALLS)]
    with pinned_to(rig.load_core), control_stub.running() as control_url:
        for repetition in range(repetitions):
            for load in loads:
                for variant in VARIANTS:
                    run = rig.run(variant, load, (warm_s, seconds), control_url)
                    runs.append({"repetition": repetition, **run})
                    _say(run)
    rows = [_summary(runs, variant.name, load) for load in loads for variant in VARIANTS]
    return Result(
        title="mu-law both ways, 200 messages/s a call, the relay on one core",
        parameters={
            "calls": options.relay_calls,
            "window_s": seconds,
            "warm_up_s": warm_s,
            "repetitions": repetitions,
            "order": "every variant in turn, then again",
        },
        rows=rows,
        figures=_figures(runs, rows, options.relay_calls),
        raw=runs,
    )


Load = tuple[str, int]
"""(pace, calls)"""


class _Rig:
    """The load client, the C floor, and where each runs."""

    def __init__(self, work: Path, relay_core: int, load_core: int) -> None:
        self.load_core = load_core
        self._relay_core = relay_core
        self._work = work
        self._load = compile_c("load", work / "build")
        self._floor = compile_c("floor", work / "build")

    def run(
        self, variant: Variant, load: Load, times: tuple[float, float], control_url: str
    ) -> Row:
        """One variant under one load."""
        log = self._work / f"relay-{variant.program}.log"
        with relays.running(variant.program, self._floor, control_url, log) as (pid, port):
            os.sched_setaffinity(pid, {self._relay_core})
            busy = Busy()
            figures = self._told(port, load, times, variant.agent, pid)
            used, elapsed = busy.seconds()
        window = times[1]
        messages = MESSAGES_A_FRAME * figures["delivered_in_window"]
        ours = figures["relay_cpu_s"] + figures["client_cpu_s"]
        return {
            "relay": variant.name,
            "pace": load[0],
            "calls": load[1],
            "cpu_us": figures["relay_cpu_s"] / messages * 1e6 if messages else None,
            "core_percent": figures["relay_cpu_s"] / window * 100,
            "client_percent": figures["client_cpu_s"] / window * 100,
            "others_percent": max(0.0, (used / elapsed - ours / window) * 100),
            **figures,
        }

    def _told(
        self, port: int, load: Load, times: tuple[float, float], agent: str, pid: int
    ) -> dict[str, Any]:
        pace, calls = load
        arguments = [port, calls, *times, agent, pace, pid]
        done = subprocess.run(
            [str(self._load), *map(str, arguments)],
            input="".join(f"{path}\n" for path in control_stub.paths(calls, _QUERIES[agent])),
            capture_output=True,
            text=True,
            timeout=CLIENT_LIMIT_S,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"the load client failed: {done.stderr.strip()}")
        figures: dict[str, Any] = json.loads(done.stdout)
        return figures


def _summary(runs: list[Row], relay: str, load: Load) -> Row:
    runs = _only(runs, relay, load)

    def median(key: str) -> float:
        return statistics.median(run[key] or 0.0 for run in runs)

    return {
        "pace": load[0],
        "calls": load[1],
        "relay": relay,
        "cpu_us_min": min(run["cpu_us"] or 0.0 for run in runs),
        "cpu_us": median("cpu_us"),
        "core_%": median("core_percent"),
        "p50_ms": median("p50_ms"),
        "p99_ms_min": min(run["p99_ms"] for run in runs),
        "p99_ms": median("p99_ms"),
        "max_ms": max(run["max_ms"] for run in runs),
        "lost": sum(run["lost"] for run in runs),
        "wrong": sum(run["mismatches"] for run in runs),
        "client_late_ms": median("client_late_p99_ms"),
        "client_%": median("client_percent"),
        "others_%": median("others_percent"),
    }


def _figures(runs: list[Row], rows: list[Row], all_calls: list[int]) -> list[Figure]:
    figures = []
    for load in [*((LIVE, calls) for calls in all_calls), (CLOSED, CLOSED_CALLS)]:
        pace, calls = load
        what = f"CPU a message, {calls} calls {pace}, ours"
        figures.append(_ratio(f"{what} / C floor", runs, load, "floor", OF_FLOOR))
        # A peer that falls behind takes several messages at a time: that is cheaper, and no merit.
        overrun = pace == LIVE and not _carries(_only(rows, "peer", load)[0])
        of_peer = f"{what} / websockets{' (overrun)' if overrun else ''}"
        figures.append(_ratio(of_peer, runs, load, "peer", None if overrun else OF_PEER))
    for variant in VARIANTS:
        carried = [
            row["calls"]
            for row in rows
            if (row["relay"], row["pace"]) == (variant.name, LIVE) and _carries(row)
        ]
        most = max(carried, default=0)
        wanted = variant.name == "ours" and max(all_calls) >= CALLS_WANTED
        figures.append(
            Figure(
                f"most calls with p99 < {P99_MS:.0f} ms and nothing lost, {variant.name}",
                most,
                f"≥ {CALLS_WANTED}" if wanted else "",
                most >= CALLS_WANTED if wanted else None,
            )
        )
    return figures


def _ratio(what: str, runs: list[Row], load: Load, other: str, most: float | None) -> Figure:
    """Of neighbours in time: each repetition gives a ratio, the median counts."""
    pairs = zip(_only(runs, "ours", load), _only(runs, other, load), strict=True)
    ratios = [ours["cpu_us"] / theirs["cpu_us"] for ours, theirs in pairs]
    median = statistics.median(ratios)
    measured = f"{median:.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    if most is None:
        return Figure(what, measured)
    return Figure(what, measured, f"≤ {most:.2f}", median <= most)


def _only(rows: list[Row], relay: str, load: Load) -> list[Row]:
    return [row for row in rows if (row["relay"], row["pace"], row["calls"]) == (relay, *load)]


def _carries(row: Row) -> bool:
    return bool(row["p99_ms"] < P99_MS and row["lost"] == 0 and row["wrong"] == 0)


def _say(run: Row) -> None:
    print(
        f"{run['relay']:10} {run['calls']:4} calls {run['pace']:6} "
        f"{run['cpu_us'] or 0:6.2f} us a message, core {run['core_percent']:3.0f} %, "
        f"p99 {run['p99_ms']:7.2f} ms, lost {run['lost']}, wrong {run['mismatches']}, "
        f"client {run['client_percent']:.0f} %, others {run['others_percent']:.0f} %",
        file=sys.stderr,
    )
