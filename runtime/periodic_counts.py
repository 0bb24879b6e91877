"""Log a line of counts at intervals, for systems that make metrics of log lines (CloudWatch).

`{"message": "counts", …}`: gauges as they are now, counters as what has happened since the line
before. `/metrics` has the same on request.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

Sample = Callable[[], tuple[Mapping[str, float], Mapping[str, int]]]
"""Returns the gauges, and the counters since the process started."""


class CountsLine:
    """The line: each shows what has been counted since the one before. The first is not written."""

    def __init__(self) -> None:
        self._before: Mapping[str, int] | None = None

    def write(self, gauges: Mapping[str, float], now: Mapping[str, int]) -> None:
        """Write a line of present gauges and of counters since the process started."""
        if (before := self._before) is not None:
            counted = {name: now[name] - before.get(name, 0) for name in now}
            log.info("counts", extra={**gauges, **counted})
        self._before = now


async def log_counts(sample: Sample, every_s: float) -> None:
    """Write a line every `every_s` seconds, until cancelled."""
    line = CountsLine()
    line.write(*sample())
    while True:
        await asyncio.sleep(every_s)
        line.write(*sample())
