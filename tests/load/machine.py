"""Describes the machine and the commit of a measurement, and its other load."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.layout import ROOT


def circumstances() -> dict[str, Any]:
    """Machine, date, commit: the head of every report."""
    return {
        "machine": {
            "cpu": _cpu_model(),
            "cores": os.cpu_count(),
            "kernel": f"{platform.system()} {platform.release()}",
            "python": platform.python_version(),
            "load_average": round(os.getloadavg()[0], 2),
        },
        "date": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "commit": _commit(),
    }


@contextmanager
def pinned_to(core: int) -> Iterator[None]:
    """This process, and children it starts meanwhile, run on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Busy:
    """The CPU time that the whole machine has used since this was made."""

    def __init__(self) -> None:
        self._ticks, self._at = _busy_ticks(), time.monotonic()

    def seconds(self) -> tuple[float, float]:
        """(CPU seconds of all cores, seconds that went by)."""
        used = (_busy_ticks() - self._ticks) / os.sysconf("SC_CLK_TCK")
        return used, time.monotonic() - self._at


def _busy_ticks() -> int:
    fields = list(map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]))
    idle, iowait = fields[3:5]
    return sum(fields[:8]) - idle - iowait


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    if shutil.which("git") is None:
        return "unknown"

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    dirty = " with changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    return (git("rev-parse", "--short", "HEAD") or "unknown") + dirty
