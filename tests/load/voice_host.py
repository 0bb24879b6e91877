"""A voice host seen from outside: its counts, its processor time, its memory."""

from __future__ import annotations

import os
import re
import urllib.request
from dataclasses import dataclass
from pathlib import Path

Counts = dict[tuple[str, str], float]
"""(metric, what) -> count."""


@dataclass(frozen=True)
class Host:
    """A voice host with its workers."""

    pid: int
    url: str

    def counts(self) -> Counts:
        """Return the counts of `/metrics` so far."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            page = answer.read().decode()
        found = re.findall(r'^chamade_voice_(\w+)_total\{what="(\w+)"\} (\S+)', page, re.MULTILINE)
        return {(metric, what): float(count) for metric, what, count in found}

    @staticmethod
    def mean(before: Counts, after: Counts, what: str) -> float:
        """Return the mean time in ms of what happened between two looks."""
        took, times = (
            after.get((metric, what), 0) - before.get((metric, what), 0)
            for metric in ("took_ms", "happened")
        )
        return took / times if times else float("nan")

    def cpu_s(self) -> float:
        """Return the processor time so far, in seconds."""
        ticks = 0
        for pid in self._pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """Return the proportional set size in MB."""
        found = 0
        for pid in self._pids():
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            found += int(re.findall(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)[0])
        return found / 1024

    def _pids(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [self.pid, *map(int, children.split())]
