"""Measures the cost of SIP calls with audio both ways: our gateway, its SIP and RTP alone, the
gateway as it was before, and a program in C on another stack.

Each answers every call and sends its sound back: the library and the peer within themselves, the
gateways through a media stream to an application's WebSocket, as they do in earnest. All of it
shares the machine's cores with the load. At each load the subjects take turns, so that whatever
else goes on disturbs all of them alike; each is started anew, and all its calls hang up at the end.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.load import sip_figures, sip_subjects
from tests.load.c_programs import CannotCompile, compile_c
from tests.load.former_gateway import CannotBuild
from tests.load.machine import Busy
from tests.load.programs import cpu_s, rss_mb
from tests.load.report import Options, Result, Row
from tests.load.sip_callers import LEAVE_S, Callers, callers
from tests.load.sip_subjects import SUBJECTS, Subject
from tests.load.stack import say

OVERRUN_PERCENT = 5.0
"""Frames lost beyond which a subject is not asked to carry more calls."""
OTHERS_PERCENT = 25.0
"""Use of a core by other programs beyond which a loss may be their fault."""
DRAIN_S = 2.2
SLACK_S = 1.0
LOOK_EVERY_S, LAG_EVERY_S = 0.1, 0.5


@dataclass(frozen=True)
class Pace:
    """The durations of a measurement's parts."""

    a_second: float
    settle_s: float
    window_s: float
    loads: tuple[int, ...]
    """From few to many."""


@dataclass
class Looks:
    """Samples of a subject, taken now and then."""

    lags_ms: list[float] = field(default_factory=list)
    turns_ms: list[float] = field(default_factory=list)


def measure(options: Options) -> Result:
    """All subjects at every load."""
    if lacking := sip_subjects.missing():
        raise CannotCompile(f"the sip bench needs {', '.join(lacking)} (make .venv/.debian)")
    pace = (
        Pace(a_second=20, settle_s=2.0, window_s=4.0, loads=(10, 30))
        if options.quick
        else Pace(a_second=25, settle_s=3.0, window_s=12.0, loads=(50, 100, 200, 400))
    )
    if options.sip_calls:
        pace = replace(pace, loads=tuple(options.sip_calls))
    program = compile_c("rtp", options.work / "build")
    left_out = {} if sip_subjects.has_peer() else {"peer": "baresip has no module echo here"}
    raw: list[Row] = []
    bench = _Bench(program, options.work, pace)
    for load in pace.loads:
        for name in options.subjects or SUBJECTS:
            if name in left_out:
                continue
            try:
                run = bench.run(name, load)
            except CannotBuild as error:
                left_out[name] = str(error)
                continue
            raw.append(run)
            say(sip_figures.line(run))
            if _is_overrun(run):
                left_out[name] = f"it is overrun by {load} calls, so no more were asked of it"
    rows = [sip_figures.row(run) for run in raw]
    return Result(
        title="SIP calls with mu-law both ways, sound sent back",
        parameters={
            "calls": list(pace.loads),
            "calls_a_second": pace.a_second,
            "settle_s": pace.settle_s,
            "window_s": pace.window_s,
            "order": "at each load one subject after the other",
        },
        rows=rows,
        figures=sip_figures.figures(rows),
        notes=_notes(raw, left_out),
        raw=raw,
    )


def _is_overrun(run: Row) -> bool:
    """Return whether a subject was asked to carry too many calls, and not the machine."""
    lost = sip_figures.row(run)["lost_%"]
    alone = run["others_percent"] < OTHERS_PERCENT
    return alone and (lost is None or lost > OVERRUN_PERCENT)


@dataclass(frozen=True)
class _Bench:
    program: Path
    work: Path
    pace: Pace

    def run(self, name: str, load: int) -> Row:
        """Measure one subject at one load. Raises CannotBuild."""
        pace = self.pace
        ramp_s = load / pace.a_second
        talk_s = SLACK_S + ramp_s + pace.settle_s + pace.window_s + DRAIN_S
        with (
            SUBJECTS[name](self.work) as subject,
            callers(self.program, self.work, load) as crowd,
        ):
            run: Row = {"subject": name, "asked": load, "idle_mb": rss_mb(subject.own)}
            crowd.begin(load, subject.ports, subject.users, pace.a_second, talk_s)
            time.sleep(ramp_s + pace.settle_s)
            run |= _window(subject, crowd, pace.window_s)
            ended = crowd.left(ramp_s + SLACK_S + LEAVE_S)
            return run | {"ended_well": f"{ended}/{crowd.programs}"}


def _window(subject: Subject, crowd: Callers, seconds: float) -> Row:
    groups = {
        "own": subject.own,
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
    rss = rss_mb(subject.own)
    figures = crowd.shut_window()
    return {
        "seconds": lasted,
        "own_percent": cores["own"],
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


def _notes(raw: list[Row], left_out: dict[str, str]) -> list[str]:
    notes = [f"`{name}` is left out: {why}." for name, why in left_out.items()]
    for run in raw:
        up, asked = sum(1 for count in run["intact"] if count), run["asked"]
        done, _, of = run["ended_well"].partition("/")
        if up != asked:
            notes.append(f"`{run['subject']}` had {up} of {asked} calls up.")
        elif done != of:
            notes.append(
                f"Not all of the {asked} calls of `{run['subject']}` ended as they should."
            )
    if not all(run["realtime"] for run in raw):
        notes.append("Callers and application could not be given priority: see `late_ms` first.")
    late = statistics.median(run["late_p99_ms"] for run in raw)
    others = statistics.median(run["others_percent"] for run in raw)
    notes.append(
        f"The load shares the cores with what is measured: it sent {late:.1f} ms late (median of "
        f"the rows' p99); other programs used {others:.0f} % of a core (median)."
    )
    return notes
