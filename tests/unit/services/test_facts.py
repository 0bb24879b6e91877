"""Tests that what relays and providers tell of a call's audio is kept once, shown, and logged."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest

from chalicelib.domain.call_facts import LATE_MS, MAX_QUALITY_EVENTS, ProviderFacts, QualityNote
from chalicelib.domain.call_transitions import Act
from chalicelib.providers.base import CallUpdate
from chalicelib.services import inbox
from chalicelib.services.call import facts
from chalicelib.services.call.transition import UnknownCall, settle
from common.call_facts import (
    ADDED_LATENCY_MS,
    CLEAR_TO_SILENCE_MS,
    FactsReport,
    Mark,
    Piece,
    Sums,
    pack,
)
from common.log_lines import JsonFormatter
from infra.queries import QUALITY
from tests.support.engine import everything_in
from tests.support.world import World


@pytest.fixture
def world(table):
    return World(table)


@pytest.fixture
def call(world):
    return settle(world.deps, world.ringing(), Act.ANSWER)


def histogram(bounds, **values):
    counts = [0] * (len(bounds) + 1)
    for number, count in values.items():
        counts[int(number.strip("_"))] = count
    return tuple(counts)


def report(call, sequence=1, began_ms=None, step=0, last=False, **sums):
    return FactsReport(
        call_id=call.call_id,
        began_ms=call.answered_at + 200 if began_ms is None else began_ms,
        sequence=sequence,
        sums=Sums(**{"streams": 1, "agents": 1, "frames": 50 * sequence, **sums}),
        piece=Piece(step, pack([0, 9]), pack([12, 0]), (Mark("clear", step * 100 + 50, 700),)),
        last=last,
        relay="relay-1",
    )


def test_facts_of_a_call_are_shown_with_its_moments(world, call):
    told = report(
        call,
        agent_ms=-150,
        caller_audio_ms=20,
        agent_audio_ms=900,
        gaps=1,
        gap_ms=240,
        late=3,
        underruns=2,
        underrun_ms=90,
        clears=1,
        added_latency=histogram(ADDED_LATENCY_MS, _1=90, _3=10),
        clear_to_silence=histogram(CLEAR_TO_SILENCE_MS, _3=1),
    )
    facts.take_report(world.deps, told)
    shown = facts.of_call(world.deps, call)
    at = {name: _ms(text) - call.answered_at for name, text in shown.pop("timeline").items()}
    assert at == {
        "answered_at": 0,
        "stream_at": 200,
        "agent_at": 50,
        "caller_audio_at": 220,
        "agent_audio_at": 1100,
    }
    assert shown == {
        "late": 3,
        "gaps": 1,
        "gap_ms": 240,
        "underruns": 2,
        "underrun_ms": 90,
        "clears": 1,
        "streams": 1,
        "agents": 1,
        "added_latency_ms": {"p50": 0.25, "p95": 1},
        "clear_to_silence_ms": {"p95": 100},
    }


def _ms(text):
    from chalicelib.domain.instant import from_text

    return from_text(text)


def test_a_report_that_comes_twice_or_late_changes_nothing(world, call):
    facts.take_report(world.deps, report(call, 1, gaps=1))
    facts.take_report(world.deps, report(call, 2, step=2, gaps=4))
    before = everything_in(world.table)
    facts.take_report(world.deps, report(call, 2, step=2, gaps=4))
    facts.take_report(world.deps, report(call, 1, gaps=1))
    assert everything_in(world.table) == before
    assert facts.of_call(world.deps, call)["gaps"] == 4


def test_relays_that_take_a_call_over_are_added_up(world, call):
    facts.take_report(world.deps, report(call, 3, gaps=2, agent_audio_ms=500))
    later = call.answered_at + 60_000
    world.clock.advance(61)
    facts.take_report(world.deps, report(call, 1, later, gaps=1, agent_audio_ms=100))
    shown = facts.of_call(world.deps, call)
    assert (shown["gaps"], shown["streams"], shown["agents"]) == (3, 2, 2)
    assert _ms(shown["timeline"]["agent_audio_at"]) == call.answered_at + 700


def test_levels_of_several_reports_and_relays_are_one_line(world, call):
    facts.take_report(world.deps, report(call, 1))
    facts.take_report(world.deps, report(call, 2, step=4))
    facts.take_report(world.deps, report(call, 1, call.answered_at + 200 + 800))
    shown = facts.levels(world.deps, call)
    assert shown["caller"] == [0, 9, 0, 0, 0, 9, 0, 0, 0, 9]
    assert shown["heard"] == [12, 0, 0, 0, 12, 0, 0, 0, 12, 0]
    assert [mark["at_ms"] for mark in shown["marks"]] == [50, 450, 850]
    assert shown["step_ms"] == 100


def test_a_call_of_which_nothing_is_told_shows_nothing(world, call):
    assert facts.of_call(world.deps, call) == {}
    levels = facts.levels(world.deps, call)
    assert levels == {
        "began_at": None, "step_ms": 100, "caller": [], "heard": [], "marks": [],
    }  # fmt: skip


def test_a_report_about_no_call_or_another_time_is_not_kept(world, call):
    before = everything_in(world.table)
    with pytest.raises(UnknownCall):
        facts.take_report(world.deps, replace(report(call), call_id="call_" + "7" * 26))
    facts.take_report(world.deps, report(call, began_ms=call.created_at - 61_000))
    facts.take_report(world.deps, report(call, began_ms=world.clock.ms + 61_000))
    assert everything_in(world.table) == before
    over = settle(world.deps, call, Act.AGENT_HANGUP)
    world.clock.advance(LATE_MS / 1000 + 1)
    before = everything_in(world.table)
    facts.take_report(world.deps, report(over))
    assert everything_in(world.table) == before


def test_the_end_of_a_call_is_one_line_in_the_log_with_both_sides(world, call, caplog):
    over = settle(world.deps, call, Act.AGENT_HANGUP)
    told = ProviderFacts(codec="PCMU", mos=3.02, loss_pct=4.5, invite_at=call.created_at)
    update = CallUpdate(call.provider_call_id, facts=told)
    facts.take_update(world.deps, over.call_id, update)
    with caplog.at_level(logging.INFO):
        added = histogram(ADDED_LATENCY_MS, _2=5)
        facts.take_report(world.deps, report(over, 1, gaps=2, added_latency=added))
        facts.take_report(world.deps, report(over, 2, last=True, gaps=2, added_latency=added))
    lines = [record for record in caplog.records if record.getMessage() == "call quality"]
    assert len(lines) == 1
    line = vars(lines[0])
    assert (line["call_id"], line["mos"], line["gaps"]) == (call.call_id, 3.02, 2)
    assert (line["added_latency_p95_ms"], line["codec"]) == (0.5, "PCMU")
    assert "+336" not in str(line), "numbers of people are not in it"


def test_the_saved_query_about_the_worst_calls_names_fields_of_the_line(world, call, caplog):
    world.clock.advance(30)
    over = settle(world.deps, call, Act.AGENT_HANGUP)
    told = ProviderFacts("PCMU", 3.0, 0.5, 31.5, 120, 4.2, call.created_at)
    facts.take_update(world.deps, over.call_id, CallUpdate("CA1", facts=told))
    full = report(
        over,
        last=True,
        added_latency=histogram(ADDED_LATENCY_MS, _2=5),
        clear_to_silence=histogram(CLEAR_TO_SILENCE_MS, _2=1),
    )
    with caplog.at_level(logging.INFO):
        facts.take_report(world.deps, full)
    (record,) = [each for each in caplog.records if each.getMessage() == "call quality"]
    line = json.loads(JsonFormatter().format(record))
    assert set(QUALITY) - {"trunk_id"} <= set(line), "trunk_id is there only if there is a trunk"
    assert line["talked_ms"] >= 29_000


def test_a_call_that_goes_on_elsewhere_has_no_line_yet(world, call, caplog):
    with caplog.at_level(logging.INFO):
        facts.take_report(world.deps, report(call, last=True))
    assert "call quality" not in caplog.text


def events_of(world):
    page, _ = inbox.read(world.deps, world.account_id, None, 0)
    return [event.data for event in page if event.type.value == "call.quality"]


def test_each_change_of_quality_is_one_event(world, call):
    for quality, mos in (("good", 4.2), ("poor", 2.9), ("poor", 2.8), ("good", 4.1)):
        facts.note_quality(world.deps, call, QualityNote(quality, mos))
    assert events_of(world) == [
        {"call_id": call.call_id, "quality": "poor", "mos": 2.9},
        {"call_id": call.call_id, "quality": "good", "mos": 4.1},
    ]


def test_events_about_quality_are_bounded_in_a_call(world, call):
    for _ in range(MAX_QUALITY_EVENTS):
        facts.note_quality(world.deps, call, QualityNote("poor", 2.9))
        facts.note_quality(world.deps, call, QualityNote("good"))
    assert len(events_of(world)) == MAX_QUALITY_EVENTS


def test_a_call_that_is_over_gets_no_event_about_its_quality(world, call):
    over = settle(world.deps, call, Act.AGENT_HANGUP)
    facts.note_quality(world.deps, over, QualityNote("poor", 2.0))
    assert events_of(world) == []
