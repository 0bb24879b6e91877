"""Measures the CPU time and the log volume of invocations, by their purpose.

No count that a test could be held to: it differs from machine to machine. `tools/prices.json` has
what was measured. Includes what counting itself takes, hence too much rather than too little.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from chalicelib.logs import formatter


class Effort(logging.Handler):
    """CPU times (ms) and bytes logged, of each invocation."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(formatter())
        self._cpu_ms: defaultdict[str, list[float]] = defaultdict(list)
        self._log_bytes: defaultdict[str, list[int]] = defaultdict(list)
        self._written = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Measure a line."""
        self._written += len(self.format(record).encode()) + 1

    @contextmanager
    def of(self, kind: str) -> Iterator[None]:
        """One invocation."""
        self._written, root = 0, logging.getLogger()
        level = root.level
        root.addHandler(self)
        root.setLevel(logging.INFO)
        began = time.process_time()
        try:
            yield
        finally:
            self._cpu_ms[kind].append((time.process_time() - began) * 1000)
            root.removeHandler(self)
            root.setLevel(level)
            self._log_bytes[kind].append(self._written)

    def summary(self) -> dict[str, dict[str, float]]:
        """Median of the CPU time and mean of what was logged, by kind."""
        return {
            kind: {
                "cpu_ms": round(median(took), 1),
                "log_bytes": round(sum(self._log_bytes[kind]) / len(took)),
            }
            for kind, took in sorted(self._cpu_ms.items())
        }
