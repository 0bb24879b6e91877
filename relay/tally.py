"""A line of counts every so often, for those who make metrics of log lines (CloudWatch does).

`{"message": "counts", "calls", …}`: `calls` are those of the moment; the rest happened since the
line before. `/metrics` has the same for who asks.
"""

from __future__ import annotations

import asyncio
from typing import Any

from relay import logs
from relay.metrics import Counters


async def tell(counters: Counters, every_s: float) -> None:
    """Write a line each `every_s`, until cancelled."""
    before = _sums(counters)
    while True:
        await asyncio.sleep(every_s)
        now = _sums(counters)
        logs.info("counts", calls=counters.calls, **{k: now[k] - before[k] for k in now})
        before = now


def _sums(counters: Counters) -> dict[str, Any]:
    return {
        "dropped": counters.dropped.total(),
        "refused": counters.refused.total(),
        "unreached": counters.unreached.total(),
        "unanswered": counters.unanswered,
    }
