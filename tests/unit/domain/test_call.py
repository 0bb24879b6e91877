"""Tests of the table of transitions."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.call import Call, Refused, Transition, apply, public_view
from chalicelib.domain.call_id import CALL_ID, inbound_call_id
from chalicelib.domain.call_transitions import MOVES, Act, CallState, EndReason
from chalicelib.domain.event import EventType
from chalicelib.domain.new_call import (
    RING_GRACE_MS,
    RING_MS,
    new_inbound,
    new_missed,
    new_outbound,
)

NOW = 1_790_000_000_000


def new_call() -> Transition:
    return new_inbound(
        account_id="acc_1",
        provider="gateway",
        provider_call_id="CA1",
        from_="+33612345678",
        to="+15550000001",
        line="+15550000001",
        forwarded_from=None,
        auto_answer=False,
        now=NOW,
    )


def ringing(**changes) -> Call:
    return new_call().call.model_copy(update=changes)


def in_state(state: CallState) -> Call:
    return ringing(state=state)


def dialled() -> Transition:
    return new_outbound(
        account_id="acc_1",
        provider="gateway",
        trunk_id="trunk_1",
        caller_id="+33199005678",
        to="+33199001234",
        ring_timeout_s=30,
        max_duration_s=600,
        agent_url="wss://agent.example/?key=secret",
        metadata={"ticket": 7},
        now=NOW,
    )


def outbound(state: CallState = CallState.CONNECTING) -> Call:
    return dialled().call.model_copy(update={"state": state})


DESIGNED = {
    CallState.CONNECTING: {"ringing", "active", "declined", "failed", "ended"},
    CallState.RINGING: {"active", "missed", "declined", "failed", "ended"},
    CallState.ACTIVE: {"ended", "failed"},
}


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
def test_acts_lead_only_to_the_states_of_the_table(direction):
    for act, moves in MOVES[direction].items():
        for source, (target, _) in moves.items():
            assert target.value in DESIGNED[source], (act, source, target)
    reached = {target for moves in MOVES[direction].values() for target, _ in moves.values()}
    assert (CallState.MISSED in reached) == (direction == "inbound")


@pytest.mark.parametrize("state", [s for s in CallState if s.final])
@pytest.mark.parametrize("act", list(Act))
def test_nothing_moves_a_call_that_is_over(state, act):
    with pytest.raises(Refused) as refused:
        apply(in_state(state), act, NOW + RING_MS)
    assert refused.value.code == "call_over"
    assert refused.value.call.state is state


@pytest.mark.parametrize(
    ("act", "state", "reason", "event"),
    [
        (Act.ANSWER, "active", None, EventType.CALL_ANSWERED),
        (Act.DECLINE, "declined", EndReason.DECLINED, EventType.CALL_DECLINED),
        (Act.CALLER_HANGUP, "missed", EndReason.CALLER_HANGUP, EventType.CALL_MISSED),
        (Act.AGENT_HANGUP, "ended", EndReason.AGENT_HANGUP, EventType.CALL_ENDED),
        (Act.PROVIDER_FAILED, "failed", EndReason.PROVIDER_ERROR, EventType.CALL_FAILED),
    ],
)
def test_each_act_moves_a_ringing_call_to_its_state(act, state, reason, event):
    moved = apply(ringing(), act, NOW + 1000)
    assert (moved.call.state.value, moved.call.end_reason) == (state, reason)
    assert moved.event.type is event
    assert moved.event.data["call"]["state"] == state


def test_an_accept_is_valid_until_just_before_the_deadline():
    assert apply(ringing(), Act.ANSWER, NOW + RING_MS - 1).call.state is CallState.ACTIVE
    with pytest.raises(Refused) as refused:
        apply(ringing(), Act.ANSWER, NOW + RING_MS)
    assert refused.value.code == "ring_deadline_passed"


def test_a_call_does_not_expire_before_its_deadline():
    with pytest.raises(Refused) as refused:
        apply(ringing(), Act.EXPIRE, NOW + RING_MS - 1)
    assert refused.value.code == "still_ringing"
    assert apply(ringing(), Act.EXPIRE, NOW + RING_MS).call.end_reason is EndReason.RING_TIMEOUT


def test_an_active_call_is_neither_answered_nor_declined_again():
    for act in (Act.ANSWER, Act.DECLINE, Act.EXPIRE):
        with pytest.raises(Refused) as refused:
            apply(in_state(CallState.ACTIVE), act, NOW + RING_MS)
        assert refused.value.code == "call_not_ringing"


def test_losing_media_is_refused_for_a_ringing_call():
    with pytest.raises(Refused) as refused:
        apply(ringing(), Act.MEDIA_LOST, NOW)
    assert refused.value.code == "call_not_active"


def test_a_call_that_ended_before_its_webhook_is_recorded_as_missed():
    unseen = new_missed(new_call())
    assert (unseen.call.state, unseen.call.version) == (CallState.MISSED, 1)
    assert unseen.call.end_reason is EndReason.CALLER_HANGUP
    assert [entry.version for entry in unseen.call.history] == [1]
    assert unseen.event.type is EventType.CALL_MISSED


def test_an_outbound_call_starts_as_connecting_with_an_event():
    moved = dialled()
    call = moved.call
    assert (call.state, call.version, call.provider_call_id) == (CallState.CONNECTING, 1, None)
    assert CALL_ID.fullmatch(call.call_id)
    assert dialled().call.call_id != call.call_id
    assert (call.from_, call.to, call.line) == ("+33199005678", "+33199001234", "+33199005678")
    assert call.ring_deadline == NOW + 30_000 + RING_GRACE_MS
    assert moved.event.type is EventType.CALL_CONNECTING


@pytest.mark.parametrize("state", [CallState.CONNECTING, CallState.RINGING])
@pytest.mark.parametrize(
    ("act", "becomes", "reason", "event"),
    [
        (Act.ANSWER, "active", None, EventType.CALL_ANSWERED),
        (Act.CALLEE_DECLINED, "declined", EndReason.DECLINED, EventType.CALL_DECLINED),
        (Act.BUSY, "failed", EndReason.BUSY, EventType.CALL_FAILED),
        (Act.NO_ANSWER, "failed", EndReason.NO_ANSWER, EventType.CALL_FAILED),
        (Act.REJECTED, "failed", EndReason.REJECTED, EventType.CALL_FAILED),
        (Act.EXPIRE, "failed", EndReason.NO_ANSWER, EventType.CALL_FAILED),
        (Act.AGENT_HANGUP, "ended", EndReason.AGENT_HANGUP, EventType.CALL_ENDED),
        (Act.CALLEE_HANGUP, "ended", EndReason.CALLEE_HANGUP, EventType.CALL_ENDED),
        (Act.PROVIDER_FAILED, "failed", EndReason.PROVIDER_ERROR, EventType.CALL_FAILED),
    ],
)
def test_each_act_moves_an_unanswered_outbound_call_to_its_state(
    state, act, becomes, reason, event
):
    moved = apply(outbound(state), act, NOW + 40_000)
    assert (moved.call.state.value, moved.call.end_reason) == (becomes, reason)
    assert moved.event.type is event


def test_a_second_ringing_of_an_outbound_call_is_refused():
    moved = apply(outbound(), Act.RING, NOW + 1)
    assert (moved.call.state, moved.event.type) == (CallState.RINGING, EventType.CALL_RINGING)
    for state in (CallState.RINGING, CallState.ACTIVE):
        with pytest.raises(Refused):
            apply(outbound(state), Act.RING, NOW + 1)


def test_a_hang_up_of_the_called_party_ends_the_call():
    moved = apply(outbound(CallState.ACTIVE), Act.CALLEE_HANGUP, NOW + 1)
    assert (moved.call.state, moved.call.end_reason) == (CallState.ENDED, EndReason.CALLEE_HANGUP)


def test_an_outbound_call_does_not_expire_before_deadline_and_grace():
    with pytest.raises(Refused) as refused:
        apply(outbound(), Act.EXPIRE, NOW + 30_000 + RING_GRACE_MS - 1)
    assert refused.value.code == "still_ringing"


def test_acts_of_the_other_direction_are_refused():
    for call, act, code in (
        (outbound(CallState.RINGING), Act.DECLINE, "call_outbound"),
        (outbound(CallState.RINGING), Act.CALLER_HANGUP, "call_outbound"),
        (ringing(), Act.BUSY, "call_inbound"),
        (ringing(), Act.CALLEE_HANGUP, "call_inbound"),
    ):
        with pytest.raises(Refused) as refused:
            apply(call, act, NOW + 1)
        assert refused.value.code == code


def test_the_call_keeps_the_far_ends_sip_code():
    busy = apply(outbound(), Act.BUSY, NOW + 1, 486)
    assert busy.call.sip_code == 486
    assert busy.event.data["call"]["sip_code"] == 486
    assert apply(outbound(), Act.RING, NOW + 1).call.sip_code is None


@pytest.mark.parametrize("state", [s for s in CallState if s.final])
@pytest.mark.parametrize("act", list(Act))
def test_nothing_moves_a_dialled_call_that_is_over(state, act):
    with pytest.raises(Refused) as refused:
        apply(outbound(state), act, NOW + RING_MS)
    assert refused.value.code == "call_over"


@given(
    st.sampled_from([ringing, outbound]),
    st.lists(st.tuples(st.sampled_from(list(Act)), st.integers(-5000, 90_000)), max_size=12),
)
def test_versions_times_and_history_agree_after_any_sequence_of_acts(begin, acts):
    call, now = begin(), NOW
    for act, step in acts:
        now += step  # clocks of different machines: time may even go back
        try:
            moved = apply(call, act, now)
        except Refused:
            continue
        assert moved.call.version == call.version + 1
        assert moved.call.updated_at > call.updated_at
        assert moved.event.version == moved.call.version
        assert moved.event.at == moved.call.updated_at
        call = moved.call
    assert [entry.version for entry in call.history] == list(range(1, call.version + 1))
    assert sum(entry.state.final for entry in call.history) == int(call.state.final)
    assert (call.ended_at is not None) == call.state.final


def test_a_call_survives_a_round_trip_through_json():
    call = apply(apply(ringing(), Act.ANSWER, NOW + 5).call, Act.AGENT_HANGUP, NOW + 9).call
    assert Call.model_validate(call.model_dump(mode="json")) == call


def test_the_public_view_has_no_account_id():
    view = public_view(ringing())
    assert "account_id" not in view
    assert view["capabilities"] == ["audio_in", "audio_out"]
    assert view["from"] == "+33612345678"
    assert not {"trunk_id", "agent_url"} & set(public_view(outbound()))


def test_call_ids_are_equal_exactly_for_the_same_provider_call():
    ids = {inbound_call_id(p, s) for p, s in itertools.product(("a", "b"), ("CA1", "CA2"))}
    assert len(ids) == 4
    assert inbound_call_id("a", "CA1") in ids
    assert all(len(each) == 31 and each.startswith("call_") for each in ids)
