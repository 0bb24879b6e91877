"""The line of counts: gauges as they are now, counters as what came since the line before."""

from __future__ import annotations

import asyncio
import json
import logging

from common.log_lines import JsonFormatter
from runtime.periodic_counts import log_counts


async def _until(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - a log has no event to wait for
            await asyncio.sleep(0.005)


async def test_each_line_has_present_values_and_what_came_since_the_line_before(caplog):
    caplog.set_level(logging.INFO, logger="runtime")
    calls, counters = {"calls": 3}, {"refused": 7}
    task = asyncio.create_task(log_counts(lambda: (dict(calls), dict(counters)), 0.02))
    await asyncio.sleep(0)
    counters["refused"] += 2
    await _until(lambda: caplog.records)
    first = json.loads(JsonFormatter().format(caplog.records[0]))
    assert (first["message"], first["calls"], first["refused"]) == ("counts", 3, 2)
    calls["calls"] = 0
    seen = len(caplog.records)
    await _until(lambda: len(caplog.records) > seen + 1)
    task.cancel()
    last = json.loads(JsonFormatter().format(caplog.records[-1]))
    assert (last["calls"], last["refused"]) == (0, 0)
