"""Measures what one call costs a relay, at growing numbers of calls: CPU time and memory, in turns.

The figures that people plan with, and their plot (`cost_plot.py`). The relay bench compares the
programs with one another; here each is compared with itself under another load.
"""

from __future__ import annotations

import statistics

from tests.load import cost_plot
from tests.load.relay_rig import LIVE, Times, rig
from tests.load.relays import Variant
from tests.load.report import Figure, Options, Result, Row
from tests.load.stack import say

CALLS, CALLS_QUICK = [10, 50, 100, 200, 300], [10, 50, 100]
LEAST = 200
"""Calls beyond which a call may not cost more than at this load."""
SUBJECTS = ("floor", "ours", "ours pcm16", "ours pcm24", "peer")
VARIANTS = {
    "floor": Variant("floor", "floor"),
    "ours": Variant("ours", "ours"),
    "ours pcm16": Variant("ours pcm16", "ours", agent="pcm16"),
    "ours pcm24": Variant("ours pcm24", "ours", agent="pcm24"),
    "ours twilio": Variant("ours twilio", "ours", agent="twilio"),
    "peer": Variant("peer", "peer"),
}


def measure(options: Options) -> Result:
    """All subjects at each number of calls, several times over; the plot goes to the report's
    folder.
    """
    times, repetitions = (Times(0.5, 1.5), 1) if options.quick else (Times(2.0, 8.0), 3)
    calls = list(options.sip_calls) or (CALLS_QUICK if options.quick else CALLS)
    runs: list[Row] = []
    with rig(options.work) as measured:
        for repetition in range(repetitions):
            for load in calls:
                for name in options.subjects or SUBJECTS:
                    run = measured.run(VARIANTS[name], (LIVE, load), times)
                    runs.append({"repetition": repetition, **run})
                    say(f"{name:11} {load:4} calls, core {run['core_percent']:.1f} %")
    rows = [_row(runs, name, load) for load in calls for name in options.subjects or SUBJECTS]
    plot = options.work / f"cost_per_call{'-quick' if options.quick else ''}.svg"
    plot.write_text(cost_plot.svg(rows))
    say(f"the plot: {plot}")
    return Result(
        title="what one call costs, by the number of calls",
        parameters={
            "calls": calls,
            "window_s": times.window_s,
            "warm_up_s": times.warm_up_s,
            "repetitions": repetitions,
        },
        rows=rows,
        figures=_figures(rows),
        raw=runs,
    )


def _row(runs: list[Row], name: str, calls: int) -> Row:
    runs = [run for run in runs if (run["relay"], run["calls"]) == (name, calls)]

    def median(key: str) -> float:
        return statistics.median(run[key] or 0.0 for run in runs)

    return {
        "calls": calls,
        "relay": name,
        "core_%": median("core_percent"),
        # One per cent of a core is 10 ms of CPU time a second.
        "cpu_ms_a_call_s": median("core_percent") * 10 / calls,
        "cpu_us": median("cpu_us"),
        "rss_mb": median("relay_rss_kb") * 1024 / 1e6,
        "kb_a_call": (median("relay_rss_kb") - median("idle_rss_kb")) / calls,
        "p50_ms": median("p50_ms"),
        "p99_ms": median("p99_ms"),
        "lost": sum(run["lost"] for run in runs),
        "wrong": sum(run["mismatches"] for run in runs),
        "client_late_ms": median("client_late_p99_ms"),
        "others_%": median("others_percent"),
    }


def _figures(rows: list[Row]) -> list[Figure]:
    figures = []
    for name in dict.fromkeys(row["relay"] for row in rows):
        of_one = [row for row in rows if row["relay"] == name]
        cheapest = min(of_one, key=lambda row: row["cpu_ms_a_call_s"])
        most = of_one[-1]
        figures.append(
            Figure(
                f"CPU a call and second, {name}, at {most['calls']} calls",
                f"{most['cpu_ms_a_call_s']:.2f} ms "
                f"(least: {cheapest['cpu_ms_a_call_s']:.2f} at {cheapest['calls']})",
            )
        )
    ours = {row["calls"]: row["cpu_ms_a_call_s"] for row in rows if row["relay"] == "ours"}
    beyond = [calls for calls in ours if calls > LEAST]
    if LEAST in ours and beyond:
        ratio = ours[beyond[-1]] / ours[LEAST]
        what = f"CPU a call, ours, {beyond[-1]} calls / {LEAST} calls"
        figures.append(Figure(what, f"{ratio:.2f}", "≤ 1.10", ratio <= 1.1))
    return figures
