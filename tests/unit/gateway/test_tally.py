"""The line of counts: what there is, and what came since the line before."""

from __future__ import annotations

import asyncio
import logging

from gateway.metrics import Metrics
from gateway.tally import tell


async def test_each_line_tells_what_there_is_and_what_came_since(caplog):
    caplog.set_level(logging.INFO, logger="gateway.tally")
    metrics = Metrics(refused=4, streams_failed=1)
    telling = asyncio.create_task(
        tell(
            metrics,
            lambda: {"ringing": 1, "in-progress": 2},
            lambda: {"registered": 3, "failed": 1, "registering": 1},
            0.02,
        )
    )
    await asyncio.sleep(0)
    metrics.refused += 2
    metrics.webhook_errors["voice"] += 1
    metrics.sip_lag_ms = 1.26
    async with asyncio.timeout(5):
        while not caplog.records:  # noqa: ASYNC110 - a log has no event to wait for
            await asyncio.sleep(0.005)
    telling.cancel()
    (line,) = caplog.records[:1]
    assert line.message == "counts"
    told = ("calls", "trunks_registered", "trunks_failed", "refused", "webhook_errors")
    assert [getattr(line, each) for each in told] == [3, 3, 1, 2, 1]
    assert (line.streams_failed, line.sip_restarts, line.sip_lag_ms) == (0, 0, 1.3)
