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

import statistics
import sys

from tests.load.relay_rig import CLOSED, LIVE, Load, Times, rig
from tests.load.relays import FORMER, VARIANTS
from tests.load.report import Figure, Options, Result, Row

CLOSED_CALLS = 100
P99_MS = 20.0
CALLS_WANTED = 250
OF_FLOOR, OF_PEER = 1.8, 1 / 3


def measure(options: Options) -> Result:
    """All variants at every number of calls, several times over."""
    times, repetitions = (Times(0.5, 1.5), 2) if options.quick else (Times(1.0, 4.0), 3)
    variants = (*VARIANTS, FORMER) if options.former else VARIANTS
    variants = tuple(v for v in variants if not options.subjects or v.name in options.subjects)
    runs: list[Row] = []
    loads = [(LIVE, calls) for calls in options.relay_calls] + [(CLOSED, CLOSED_CALLS)]
    with rig(options.work, options.former) as measured:
        for repetition in range(repetitions):
            for load in loads:
                for variant in variants:
                    run = measured.run(variant, load, times)
                    runs.append({"repetition": repetition, **run})
                    _say(run)
    rows = [_summary(runs, variant.name, load) for load in loads for variant in variants]
    return Result(
        title="mu-law both ways, 200 messages/s a call, the relay on one core",
        parameters={
            "calls": options.relay_calls,
            "window_s": times.window_s,
            "warm_up_s": times.warm_up_s,
            "repetitions": repetitions,
            "order": "every variant in turn, then again",
        },
        rows=rows,
        figures=_figures(runs, rows, options.relay_calls, [variant.name for variant in variants]),
        raw=runs,
    )


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


def _figures(
    runs: list[Row], rows: list[Row], all_calls: list[int], names: list[str]
) -> list[Figure]:
    figures: list[Figure] = []
    for load in [*((LIVE, calls) for calls in all_calls), (CLOSED, CLOSED_CALLS)]:
        if "ours" in names:
            figures.extend(_ratios(runs, rows, load, names))
    for name in names:
        carried = [
            row["calls"]
            for row in rows
            if (row["relay"], row["pace"]) == (name, LIVE) and _carries(row)
        ]
        most = max(carried, default=0)
        wanted = name == "ours" and max(all_calls) >= CALLS_WANTED
        figures.append(
            Figure(
                f"most calls with p99 < {P99_MS:.0f} ms and nothing lost, {name}",
                most,
                f"≥ {CALLS_WANTED}" if wanted else "",
                most >= CALLS_WANTED if wanted else None,
            )
        )
    return figures


def _ratios(runs: list[Row], rows: list[Row], load: Load, names: list[str]) -> list[Figure]:
    """Ours to each of the others that were measured."""
    pace, calls = load
    what = f"CPU a message, {calls} calls {pace}, ours"
    figures = []
    if "floor" in names:
        figures.append(_ratio(f"{what} / C floor", runs, load, "floor", OF_FLOOR))
    if "peer" in names:
        # A peer that falls behind takes several messages at a time: that is cheaper, and no merit.
        overrun = pace == LIVE and not _carries(_only(rows, "peer", load)[0])
        of_peer = f"{what} / websockets{' (overrun)' if overrun else ''}"
        figures.append(_ratio(of_peer, runs, load, "peer", None if overrun else OF_PEER))
    if "former" in names:
        figures.append(_ratio(f"{what} / former", runs, load, "former", None))
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
        f"{run['relay']:11} {run['calls']:4} calls {run['pace']:6} "
        f"{run['cpu_us'] or 0:6.2f} us a message, core {run['core_percent']:3.0f} %, "
        f"p99 {run['p99_ms']:7.2f} ms, lost {run['lost']}, wrong {run['mismatches']}, "
        f"client {run['client_percent']:.0f} %, others {run['others_percent']:.0f} %",
        file=sys.stderr,
    )
