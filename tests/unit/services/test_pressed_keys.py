"""Tests that keys are published in order and completely, within the budgets of a call and an
account.
"""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import keypad
from chalicelib.domain.call_transitions import Act
from chalicelib.domain.event import EventType
from chalicelib.services import inbox
from chalicelib.services.call import media, pressed_keys
from chalicelib.services.call.transition import settle
from tests.support.world import World


@pytest.fixture
def world(table):
    return World(table)


@pytest.fixture
def call(world):
    return settle(world.deps, world.ringing(), Act.ANSWER)


@pytest.fixture
def report(world):
    """Has a relay report keys of a call."""
    serials = itertools.count(1)
    return lambda call, keys: pressed_keys.take_report(world.deps, call, keys, next(serials))


def key_events(world):
    """All `call.dtmf` of the account, in order."""
    found, cursor = [], None
    while True:
        page, cursor = inbox.read(world.deps, world.account_id, cursor, 0)
        if not page:
            return found
        found += [event for event in page if event.type is EventType.CALL_DTMF]


def keys(events):
    return "".join(event.data["digits"] for event in events)


def test_keys_reported_once_a_second_are_published_at_once(world, call, report):
    for number in range(30):
        report(call, str(number % 10))
        world.clock.advance(1)
        assert len(key_events(world)) == number + 1


def test_seventy_reports_a_second_become_one_event_a_second_without_losing_keys(
    world, call, report
):
    pressed = ""
    for number in range(350):
        report(call, str(number % 10))
        pressed += str(number % 10)
        world.clock.advance(1 / 70)
    events = key_events(world)
    assert len(events) <= keypad.BURST + 6
    world.clock.advance(60)
    pressed_keys.tell_waiting(world.deps, call)
    assert pressed.startswith(keys(key_events(world)))
    while len(keys(key_events(world))) < len(pressed):
        pressed_keys.tell_waiting(world.deps, call)
    assert keys(key_events(world)) == pressed
    assert len({event.event_id for event in key_events(world)}) == len(key_events(world))


def test_waiting_keys_are_published_with_the_next_report(world, call, report):
    for _ in range(keypad.BURST):
        report(call, "1")
    report(call, "2")
    assert keys(key_events(world)) == "1" * keypad.BURST
    world.clock.advance(1)
    media.report(world.deps, "relay-a", call.call_id, "watch")
    assert keys(key_events(world)) == "1" * keypad.BURST + "2"


def test_waiting_keys_are_published_when_the_call_ends(world, call, report):
    for _ in range(keypad.BURST + 1):
        report(call, "1")
    settle(world.deps, call, Act.CALLER_HANGUP)
    world.clock.advance(2)
    media.report(world.deps, "relay-a", call.call_id, "watch")
    assert len(keys(key_events(world))) == keypad.BURST + 1


def test_keys_beyond_the_waiting_limit_are_counted_and_reported_once(world, call, report, caplog):
    for _ in range(keypad.BURST):
        report(call, "1")
    for _ in range(10):
        report(call, "2" * 64)
    lost = 640 - keypad.MAX_WAITING
    world.clock.advance(2)
    report(call, "3")
    world.clock.advance(2)
    pressed_keys.tell_waiting(world.deps, call)
    after = key_events(world)[keypad.BURST :]
    assert [event.data.get("lost") for event in after] == [lost + 1, None]
    lines = [each.message for each in caplog.records if each.message.startswith("keys ")]
    assert lines == ["keys wait: reported too often", "keys lost: too many wait"]


def test_key_events_share_an_account_budget_that_does_not_limit_call_events(
    world, call, report, monkeypatch
):
    monkeypatch.setattr(keypad, "ACCOUNT_LIMIT", keypad.Limit("keys", 5, 60))
    world.clock.ms -= world.clock.ms % 60_000
    calls = [settle(world.deps, world.ringing(), Act.ANSWER) for _ in range(10)]
    for each in calls:
        report(each, "1")
    assert len(key_events(world)) == 5
    for each in calls:
        settle(world.deps, each, Act.CALLER_HANGUP)
    assert world.events().count("call.ended") == 10
    stranger, _ = world.new_account()
    theirs = world.ringing(world.new_number(stranger))
    report(theirs, "1")
    assert "call.dtmf" in world.events(stranger)
    world.clock.advance(60)
    for each in calls:
        media.report(world.deps, "relay-a", each.call_id, "watch")
    assert len(key_events(world)) == 10


def test_key_events_of_a_call_are_bounded_and_the_last_is_marked(
    world, call, report, monkeypatch, caplog
):
    monkeypatch.setattr(keypad, "EVENTS_PER_CALL", 5)
    for number in range(8):
        report(call, str(number))
        world.clock.advance(1)
    media.report(world.deps, "relay-a", call.call_id, "watch")
    assert keys(key_events(world)) == "01234"
    assert [event.data.get("last") for event in key_events(world)] == [None] * 4 + [True]
    lines = [each.message for each in caplog.records if "not told any more" in each.message]
    assert len(lines) == 1
    settle(world.deps, call, Act.CALLER_HANGUP)
    assert "call.ended" in world.events()


def test_a_repeated_report_changes_nothing(world, call):
    for number in range(1, keypad.BURST + 3):
        for _ in range(2):
            pressed_keys.take_report(world.deps, call, str(number % 10), number)
    pressed_keys.take_report(world.deps, call, "9", 3)
    world.clock.advance(60)
    pressed_keys.tell_waiting(world.deps, call)
    pressed_keys.tell_waiting(world.deps, call)
    assert keys(key_events(world)) == "123456789012"


@given(st.lists(st.tuples(st.integers(0, 3000), st.text("0123456789", min_size=1, max_size=64))))
def test_key_events_stay_within_the_budget_for_any_reports(reports):
    pad, now, events, began = keypad.Keypad(), 0, 0, 0
    pressed, reported = 0, ""
    for number, (pause, digits_) in enumerate(reports, 1):
        now += pause
        pad = keypad.add_keys(pad, digits_, number)
        pressed += len(digits_)
        if keypad.may_tell(pad, now):
            events += 1
            reported += pad.waiting[: keypad.KEYS_PER_EVENT]
            pressed -= pad.lost
            pad = keypad.take_keys(pad, now)
        assert len(pad.waiting) <= keypad.MAX_WAITING
        assert events <= keypad.BURST + (now - began) / keypad.EVERY_MS
    assert pressed == len(reported) + len(pad.waiting) + pad.lost
