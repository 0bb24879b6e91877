"""Tests of the places for an account's tries: a delivery without one waits in the table, in
order.
"""

from __future__ import annotations

from collections import Counter

import pytest

from chalicelib.domain.call_transitions import Act
from chalicelib.domain.delivery import DeliveryState, Kind
from chalicelib.services import sweep
from chalicelib.services.call.transition import settle
from chalicelib.services.delivery import delivery_tries, dispatch
from chalicelib.store.table import delete
from tests.support.delivery_harness import status
from tests.support.engine import everything_in
from tests.support.world import with_settings

AT_ONCE = 4


@pytest.fixture(autouse=True)
def few(world):
    """An account has four places, and two for calls that ring."""
    world.deps = with_settings(world.deps, tries_at_once=AT_ONCE)


def running(world, kind=Kind.OTHER):
    return [each for each in world.scheduler.sent if each.kind is kind]


def answered(world):
    """A call that rings and is answered: two events."""
    world.clock.advance(0.001)
    call = world.ringing()
    world.clock.advance(0.001)
    return settle(world.deps, call, Act.ANSWER)


def test_concurrent_tries_of_an_account_are_bounded_by_its_places(world, harness):
    for _ in range(3):
        harness.endpoint(events=["call.answered"])
    for _ in range(5):
        answered(world)
    harness.stream()
    assert len(world.scheduler.sent) == AT_ONCE
    most = 0
    while world.scheduler.sent:
        most = max(most, len(world.scheduler.sent))
        harness.attempt(world.scheduler.sent.pop(0))
    assert most == AT_ONCE
    assert len(world.receiver.posted) == 15


def test_call_ringing_events_have_places_of_their_own(world, harness):
    for _ in range(4):
        harness.endpoint()
    answered(world)
    for _ in range(4):
        settle(world.deps, answered(world), Act.AGENT_HANGUP)
    harness.stream()
    assert len(running(world, Kind.RING)) == dispatch.share_of(AT_ONCE)
    assert len(running(world)) <= AT_ONCE


def test_one_endpoint_takes_no_more_than_its_share_of_places(world, harness):
    slow, _ = harness.endpoint(events=["call.answered"])
    for _ in range(6):
        answered(world)
    harness.stream()
    assert len(running(world)) == dispatch.share_of(AT_ONCE)
    assert {each.endpoint_id for each in running(world)} == {slow.endpoint_id}
    quick, _ = harness.endpoint(events=["call.ended"])
    world.clock.advance(0.001)
    settle(world.deps, answered(world), Act.AGENT_HANGUP)
    harness.stream()
    sweep.sweep_deliveries(world.deps)
    assert quick.endpoint_id in {each.endpoint_id for each in running(world)}


def test_the_endpoints_of_an_account_take_turns(world, harness):
    for _ in range(4):
        harness.endpoint(events=["call.answered"])
    for _ in range(6):
        answered(world)
    harness.stream()
    while world.scheduler.sent:
        harness.attempt(world.scheduler.sent.pop(0))
    first = Counter(headers["webhook-id"] for _, headers, _ in world.receiver.posted[:8])
    assert first.most_common(1)[0][1] == 4
    assert len(world.receiver.posted) == 24


def test_a_failed_try_keeps_its_place_for_a_second_if_others_wait(world, harness):
    harness.endpoint(events=["call.answered"])
    world.receiver.answers = [status(503)] * 3
    for _ in range(3):
        answered(world)
    harness.stream()
    assert len(running(world)) == 2
    began = world.clock()
    harness.attempt(world.scheduler.sent.pop(0))
    assert world.clock() - began >= 1000 * dispatch.FAILED_TRY_S
    assert len(running(world)) == 2  # the one that waited has its place now
    began = world.clock()
    harness.attempt(world.scheduler.sent.pop(0))
    assert world.clock() == began


def test_events_of_a_call_reach_an_endpoint_in_order(world, harness):
    harness.endpoint(events=["call.answered", "call.ended"])
    for _ in range(8):
        call = answered(world)
        world.clock.advance(0.001)
        settle(world.deps, call, Act.AGENT_HANGUP)
        harness.stream()
    while world.scheduler.sent:
        harness.attempt(world.scheduler.sent.pop(0))
    types = {}
    for _, headers, _ in world.receiver.posted:
        call, _, version = headers["webhook-id"].rpartition("_")
        types.setdefault(call, []).append(version)
    assert len(types) == 8
    assert all(versions == sorted(versions) for versions in types.values())


def test_a_retry_without_a_free_place_waits_and_is_not_counted(world, harness):
    endpoint, _ = harness.endpoint(events=["call.answered"])
    world.receiver.answers = [status(500)]
    answered(world)
    harness.stream()
    (late,) = running(world)
    harness.attempt(late)
    world.scheduler.sent.clear()
    for _ in range(3):
        answered(world)
    harness.stream()
    world.clock.advance(6)
    assert harness.attempt(late) == delivery_tries.GONE
    after = harness.reread(late)
    assert (after.attempts, after.run, after.state) == (1, 1, DeliveryState.PENDING)
    world.receiver.answers = [status(200)]
    while world.scheduler.sent:
        harness.attempt(world.scheduler.sent.pop(0))
    assert {each.state.value for each in harness.deliveries(endpoint)} == {"delivered"}


def test_places_of_lost_executions_expire_and_the_sweep_continues(world, harness):
    harness.endpoint(events=["call.answered"])
    for _ in range(4):
        answered(world)
    harness.stream()
    sweep.sweep_deliveries(world.deps)
    world.scheduler.sent.clear()  # the engine has died
    sweep.sweep_deliveries(world.deps)
    assert world.scheduler.sent == []
    world.clock.advance(301)
    sweep.sweep_deliveries(world.deps)
    while world.scheduler.sent:
        harness.attempt(world.scheduler.sent.pop(0))
    assert len(world.receiver.posted) == 4


def test_the_sweep_starts_waiting_deliveries_when_expired_places_are_free(world, harness):
    endpoint, _ = harness.endpoint(events=["call.answered"])
    for _ in range(4):
        answered(world)
    harness.stream()
    sweep.sweep_deliveries(world.deps)  # every event is handed out
    died = {each.delivery_id for each in world.scheduler.sent}
    world.scheduler.sent.clear()
    world.clock.advance(dispatch.LEASE_MS / 1000 + 1)  # long before anything is overdue
    sweep.sweep_deliveries(world.deps)
    started = {each.delivery_id for each in world.scheduler.sent}
    assert started == {each.delivery_id for each in harness.deliveries(endpoint)} - died
    assert len(started) == 2


def test_a_deleted_delivery_gives_its_place_to_a_waiting_one(world, harness):
    endpoint, _ = harness.endpoint(events=["call.answered"])
    for _ in range(3):
        answered(world)
    harness.stream()
    gone = world.scheduler.sent.pop(0)
    world.table.write(delete(f"ENDPOINT#{endpoint.endpoint_id}", f"DELIVERY#{gone.delivery_id}"))
    assert harness.attempt(gone) == delivery_tries.GONE
    assert len(running(world)) == 2


def test_a_waiting_delivery_is_not_treated_as_lost(world, harness):
    endpoint, _ = harness.endpoint(events=["call.answered"])
    for _ in range(5):
        answered(world)
    harness.stream()
    sweep.sweep_deliveries(world.deps)
    waits = [each for each in harness.deliveries(endpoint) if each not in running(world)]
    assert waits
    world.clock.advance(30)
    dispatch.hold(world.deps, running(world)[0])
    world.clock.advance(271)
    sweep.sweep_deliveries(world.deps)
    assert {harness.reread(each).revivals for each in waits} == {0}


def test_no_delivery_waits_and_no_place_is_held_when_all_are_delivered(world, harness):
    for _ in range(3):
        harness.endpoint()
    for _ in range(10):
        settle(world.deps, answered(world), Act.AGENT_HANGUP)
    harness.stream()
    while world.scheduler.sent:
        harness.attempt(world.scheduler.sent.pop(0))
    items = everything_in(world.table)
    assert [item for item in items if item["pk"].endswith("#WAITING")] == []
    assert [item["held"] for item in items if item["sk"].startswith("PLACES#TRIES")] == [{}, {}]
    assert len(world.receiver.posted) == 3 * 30


def test_a_delivery_is_not_lost_if_its_execution_cannot_be_started(world, harness, monkeypatch):
    endpoint, _ = harness.endpoint(events=["call.answered"])
    for _ in range(4):
        answered(world)
    harness.stream()
    first = world.scheduler.sent.pop(0)

    def throttled(_):
        raise RuntimeError("throttled")

    with monkeypatch.context() as patched:
        patched.setattr(world.scheduler, "send", throttled)
        with pytest.raises(RuntimeError):
            harness.attempt(first)
    harness.attempt(first)  # as the state machine does
    while world.scheduler.sent:
        harness.attempt(world.scheduler.sent.pop(0))
    assert {each.state.value for each in harness.deliveries(endpoint)} == {"delivered"}


def test_an_endpoint_at_its_share_does_not_delay_another_of_the_account(world, harness):
    harness.endpoint(events=["call.answered"])
    for _ in range(3):
        answered(world)
    harness.stream()
    assert len(world.scheduler.sent) == dispatch.share_of(AT_ONCE)  # and one more waits
    quick, _ = harness.endpoint(events=["call.ended"])
    calls = [answered(world) for _ in range(3)]
    world.scheduler.sent.clear()  # the slow endpoint does not answer
    for call in calls:
        world.clock.advance(0.001)
        settle(world.deps, call, Act.AGENT_HANGUP)
    harness.stream()
    started = [each.endpoint_id for each in world.scheduler.sent]
    assert started == [quick.endpoint_id] * (AT_ONCE - dispatch.share_of(AT_ONCE))
