"""Tests of `/media/facts`, and of the facts and levels that REST shows."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from chalicelib.domain.call_transitions import Act
from chalicelib.handlers.call_facts import CallWithFacts, Levels
from chalicelib.services.call.transition import settle
from common.call_facts import MAX_MARKS, MAX_REPORTS, FactsReport, Piece, Sums, pack


@pytest.fixture
def call(world):
    return settle(world.deps, world.ringing(), Act.ANSWER)


@pytest.fixture
def told(call):
    sums = Sums(frames=100, gaps=1, gap_ms=300, streams=1, agents=1, agent_ms=5)
    piece = Piece(0, pack([0, 15] * 20), pack([3] * 40))
    return asdict(FactsReport(call.call_id, call.answered_at, 1, sums, piece, relay="relay-1"))


def test_what_a_relay_tells_is_shown_in_the_single_call_alone(api, call, told):
    answered = api.control("/media/facts", told)
    assert (answered.status_code, answered.json_body) == (200, {})
    shown = api.call("GET", f"/api/call/{call.call_id}").json_body
    CallWithFacts.model_validate(shown)
    assert (shown["facts"]["gaps"], shown["facts"]["gap_ms"]) == (1, 300)
    listed = api.call("GET", "/api/calls").json_body["calls"]
    assert all("facts" not in each for each in listed)


def test_levels_are_shown_and_empty_if_nobody_told_any(api, call, told):
    path = f"/api/call/{call.call_id}/levels"
    empty = api.call("GET", path).json_body
    assert (empty["caller"], empty["began_at"]) == ([], None)
    api.control("/media/facts", told)
    shown = api.call("GET", path).json_body
    Levels.model_validate(shown)
    assert (shown["caller"][:2], shown["heard"][:2], shown["step_ms"]) == ([0, 15], [3, 3], 100)


def test_a_call_without_facts_has_no_such_member(api, call):
    assert "facts" not in api.call("GET", f"/api/call/{call.call_id}").json_body


def test_a_report_that_is_not_signed_is_refused(api, told):
    assert api.control("/media/facts", told, secret="guessed").status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": MAX_REPORTS + 1},
        {"sequence": 0},
        {"relay": "r" * 256},
        {"piece": {"caller": pack([1] * 2000)}},
        {"piece": {"step": -1}},
        {"piece": {"heard": "not base64!"}},
        {"piece": {"marks": [{"type": "key", "at_ms": 1}] * (MAX_MARKS + 1)}},
        {"piece": {"marks": [{"type": "word", "at_ms": 1}]}},
        {"sums": {"added_latency": [1] * 99}},
        {"sums": {"gaps": 2**60}},
    ],
)
def test_a_report_beyond_the_bounds_is_refused(api, told, change):
    assert api.control("/media/facts", {**told, **change}).status_code in (400, 422)
