"""Measures the cost of SIP calls with audio both ways: our gateway, its SIP and RTP alone, and a
program in C on another stack, one after the other.

Each answers every call and sends its sound back: the library and the peer within themselves, the
gateway through a media stream to an application's WebSocket, as it does in earnest. All of it
shares the machine's cores with the load. Calls are added until the first load is reached, stay,
are measured, then more are added up to the next; at the end all hang up.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.load import sip_subjects
from tests.load.c_programs import CannotCompile, compile_c
from tests.load.machine import Busy
from tests.load.programs import cpu_s, rss_mb
from tests.load.report import Figure, Options, Result, Row
from tests.load.sip_callers import LEAVE_S, Callers, callers
from tests.load.sip_subjects import SUBJECTS, Subject
from tests.load.stack import quantile, say

WANTED = 100
LOST_PERCENT = 0.5
LAG_MS = 20.0
DRAIN_S = 2.2
SLACK_S = 1.0
LOOK_EVERY_S, LAG_EVERY_S = 0.1, 0.5


@dataclass(frozen=True)
class Pace:
    """The durations of a measurement's parts."""

    a_second: float
    settle_s: float
    seconds: dict[int, float]
    """Of the window at each load."""

    @property
    def loads(self) -> list[int]:
        """From few to many."""
        return sorted(self.seconds)


@dataclass
class Looks:
    """Samples of a subject, taken now and then."""

    lags_ms: list[float] = field(default_factory=list)
    turns_ms: list[float] = field(default_factory=list)


def measure(options: Options) -> Result:
    """All subjects, each at every load."""
    if lacking := sip_subjects.missing():
        raise CannotCompile(f"the sip bench needs {', '.join(lacking)} (make .venv/.debian)")
    pace = (
        Pace(a_second=20, settle_s=2.0, seconds={10: 4.0, 50: 8.0})
        if options.quick
        else Pace(a_second=10, settle_s=3.0, seconds={10: 20.0, 50: 20.0, 100: 20.0})
    )
    program = compile_c("rtp", options.work / "build")
    names = [name for name in SUBJECTS if name != "peer" or sip_subjects.has_peer()]
    raw: list[Row] = []
    for name in names:
        with SUBJECTS[name](options.work) as subject:
            raw.extend(_measure_one(name, subject, program, options.work, pace))
    raw.sort(key=lambda run: (run["asked"], names.index(run["subject"])))
    rows = [_row(run) for run in raw]
    return Result(
        title="SIP calls with mu-law both ways, sound sent back",
        parameters={
            "calls": pace.loads,
            "calls_a_second": pace.a_second,
            "settle_s": pace.settle_s,
            "window_s": [pace.seconds[load] for load in pace.loads],
            "order": "one subject after the other, calls added",
        },
        rows=rows,
        figures=_figures(rows, pace),
        notes=_notes(raw, names),
        raw=raw,
    )


def _measure_one(name: str, subject: Subject, program: Path, work: Path, pace: Pace) -> list[Row]:
    runs: list[Row] = []
    idle_mb = rss_mb([subject.main])
    with callers(program, work, pace.loads[-1]) as crowd:
        ends_at = time.monotonic() + SLACK_S + _lasts_s(pace)
        already = 0
        for load in pace.loads:
            more, already = load - already, load
            talk_s = ends_at - time.monotonic()
            crowd.begin(more, subject.ports, pace.a_second, talk_s)
            time.sleep(more / pace.a_second + pace.settle_s)
            run = {"subject": name, "asked": load, "idle_mb": idle_mb}
            run |= _window(subject, crowd, pace.seconds[load])
            runs.append(run)
            say(_line(run))
        ended = crowd.left(pace.loads[-1] / pace.a_second + SLACK_S + LEAVE_S)
    for run in runs:
        run["ended_well"] = f"{ended}/{crowd.programs}"
    return runs


def _lasts_s(pace: Pace) -> float:
    """From the first call's beginning to the end of the last window."""
    ramps = pace.loads[-1] / pace.a_second
    return ramps + sum(pace.seconds[load] + pace.settle_s + DRAIN_S for load in pace.loads)


def _window(subject: Subject, crowd: Callers, seconds: float) -> Row:
    groups = {
        "main": [subject.main],
        "load": crowd.pids,
        "helpers": subject.helpers,
    }
    busy, began = Busy(), time.monotonic()
    before = {group: cpu_s(pids) for group, pids in groups.items()}
    crowd.open_window()
    looks = _look(subject, began + seconds)
    lasted = time.monotonic() - began
    cores = {group: (cpu_s(pids) - before[group]) / lasted * 100 for group, pids in groups.items()}
    used, elapsed = busy.seconds()
    rss = rss_mb([subject.main])
    figures = crowd.shut_window()
    return {
        "seconds": lasted,
        "main_percent": cores["main"],
        "load_percent": cores["load"],
        "helpers_percent": cores["helpers"],
        "others_percent": max(0.0, used / elapsed * 100 - sum(cores.values())),
        "rss_mb": rss,
        "lags_ms": looks.lags_ms,
        "turns_ms": looks.turns_ms,
        **figures,
    }


def _look(subject: Subject, until: float) -> Looks:
    """Until the window is over; asking is cheap, and the same at every load."""
    looks = Looks()
    lag_at = time.monotonic() + 2 * LAG_EVERY_S  # what is known by then is of this window
    while (at := time.monotonic()) < until:
        if at >= lag_at:
            lag_at += LAG_EVERY_S
            _note(looks.lags_ms, subject.lag_ms)
        _note(looks.turns_ms, subject.turn_ms)
        time.sleep(max(0.0, min(LOOK_EVERY_S, until - time.monotonic())))
    return looks


def _note(values: list[float], look: Callable[[], float | None]) -> None:
    if (value := look()) is not None:
        values.append(value)


def _row(run: Row) -> Row:
    sent, intact = sum(run["sent"]), sum(run["intact"])
    up = sum(1 for count in run["intact"] if count)
    return {
        "calls": run["asked"],
        "subject": run["subject"],
        "up": up,
        "core_%": run["main_percent"],
        "rss_mb": run["rss_mb"],
        "mb_a_call": (run["rss_mb"] - run["idle_mb"]) / up if up else None,
        "lost_%": round(100 * (1 - intact / sent), 3) if sent else None,
        "p50_ms": run["p50_ms"],
        "p95_ms": run["p95_ms"],
        "p99_ms": run["p99_ms"],
        "rtp_gaps": sum(run["gaps"]),
        "longest_gap_ms": run["longest_gap_ms"],
        "lag_p50_ms": quantile(run["lags_ms"], 0.5) if run["lags_ms"] else None,
        "lag_max_ms": max(run["lags_ms"], default=None),
        "turn_p50_ms": quantile(run["turns_ms"], 0.5) if run["turns_ms"] else None,
        "turn_p99_ms": quantile(run["turns_ms"], 0.99) if run["turns_ms"] else None,
        "late_ms": run["late_p99_ms"],
        "load_%": run["load_percent"],
        "echo_%": run["helpers_percent"] or None,
        "others_%": run["others_percent"],
    }


def _figures(rows: list[Row], pace: Pace) -> list[Figure]:
    most = pace.loads[-1]
    fullest = {row["subject"]: row for row in rows if row["calls"] == most}
    targets = most >= WANTED
    figures = []
    for name, row in fullest.items():
        lost = 100.0 if row["lost_%"] is None else row["lost_%"]
        held = row["up"] == most and lost < LOST_PERCENT
        goal = targets and name == "gateway"
        figures.append(
            Figure(
                f"calls up, and frames lost, {name}",
                f"{row['up']} of {most}, {lost:.2f} %",
                f"{WANTED}, < {LOST_PERCENT} %" if goal else "",
                held if goal else None,
            )
        )
        if row["lag_max_ms"] is not None:
            figures.append(
                Figure(
                    f"lag of the SIP loop, {most} calls, worst of all seconds, {name}",
                    f"{row['lag_max_ms']:.1f} ms",
                    f"< {LAG_MS:.0f} ms" if goal else "",
                    row["lag_max_ms"] < LAG_MS if goal else None,
                )
            )
    for other in ("library", "peer"):
        if other in fullest and fullest[other]["core_%"]:
            ratio = fullest["gateway"]["core_%"] / fullest[other]["core_%"]
            figures.append(Figure(f"CPU, {most} calls, gateway / {other}", f"{ratio:.2f}"))
    return figures


def _notes(raw: list[Row], names: list[str]) -> list[str]:
    notes = []
    if "peer" not in names:
        notes.append("No `peer`: baresip with its module `echo` is not installed.")
    for name in names:
        runs = [run for run in raw if run["subject"] == name]
        held = [run["asked"] for run in runs if all(run["intact"][: run["asked"]])]
        if held != [run["asked"] for run in runs]:
            best = max(sum(1 for count in run["intact"] if count) for run in runs)
            notes.append(f"`{name}` did not hold every load: {best} calls at best.")
        done, _, of = runs[0]["ended_well"].partition("/")
        if done != of:
            notes.append(f"Not all calls of `{name}` ended as they should.")
    if not all(run["realtime"] for run in raw):
        notes.append("Callers and application could not be given priority: see `late_ms` first.")
    late = statistics.median(run["late_p99_ms"] for run in raw)
    others = statistics.median(run["others_percent"] for run in raw)
    notes.append(
        f"The load shares the cores with what is measured: it sent {late:.1f} ms late (median of "
        f"the rows' p99); other programs used {others:.0f} % of a core (median)."
    )
    return notes


def _line(run: dict[str, Any]) -> str:
    row = _row(run)
    return (
        f"{run['subject']:8} {row['up']:3}/{run['asked']} calls, core {row['core_%']:.0f} %, "
        f"{row['rss_mb']:.0f} MB, lost {row['lost_%']} %, "
        f"p50 {row['p50_ms']:.0f} p99 {row['p99_ms']:.0f} ms, longest gap "
        f"{row['longest_gap_ms']:.0f} ms, lag {row['lag_max_ms']} ms, "
        f"load {row['load_%']:.0f} %, others {row['others_%']:.0f} %"
    )
