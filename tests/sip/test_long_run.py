"""Tests of the long run: a short one leaves nothing behind, and its judge sees what does."""

from __future__ import annotations

import pytest

from tests.load.sip_long import calls_in, watch
from tests.load.sip_long.run import LongRun, Plan
from tests.load.sip_long.scenarios import SCENARIOS

AT_REST = {
    "calls": 0, "streams": 0, "legs": 0, "dialogs": 0, "transactions": 0, "sip_timers": 0,
    "rtp_ports": 0, "fds": 20, "tasks": 11, "loop_timers": 18, "connections": 2,
}  # fmt: skip
LONGER = (calls_in.in_refreshes_its_session, calls_in.in_never_acknowledges)
"""Kinds of calls that take half a minute and more."""


@pytest.mark.deep
async def test_mixed_calls_and_restarts_leave_nothing_behind(tmp_path):
    kinds = {kind: weight for kind, weight in SCENARIOS.items() if kind not in LONGER}
    plan = Plan(
        seconds=10,
        calls_a_minute=240,
        restart_every_s=3,
        away_s=1,
        sample_every_s=5,
        pace=0.2,
        scenarios=kinds,
    )
    verdict = await LongRun(plan, tmp_path, tmp_path / "samples.jsonl").go()
    assert verdict["left_behind"] == {}
    assert verdict["wrong"] == {}
    assert verdict["frames_of_other_calls"] == 0
    assert verdict["sound"]
    assert len(verdict["kinds"]) == len(kinds)
    assert verdict["well"] > verdict["calls"] / 2


@pytest.mark.parametrize("name", [name for name in AT_REST if name != "connections"])
def test_a_count_that_does_not_return_is_left_behind(name):
    assert watch.left_behind(AT_REST, AT_REST) == {}
    assert list(watch.left_behind(AT_REST, AT_REST | {name: AT_REST[name] + 5})) == [name]


def test_memory_that_rises_steadily_grows():
    rising = [(60.0 * minute, 70 + 0.1 * minute) for minute in range(60)]
    assert watch.grows(*watch.growth(rising))


def test_memory_that_goes_up_and_down_does_not_grow():
    level = [(60.0 * minute, 70 + minute % 2) for minute in range(60)]
    assert not watch.grows(*watch.growth(level))


def test_memory_that_has_reached_its_size_does_not_grow():
    assert not watch.grows(*watch.growth([(60.0 * minute, 83.5) for minute in range(60)]))
    assert not watch.grows(*watch.growth([]))
