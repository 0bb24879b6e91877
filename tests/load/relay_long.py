"""Carries calls through one relay for half an hour: memory and latency must stay as they are.

Every 10 s the relay's memory is read, every minute the load client tells that minute's latencies.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Sequence

from tests.load import programs
from tests.load.relay_rig import LIVE, Times, rig
from tests.load.relays import Variant
from tests.load.report import Figure, Options, Result, Row
from tests.load.stack import say

MINUTES, CALLS = 30.0, 150
PART_S = 60.0
MEMORY_EVERY_S = 10.0
SETTLED = 0.2
"""Part of the run after which memory and latency are looked at: caches are warm by then."""
GROWTH_MB, GROWTH = 1.0, 0.01
"""Memory may grow by so much and this share of itself."""
DISTURBED_MS = 5.0
"""A part in which the load client was this late (p99) tells of the machine, not of the relay."""
LEAST_PARTS = 4
"""With fewer parts that count the latency is not judged."""
SLOWER, SLOWER_MS = 1.5, 1.0
"""The later minutes' p99 may be so many times the earlier minutes', and so much more."""


def measure(options: Options) -> Result:
    """One relay, once."""
    seconds = 60 * (options.minutes or (1.0 if options.quick else MINUTES))
    calls = options.sip_calls[0] if options.sip_calls else CALLS
    times = Times(2.0, seconds, min(PART_S, seconds / 5))
    variant = Variant("ours", "ours")
    parts: list[Row] = []
    with rig(options.work) as measured, measured.relay(variant) as (pid, port):
        memory = Memory(pid)
        with memory:
            for part in measured.parts(variant, (LIVE, calls), times, (pid, port)):
                parts.append(part)
                say(f"{part['relay_rss_kb'] / 1024:.1f} MiB, p99 {part['p99_ms']} ms")
    *parts, whole = parts
    rows = [_row(number, part, parts[number - 1]) for number, part in enumerate(parts)]
    p99_ms = [row["p99_ms"] for row in rows if row["client_late_ms"] < DISTURBED_MS]
    figures = verdict(memory.mb, p99_ms, calls)
    figures.append(Figure("frames lost", whole["lost"], "0", whole["lost"] == 0))
    figures.append(Figure("frames wrong", whole["mismatches"], "0", whole["mismatches"] == 0))
    flat = all(figure.met is not False for figure in figures)
    say("flat" if flat else "not flat")
    return Result(
        title=f"{calls} calls for {seconds / 60:g} minutes",
        parameters={"calls": calls, "minutes": seconds / 60, "part_s": times.every_s},
        rows=rows,
        figures=figures,
        notes=[
            f"Verdict: {'flat' if flat else 'not flat'}. Of {len(rows)} parts, "
            f"{len(rows) - len(p99_ms)} do not count for the latency: the load itself was late."
        ],
        raw=[{"rss_mb": memory.mb, "every_s": MEMORY_EVERY_S, "whole": whole}],
    )


def verdict(rss_mb: Sequence[float], p99_ms: Sequence[float], calls: int) -> list[Figure]:
    """Judge memory and latency of a run with so many calls: the first half of what counts, against
    its last half.
    """
    early, late = _halves(rss_mb)
    grown, may_grow = late - early, GROWTH_MB + GROWTH * early
    early_ms, late_ms = _halves(p99_ms) if len(p99_ms) >= LEAST_PARTS else (0.0, 0.0)
    most_ms = SLOWER * early_ms + SLOWER_MS
    return [
        Figure(
            f"memory, {calls} calls, first half → second half",
            f"{early:.1f} → {late:.1f} MB",
            f"< {may_grow:.1f} MB more",
            grown < may_grow,
        ),
        Figure(
            "p99, first half → second half",
            f"{early_ms:.2f} → {late_ms:.2f} ms",
            f"< {most_ms:.2f} ms",
            late_ms < most_ms if early_ms else None,
        ),
    ]


def _halves(values: Sequence[float]) -> tuple[float, float]:
    """Return the medians of both halves of what came once the relay had settled."""
    counted = values[int(len(values) * SETTLED) :]
    middle = len(counted) // 2
    return statistics.median(counted[:middle] or counted), statistics.median(counted[middle:])


def _row(number: int, part: Row, before: Row) -> Row:
    """One part; counts come as sums since the beginning."""
    begun = {} if number == 0 else before
    return {
        "part": number + 1,
        "sent": part["sent"] - begun.get("sent", 0),
        "rss_mb": part["relay_rss_kb"] * 1024 / 1e6,
        "p50_ms": part["p50_ms"],
        "p99_ms": part["p99_ms"],
        "max_ms": part["max_ms"],
        "wrong": part["mismatches"] - begun.get("mismatches", 0),
        "client_late_ms": part["client_late_p99_ms"],
    }


class Memory:
    """The resident memory of a process (`mb`), read every `MEMORY_EVERY_S` meanwhile."""

    def __init__(self, pid: int) -> None:
        self.mb: list[float] = []
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _read(self) -> None:
        due = time.monotonic()
        while True:
            due += MEMORY_EVERY_S
            if self._stop.wait(max(0.0, due - time.monotonic())):
                return
            self.mb.append(programs.rss_mb([self._pid]))
