"""Tests of a delivery's schedule, answer by answer."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.delivery import (
    GAPS_S,
    JITTER,
    MAX_RETRY_AFTER_S,
    SHOWN_CHARACTERS,
    Action,
    Answer,
    DeliveryState,
    after_try,
    body_of,
    delivery_id,
    new_delivery,
    restart,
    stop,
    take_over,
)
from chalicelib.domain.event import Event, EventType, event_id

NOW = 1_790_000_000_000
DOWN = Answer(None, 15000, error="timeout: no answer within 15 s")
PENDING, DELIVERED, FAILED = DeliveryState.PENDING, DeliveryState.DELIVERED, DeliveryState.FAILED


def event(event_type=EventType.CALL_RINGING):
    return Event(
        event_id="evt_x_001", type=event_type, account_id="acc_1", at=NOW, call_id="call_x",
        version=1, data={"call": {"from": "é"}},
    )  # fmt: skip


def fresh(event_type=EventType.CALL_RINGING):
    return new_delivery(event(event_type), "ep_1", NOW)


def tried(delivery, answer, now=NOW, chance=0.0, **more):
    return after_try(delivery, answer, now=now, chance=chance, **more)


@given(st.floats(0, 1), st.sampled_from([DOWN, Answer(500, 1), Answer(302, 1), Answer(404, 1)]))
def test_a_delivery_has_ten_tries_at_the_gaps_of_standard_webhooks(chance, answer):
    delivery, now, gaps = fresh(), NOW, []
    while delivery.state is PENDING:
        delivery, attempt = tried(delivery, answer, now, chance)
        assert attempt.number == delivery.attempts
        if delivery.next_at is not None:
            gaps.append((delivery.next_at - now) / 1000)
            now = delivery.next_at
    assert (delivery.state, delivery.attempts, delivery.next_at) == (FAILED, 10, None)
    assert GAPS_S == (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    for gap, meant in zip(gaps, GAPS_S, strict=True):
        assert meant <= gap <= meant * (1 + JITTER)


@given(st.integers(200, 299))
def test_any_2xx_answer_completes_the_delivery(code):
    after, attempt = tried(fresh(), Answer(code, 7, "ok"))
    assert (after.state, after.next_at, after.status) == (DELIVERED, None, code)
    assert (attempt.status, attempt.latency_ms, attempt.answer, attempt.error) == (
        code,
        7,
        "ok",
        None,
    )


@given(st.integers(100, 599).filter(lambda code: not 200 <= code < 300 and code != 410))
def test_any_other_answer_is_retried(code):
    after, _ = tried(fresh(), Answer(code, 1))
    assert (after.state, after.next_at) == (PENDING, NOW + 5000)


def test_a_2xx_with_an_incomplete_body_is_retried():
    after, attempt = tried(fresh(), Answer(200, 15000, error="timeout: no answer within 15 s"))
    assert (after.state, attempt.error) == (PENDING, "timeout: no answer within 15 s")


def test_a_410_answer_ends_the_delivery_at_once():
    after, _ = tried(fresh(), Answer(410, 1))
    assert (after.state, after.next_at) == (FAILED, None)


@pytest.mark.parametrize(
    ("asked_s", "gap_s"), [(None, 5), (0, 5), (3, 5), (60, 60), (10**9, MAX_RETRY_AFTER_S)]
)
def test_retry_after_lengthens_a_gap_within_bounds(asked_s, gap_s):
    after, _ = tried(fresh(), Answer(503, 1), retry_after_s=asked_s)
    assert after.next_at == NOW + gap_s * 1000


def test_a_test_delivery_is_tried_once():
    after, _ = tried(fresh(EventType.WEBHOOK_TEST), DOWN)
    assert (after.state, after.attempts) == (FAILED, 1)


def test_a_replay_restarts_the_schedule_with_the_same_message():
    delivery = fresh()
    for _ in range(10):
        delivery, _ = tried(delivery, DOWN)
    again = restart(delivery, NOW + 9)
    assert (again.state, again.tries, again.attempts, again.replays) == (PENDING, 0, 10, 1)
    assert (again.next_at, again.run) == (NOW + 9, delivery.run + 1)
    assert (again.event_id, again.body) == (delivery.event_id, delivery.body)
    after, attempt = tried(again, DOWN)
    assert (after.next_at, attempt.number) == (NOW + 5000, 11)


def test_taking_over_a_delivery_changes_only_its_run():
    delivery = fresh()
    assert take_over(delivery) == delivery.model_copy(update={"run": 1})


def test_a_stopped_delivery_is_never_tried_again():
    after = stop(fresh(), NOW + 1)
    assert (after.state, after.next_at) == (DeliveryState.STOPPED, None)


def test_only_the_beginning_of_an_answer_is_kept():
    _, attempt = tried(fresh(), Answer(500, 1, "x" * 10_000))
    assert attempt.answer == "x" * SHOWN_CHARACTERS


def test_the_delivery_keeps_the_action_of_its_answer():
    done = Action(action="accept", result="done")
    after, attempt = tried(fresh(), Answer(200, 1), action=done)
    assert (after.action, attempt.action) == (done, done)


def test_the_body_has_the_form_of_standard_webhooks():
    body = body_of(event())
    assert json.loads(body) == {
        "type": "call.ringing", "timestamp": "2026-09-21T14:13:20.000Z", "event_id": "evt_x_001",
        "call_id": "call_x", "version": 1, "data": {"call": {"from": "é"}},
    }  # fmt: skip
    assert "é" in body
    assert ": " not in body


def test_delivery_ids_are_derived_from_event_and_endpoint():
    assert fresh().delivery_id == delivery_id("ep_1", "evt_x_001")
    assert len({delivery_id(ep, ev) for ep in ("a", "b") for ev in ("x", "y")}) == 4


@given(st.lists(st.text(max_size=20), max_size=4))
def test_event_ids_hold_no_separator_of_the_signed_text(parts):
    made = event_id(*parts)
    assert "." not in made
    assert made.isascii()
    assert made.startswith("evt")
