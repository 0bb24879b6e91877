"""Tests of an account's backlog: events beyond its share of a batch, worked off in order."""

from __future__ import annotations

import pytest

from chalicelib.services import sweep
from chalicelib.services.delivery import dispatch, fan_out
from tests.support.world import with_settings
from tests.unit.services.fan_out.calls import CALLS, finish_call, posted_ids, run_attempts


def test_call_ringing_goes_to_the_backlog_if_too_many_deliveries_wait(world, harness, monkeypatch):
    monkeypatch.setattr(fan_out, "MAX_WAITING", 10)
    world.deps = with_settings(world.deps, tries_at_once=2)
    for _ in range(5):
        harness.endpoint()
    for _ in range(6):
        world.ringing()
        world.clock.advance(0.001)
        harness.stream()
    waiting, backlog = world.stores.waiting.look(world.account_id, most=1000)
    assert waiting < 10 + 5
    assert backlog
    run_attempts(world, harness)
    assert len(world.receiver.posted) == 6 * 5
    assert world.stores.waiting.look(world.account_id, most=1000) == (0, False)


@pytest.mark.deep
def test_an_account_works_off_its_backlog_in_order(world, harness):
    world.deps = with_settings(world.deps, tries_at_once=2)
    endpoint, _ = harness.endpoint(events=["call.answered", "call.ended"])
    calls = [finish_call(world) for _ in range(CALLS)]
    harness.stream()
    assert len(harness.deliveries(endpoint)) < 2 * CALLS
    later = [finish_call(world) for _ in range(3)]
    before = len(harness.deliveries(endpoint))
    harness.stream()
    assert len(harness.deliveries(endpoint)) == before, "they come after what was left"
    run_attempts(world, harness)
    expected = [
        f"evt_{each.removeprefix('call_')}_{n:03d}" for each in calls + later for n in (2, 3)
    ]
    assert sorted(posted_ids(world)) == sorted(expected)
    place = {name: number for number, name in enumerate(posted_ids(world))}
    pairs = zip(expected[::2], expected[1::2], strict=True)
    assert all(place[second] < place[third] for second, third in pairs)
    assert not world.stores.waiting.anything(world.account_id)


@pytest.mark.deep
def test_call_ringing_is_delivered_before_the_backlog(world, harness):
    world.deps = with_settings(world.deps, tries_at_once=2)
    harness.endpoint()
    for _ in range(CALLS):
        finish_call(world)
    harness.stream()
    while any(each.type == "call.ringing" for each in world.scheduler.sent):
        for each in list(world.scheduler.sent):
            if each.type == "call.ringing":
                world.scheduler.sent.remove(each)
                harness.attempt(each)
    call = world.ringing()
    harness.stream()
    assert f"evt_{call.call_id.removeprefix('call_')}_001" in {
        each.event_id for each in world.scheduler.sent
    }


def test_the_rest_of_a_batch_that_takes_too_long_goes_to_the_backlogs(
    world, harness, other, monkeypatch
):
    """DynamoDB is slow: what the batch does not get done its accounts do by themselves."""
    harness.endpoint()
    account_id, number = other
    calls = [finish_call(world, each) for _ in range(10) for each in (None, number)]
    create = world.stores.deliveries.create

    def slow(delivery):
        world.clock.advance(0.3)
        return create(delivery)

    monkeypatch.setattr(world.stores.deliveries, "create", slow)
    monkeypatch.setattr(dispatch, "go_on", lambda *_: False)
    began = world.clock.ms
    harness.stream(account_id)
    assert world.clock.ms - began <= fan_out.BATCH_MS + 400
    monkeypatch.undo()
    run_attempts(world, harness)
    sweep.sweep_deliveries(world.deps)
    run_attempts(world, harness)
    of_call = {f"evt_{each.removeprefix('call_')}_{n:03d}" for each in calls for n in (1, 2, 3)}
    assert of_call <= set(posted_ids(world))


def test_events_that_no_endpoint_wants_make_no_backlog(world, harness):
    world.deps = with_settings(world.deps, tries_at_once=1)
    harness.endpoint(events=["trunk.*"])
    for _ in range(CALLS):
        finish_call(world)
    harness.stream()
    assert not world.stores.waiting.anything(world.account_id)


def test_events_written_while_a_backlog_ends_are_not_lost(world, harness, monkeypatch):
    """The stream leaves an event to a backlog at the moment at which that is found to be empty."""
    world.deps = with_settings(world.deps, tries_at_once=2)
    monkeypatch.setattr(fan_out, "INLINE", 5)
    harness.endpoint(events=["call.ended"])
    for _ in range(10):
        finish_call(world)
    harness.stream()
    after, late = world.stores.events.after, []

    def then_another(account_id, place, limit):
        page = after(account_id, place, limit)
        if not page and not late:
            late.append(finish_call(world))
            harness.stream()
        return page

    monkeypatch.setattr(world.stores.events, "after", then_another)
    run_attempts(world, harness)
    assert f"evt_{late[0].removeprefix('call_')}_003" in posted_ids(world)


def test_a_backlog_with_old_unnumbered_events_starts_from_the_sweeps_position(
    world, harness, monkeypatch
):
    world.deps = with_settings(world.deps, tries_at_once=2)
    harness.endpoint(events=["call.ended"])
    calls = [finish_call(world) for _ in range(CALLS)]
    monkeypatch.setattr(fan_out, "INLINE", 5)
    monkeypatch.setattr(fan_out, "NUMBERED_LATELY", 1)
    harness.stream()
    run_attempts(world, harness)
    assert set(posted_ids(world)) == {f"evt_{each.removeprefix('call_')}_003" for each in calls}
