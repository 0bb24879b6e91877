"""The line of counts: what there is, and what came since the line before."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from relay.config import from_env
from relay.metrics import Counters
from relay.tally import tell
from wire.log_lines import JsonFormatter

ENV = {"CHAMADE_CONTROL_URL": "http://app", "CHAMADE_CONTROL_SECRET": "s3cret"}


async def _until(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - a log has no event to wait for
            await asyncio.sleep(0.005)


async def test_each_line_tells_the_calls_of_the_moment_and_what_came_since(caplog):
    caplog.set_level(logging.INFO, logger="relay")
    counters = Counters(calls=3, unanswered=7)
    counters.dropped["to_agent", "slow"] = 5
    telling = asyncio.create_task(tell(counters, 0.02))
    await asyncio.sleep(0)
    counters.dropped["to_caller", "slow"] += 2
    counters.refused["agent", "4401"] += 1
    await _until(lambda: caplog.records)
    first = json.loads(JsonFormatter().format(caplog.records[0]))
    assert first["message"] == "counts"
    told = {k: first[k] for k in ("calls", "dropped", "refused", "unreached", "unanswered")}
    assert told == {"calls": 3, "dropped": 2, "refused": 1, "unreached": 0, "unanswered": 0}
    counters.calls = 0
    seen = len(caplog.records)
    await _until(lambda: len(caplog.records) > seen + 1)
    telling.cancel()
    last = json.loads(JsonFormatter().format(caplog.records[-1]))
    assert (last["calls"], last["dropped"]) == (0, 0)


@pytest.mark.parametrize(("given", "every"), [(None, 0.0), ("30", 30.0)])
def test_lines_are_told_only_to_who_asked(given, every):
    env = ENV if given is None else {**ENV, "RELAY_COUNTS_S": given}
    assert from_env(env).counts_s == every
