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


async def log_counts(sample: Sample, every_s: float) -> None:
    """Write a line every `every_s` seconds, until cancelled."""
    _, before = sample()
    while True:
        await asyncio.sleep(every_s)
        gauges, now = sample()
        log.info("counts", extra={**gauges, **{name: now[name] - before[name] for name in now}})
        before = now
