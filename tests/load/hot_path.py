"""Measures the relay's own code for one frame of audio, without sockets: `tests/load/frames.py`.

With `--former COMMIT` the relay of an older commit takes turns with this one. The figures hold on a
machine that other programs use, which those of the relay bench do not.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from local.layout import ROOT
from tests.load import relays
from tests.load.report import Figure, Options, Result, Row
from tests.load.stack import say

PROGRAM = ROOT / "tests" / "load" / "frames.py"
PATIENCE_S = 120.0


def measure(options: Options) -> Result:
    """This relay, and maybe a former one, in turns."""
    turns = 1 if options.quick else 3
    least: dict[str, dict[tuple[str, str], float]] = {}
    with ExitStack() as stack:
        folders = {"ours": ROOT}
        if options.former:
            folders["former"] = stack.enter_context(relays.former_relay(options.former))
        for turn in range(turns):
            for name, folder in folders.items():
                say(f"{name}, turn {turn + 1} of {turns}")
                _keep_least(least.setdefault(name, {}), _run(folder))
    rows = [_row(key, {name: least[name][key] for name in least}) for key in least["ours"]]
    return Result(
        title="the relay's own code for one frame of 20 ms, without sockets",
        parameters={"turns": turns, "former": options.former or "none"},
        rows=rows,
        figures=_figures(rows) if options.former else [],
        raw=rows,
    )


def _run(folder: Path) -> dict[tuple[str, str], float]:
    done = subprocess.run(
        [sys.executable, str(PROGRAM)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"frames.py failed: {done.stderr.strip()}")
    figures = json.loads(done.stdout)
    return {(kind, way): ns for kind, ways in figures.items() for way, ns in ways.items()}


def _keep_least(least: dict[tuple[str, str], float], figures: dict[tuple[str, str], float]) -> None:
    for key, ns in figures.items():
        least[key] = min(ns, least.get(key, ns))


def _row(key: tuple[str, str], ns: dict[str, float]) -> Row:
    row: Row = {"agent": key[0], "direction": key[1], "ns": ns["ours"]}
    if "former" in ns:
        row |= {"former_ns": ns["former"], "ratio": ns["ours"] / ns["former"]}
    return row


def _figures(rows: list[Row]) -> list[Figure]:
    return [
        Figure(f"{row['agent']} {row['direction']}, ours / former", f"{row['ratio']:.2f}")
        for row in rows
    ]
