"""Measures `import app`, what every cold start of a function waits for: processor time in processes
of their own, compiled.

With `--former COMMIT` the application of an older commit takes turns with this one. The packaged
application is measured by `tools/cold_start.py`, where each library is the one that is packaged.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from local.layout import ROOT
from tests.load.former_gateway import code_of
from tests.load.report import Figure, Options, Result, Row
from tests.load.stack import say

PARTS = ("app.py", "chalicelib", "common", "vendor", "dashboard")
PROGRAM = """
import sys, time
began, had = time.process_time(), len(sys.modules)
sys.path.insert(0, "")
import app
print((time.process_time() - began) * 1000, len(sys.modules) - had)
"""
PATIENCE_S = 60.0


def measure(options: Options) -> Result:
    """This application, and maybe a former one, in turns."""
    turns = 3 if options.quick else 12
    runs: list[Row] = []
    with ExitStack() as stack:
        cache = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-bytecode-"))
        folders = {"ours": ROOT}
        if options.former:
            folders["former"] = stack.enter_context(code_of(options.former, PARTS))
        for turn in range(turns + 1):
            for name, folder in folders.items():
                run = _run(folder, Path(cache))
                if turn:  # the first one compiles
                    runs.append({"app": name, **run})
    rows = [_row(name, [run for run in runs if run["app"] == name]) for name in folders]
    say(f"{rows}")
    figures = []
    if options.former:
        ratio = rows[0]["least_ms"] / rows[1]["least_ms"]
        figures.append(Figure("`import app`, ours / former, least", f"{ratio:.2f}"))
    return Result(
        title="`import app`, compiled, processor time",
        parameters={"runs": turns, "former": options.former or "none"},
        rows=rows,
        figures=figures,
        raw=runs,
    )


def _run(folder: Path, cache: Path) -> Row:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=folder,
        env={**environment, "PYTHONPYCACHEPREFIX": str(cache)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"import app failed: {done.stderr.strip()}")
    ms, modules = done.stdout.split()
    return {"ms": float(ms), "modules": int(modules)}


def _row(name: str, runs: list[Row]) -> Row:
    return {
        "app": name,
        "runs": len(runs),
        "least_ms": min(run["ms"] for run in runs),
        "median_ms": median(run["ms"] for run in runs),
        "modules": runs[0]["modules"],
    }
