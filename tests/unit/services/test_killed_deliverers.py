"""Nothing is lost when whoever delivers is killed between an event and its delivery, at whatever
step, and at whatever step of putting that right.

All that the deliverers do to the world goes through a handful of doors: the table's requests, the
start of an execution, the POST. Each is a place to die at, before it is through or just after.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest

from chalicelib.domain.delivery import DeliveryState
from chalicelib.services import sweep
from chalicelib.services.delivery import backlog
from tests.support.delivery_harness import DeliveryHarness
from tests.support.world import World, with_settings

KILLS = 100


class Killed(BaseException):
    """SIGKILL, as far as Python can have it: nothing that catches errors catches it."""


class Doors:
    """Counts the steps that are taken, and dies at the one it is told."""

    def __init__(self) -> None:
        self.steps, self.die_at, self.after = 0, None, False

    def through(self, act: Any) -> Any:
        def step(*args: Any, **kwargs: Any) -> Any:
            self.steps += 1
            dies = self.steps == self.die_at
            if dies and not self.after:
                raise Killed
            done = act(*args, **kwargs)
            if dies:
                raise Killed
            return done

        return step


@pytest.fixture(params=[40, 2], ids=["usual", "with places for two tries"])
def harness(empty_table, monkeypatch, request):
    world = World(empty_table)
    world.deps = with_settings(world.deps, tries_at_once=request.param)
    harness = DeliveryHarness(world)
    harness.doors = Doors()
    for owner, name in (
        (world.table, "get"),
        (world.table, "query"),
        (world.table, "write"),
        (world.scheduler, "send"),
        (world.receiver, "post"),
    ):
        monkeypatch.setattr(owner, name, harness.doors.through(getattr(owner, name)))
    return harness


def run(harness, act, die_at, after):
    """`act`, killed at a step. Whether it was (or was over before)."""
    harness.doors.steps, harness.doors.die_at, harness.doors.after = 0, die_at, after
    try:
        act()
    except Killed:
        return True
    finally:
        harness.doors.die_at = None
    return False


def steps_of(harness, act):
    harness.doors.steps = 0
    act()
    return harness.doors.steps


@pytest.mark.deep
def test_a_hundred_kills_between_event_and_delivery_lose_no_event(harness):
    world, chance = harness.world, random.Random(20261122)
    world.allow_many_calls()
    endpoints = [harness.endpoint(), harness.endpoint(url="https://second.test/")]
    longest = _measure(harness)
    events: set[str] = set()
    killed = 0
    while killed < KILLS:
        call = world.ringing()
        events.add(f"evt_{call.call_id.removeprefix('call_')}_001")
        for act in (harness.stream, lambda: _carry_once(harness), lambda: _sweep(harness)):
            killed += run(harness, act, chance.randint(1, longest), chance.random() < 0.5)
        # An engine that restarts knows nothing of its executions, nor of its stream.
        world.scheduler.sent.clear()
    world.clock.advance(3600)
    for _ in range(2):
        _sweep(harness)
        _carry_once(harness)

    arrived: Counter[tuple[str, str]] = Counter()
    for url, headers, body in world.receiver.posted:
        assert json.loads(body)["event_id"] == headers["webhook-id"]
        arrived[url, headers["webhook-id"]] += 1
    for endpoint, _ in endpoints:
        got = {event for url, event in arrived if url == endpoint.url}
        assert got >= events
        states = Counter(each.state for each in harness.deliveries(endpoint))
        assert states == {DeliveryState.DELIVERED: len(got)}
    # At least once, and seldom more: only who is killed between a POST and its note posts again.
    assert arrived.total() < 1.2 * len(arrived)


@pytest.mark.parametrize("after", [False, True])
def test_a_kill_at_any_single_step_loses_no_event(harness, after):
    """One kill at every step there is, one after the other; the stream never brings it again."""
    world = harness.world
    harness.endpoint()
    for step in range(1, 2 * _measure(harness)):
        posted = len(world.receiver.posted)
        world.ringing()

        def whole_way():
            harness.stream()
            _carry_once(harness)

        if not run(harness, whole_way, step, after):
            break
        world.scheduler.sent.clear()
        world.clock.advance(400)
        _sweep(harness)
        _carry_once(harness)
        assert 1 <= len(world.receiver.posted) - posted <= 2, step
    else:
        pytest.fail("it never came through")


def _carry_once(harness):
    """Every execution there is runs its task, once, and so does each that one of them starts."""
    while harness.world.scheduler.sent:
        sent, harness.world.scheduler.sent = harness.world.scheduler.sent, []
        for delivery in sent:
            harness.attempt(delivery)


def _sweep(harness):
    sweep.sweep_deliveries(harness.world.deps)


def _measure(harness):
    """Steps that one event takes through the longest of the acts."""
    harness.world.ringing()
    return max(
        steps_of(harness, act)
        for act in (harness.stream, lambda: _carry_once(harness), lambda: _sweep(harness))
    )


@pytest.mark.parametrize("harness", [40], indirect=True)
def test_a_kill_between_deliveries_and_their_position_makes_no_duplicates(harness):
    """Killed between deliveries and the note of them, the sweep makes none twice."""
    world = harness.world
    endpoint, _ = harness.endpoint()
    for _ in range(3):
        world.ringing()
    backlog.catch_up(world.deps)
    for _ in range(3):
        world.ringing()
    # The last step but one notes those that are done.
    noting = steps_of(harness, lambda: backlog.catch_up(world.deps)) - 1
    for _ in range(3):
        world.ringing()
    assert run(harness, lambda: backlog.catch_up(world.deps), noting, after=False)
    assert world.stores.endpoints.fanned_out(world.account_id) == 7
    backlog.catch_up(world.deps)
    assert world.stores.endpoints.fanned_out(world.account_id) == 10
    assert len(harness.deliveries(endpoint)) == 9
