"""Tests of `/media/facts`, and of the facts and levels that REST shows."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from chalicelib.domain.call_transitions import Act
from chalicelib.handlers.call_facts import CallWithFacts, Levels
from chalicelib.services.call.transition import settle
from common.call_facts import MAX_MARKS, MAX_REPORTS, FactsReport, Piece, Sums, pack
from tests.support.engine import everything_in


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


ENDED = {
    "CallStatus": "completed",
    "InviteAt": "1790000000000",
    "AnsweredAt": "1790000004000",
    "MediaCodec": "PCMA",
    "MediaJitter": "2.1",
    "MediaLoss": "0.40",
    "MediaRoundTrip": "31.5",
    "MediaConcealed": "120",
    "MediaMos": "4.32",
}


def talking(api, world):
    """A call that a provider's post began, and the form of its posts."""
    form = {
        "CallSid": world.sid(),
        "AccountSid": "AC" + "0" * 32,
        "From": "+33612345678",
        "To": world.number,
        "CallStatus": "ringing",
    }
    api.webhook("voice", form)
    return world.call_of(world.incoming(sid=form["CallSid"])), form


def test_what_the_gateway_tells_at_the_end_is_shown(api, world):
    call, form = talking(api, world)
    api.webhook("status", {**form, **ENDED})
    shown = api.call("GET", f"/api/call/{call.call_id}").json_body
    CallWithFacts.model_validate(shown)
    assert shown["facts"] == {
        "timeline": {
            "invite_at": "2026-09-21T14:13:20.000Z",
            "answered_at": "2026-09-21T14:13:24.000Z",
        },
        "codec": "PCMA",
        "jitter_ms": 2.1,
        "loss_pct": 0.4,
        "round_trip_ms": 31.5,
        "concealed_ms": 120,
        "mos": 4.32,
    }


@pytest.mark.parametrize("odd", ["", "nan", "inf", "-1", "1e99", "<b>", "9" * 400])
def test_a_figure_that_is_none_is_left_out_and_the_call_ends_all_the_same(api, world, odd):
    call, form = talking(api, world)
    names = [name for name in ENDED if name.startswith("Media") or name.endswith("At")]
    assert api.webhook("status", {**form, **ENDED, **dict.fromkeys(names, odd)}).status_code == 204
    shown = api.call("GET", f"/api/call/{call.call_id}").json_body
    assert shown["state"] == "missed"
    assert "mos" not in shown.get("facts", {})


def test_a_call_that_is_nobodys_leaves_no_facts(api, world):
    before = everything_in(world.table)
    form = {"CallSid": world.sid(), "From": "+33612345678", "To": "+15550009999"}
    api.webhook("status", {**form, **ENDED, "CallStatus": "busy"})
    assert everything_in(world.table) == before


def test_a_poor_call_becomes_an_event(api, world):
    call, form = talking(api, world)
    settle(world.deps, call, Act.ANSWER)
    poor = {"CallStatus": "in-progress", "MediaQuality": "poor", "MediaMos": "2.71"}
    for _ in range(2):
        assert api.webhook("status", {**form, **poor}).status_code == 204
    events = api.call("GET", "/api/events").json_body["events"]
    told = [event["data"] for event in events if event["type"] == "call.quality"]
    assert told == [{"call_id": call.call_id, "quality": "poor", "mos": 2.71}]
