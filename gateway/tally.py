"""A line of counts every so often, for those who make metrics of log lines (CloudWatch does).

`{"message": "counts", "calls", "trunks_registered", "trunks_failed", …}`: these and `sip_lag_ms`
are of the moment; the rest happened since the line before. `/metrics` has the same for who asks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from gateway.metrics import Metrics

log = logging.getLogger(__name__)

Statuses = Callable[[], Mapping[str, int]]
"""How many there are just now, by status."""


async def tell(metrics: Metrics, calls: Statuses, trunks: Statuses, every_s: float) -> None:
    """Write a line each `every_s`, until cancelled."""
    before = _sums(metrics)
    while True:
        await asyncio.sleep(every_s)
        now, known = _sums(metrics), trunks()
        log.info(
            "counts",
            extra={
                "calls": sum(calls().values()),
                "trunks_registered": known.get("registered", 0),
                "trunks_failed": known.get("failed", 0),
                "sip_lag_ms": round(metrics.sip_lag_ms, 1),
                **{name: now[name] - before[name] for name in now},
            },
        )
        before = now


def _sums(metrics: Metrics) -> dict[str, int]:
    return {
        "refused": metrics.refused,
        "webhook_errors": metrics.webhook_errors.total(),
        "streams_failed": metrics.streams_failed,
        "sip_restarts": metrics.sip_restarts,
    }
