"""Tests of the table of a line's moves."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.call_line import (
    MOVES,
    MUSIC,
    RINGBACK,
    SILENCE,
    USUAL_LINE,
    LineAct,
    LinePhase,
    LineRefused,
    Transfer,
    changed,
    end_line,
    failure_of,
    phase,
    start_of,
    what_happened,
)
from chalicelib.domain.event import EventType

_serials = itertools.count(1)
STARTS = {start_of(mode): mode for mode in ("cold", "warm", "refer")}
ENDS = {EventType.CALL_TRANSFER_COMPLETED, EventType.CALL_TRANSFER_FAILED}


def facts_of(act, on_failure="resume"):
    if act is LineAct.HOLD:
        return {"source": MUSIC}
    if act in STARTS:
        serial, mode = next(_serials), STARTS[act]
        transfer = Transfer(
            transfer_id=f"transfer_{serial}",
            mode=mode,
            to="+33199001234",
            call_id=None if mode == "refer" else f"call_{serial}",
            on_failure=on_failure,
        )
        return {"source": RINGBACK, "transfer": transfer}
    if act in (LineAct.JOIN, LineAct.BE_JOINED):
        return {"peer": "call_2"}
    if act in (LineAct.FAIL, LineAct.LOSE):
        return {"why": "busy", "sip_code": 486}
    return {}


def after(*acts, **more):
    line = USUAL_LINE
    for act in acts:
        line = changed(line, act, **facts_of(act, **more))
    return line


def ids(told, *types):
    return [data["transfer_id"] for what, data in told if what in types]


acts = st.lists(st.sampled_from(LineAct), max_size=12)


@given(acts, st.sampled_from(["resume", "hang_up"]))
def test_every_act_leads_where_the_table_says_or_changes_nothing(acts, on_failure):
    line = USUAL_LINE
    for act in acts:
        before = phase(line)
        if act is LineAct.LOSE and line.transfer and line.transfer.on_failure == "resume":
            continue  # the act is that of `failure_of`
        try:
            new = changed(line, act, **facts_of(act, on_failure))
        except LineRefused:
            assert before not in MOVES[act]
            continue
        assert phase(new) is MOVES[act][before]
        assert new.number == line.number + (new != line)
        line = new


@given(acts)
def test_each_transfer_has_one_beginning_and_one_outcome(acts):
    line, told = USUAL_LINE, []
    for act in acts:
        try:
            new = changed(line, act, **facts_of(act))
        except LineRefused:
            continue
        told += what_happened(line, new)
        line = new
    told += what_happened(line, end_line(line))
    started = [
        data["transfer_id"] for what, data in told if what is EventType.CALL_TRANSFER_STARTED
    ]
    over = [data["transfer_id"] for what, data in told if what in ENDS]
    assert started == over
    assert len(set(over)) == len(over)


@given(acts)
def test_what_is_held_is_told_as_held_and_never_twice(acts):
    line, held = USUAL_LINE, False
    for act in acts:
        try:
            new = changed(line, act, **facts_of(act))
        except LineRefused:
            continue
        for what, _ in what_happened(line, new):
            if what is EventType.CALL_HELD:
                assert not held
                held = True
            elif what is EventType.CALL_UNHELD:
                assert held
                held = False
        line = new
        assert held == (line.mode == "hold")


def test_holding_again_with_another_sound_changes_the_sound_alone():
    first = after(LineAct.HOLD)
    second = changed(first, LineAct.HOLD, source=SILENCE)
    assert (second.number, second.source, second.by) == (2, SILENCE, "agent")
    assert what_happened(first, second) == []
    assert changed(second, LineAct.HOLD, source=SILENCE) is second


def test_a_call_that_was_held_before_its_transfer_is_not_held_after_its_failure():
    line = after(LineAct.HOLD, LineAct.START_COLD, LineAct.FAIL)
    assert (line.mode, line.by, line.source) == ("agent", None, None)
    assert (line.transfer.why, line.transfer.sip_code) == ("busy", 486)


def test_a_transfer_whose_agent_has_left_cannot_go_back_to_it():
    line = after(LineAct.START_COLD, LineAct.AGENT_LEFT)
    assert failure_of(line.transfer) is LineAct.LOSE
    assert phase(changed(line, LineAct.LOSE, why="busy")) is LinePhase.ENDING


@pytest.mark.parametrize("phase_acts", [(LineAct.START_COLD,), (LineAct.START_WARM,)])
def test_there_is_one_transfer_at_a_time(phase_acts):
    line = after(*phase_acts)
    for act in (*STARTS, LineAct.HOLD, LineAct.RESUME):
        with pytest.raises(LineRefused) as refused:
            changed(line, act, **facts_of(act))
        assert refused.value.code == "transfer_under_way"


def test_every_open_phase_has_an_end_in_the_table():
    ends = {LinePhase.TALKING, LinePhase.JOINED, LinePhase.ENDING, LinePhase.LEAVING}
    for each in (LinePhase.COLD, LinePhase.WARM, LinePhase.CONSULTING, LinePhase.REFER):
        reached = {leads[each] for leads in MOVES.values() if each in leads}
        assert reached & ends >= {LinePhase.TALKING, LinePhase.ENDING}
