"""Tests that a batch of events is shared out between its accounts: one with many delays no
other.
"""

from __future__ import annotations

import pytest

from chalicelib.services import sweep
from chalicelib.services.delivery import backlog, dispatch, fan_out
from tests.support.delivery_harness import status
from tests.support.world import with_settings
from tests.unit.services.fan_out.calls import CALLS, finish_call, posted_ids, run_attempts


def test_call_ringing_is_delivered_before_another_accounts_events(world, harness, other):
    for _ in range(10):
        harness.endpoint()
    for _ in range(CALLS):
        finish_call(world)
    account_id, number = other
    call = world.ringing(number)
    harness.stream(account_id)
    place = [each.account_id for each in world.scheduler.sent].index(account_id)
    assert place <= 10  # one event of the other account may come first
    assert world.scheduler.sent[place].event_id == f"evt_{call.call_id.removeprefix('call_')}_001"


def test_accounts_take_turns(world, harness, other):
    harness.endpoint()
    account_id, number = other
    for _ in range(3):
        finish_call(world)
    for _ in range(3):
        finish_call(world, number)
    harness.stream(account_id)
    owners = [each.account_id for each in world.scheduler.sent]
    assert owners == [world.account_id, account_id] * 9


@pytest.mark.deep
def test_deliveries_of_one_account_in_a_batch_are_bounded(world, harness, other, monkeypatch):
    world.deps = with_settings(world.deps, tries_at_once=1000)
    endpoint, _ = harness.endpoint()
    account_id, number = other
    calls = [finish_call(world) for _ in range(CALLS)]
    finish_call(world, number)
    monkeypatch.setattr(dispatch, "go_on", lambda *_: False)
    harness.stream(account_id)
    assert len(harness.deliveries(endpoint)) == fan_out.INLINE
    monkeypatch.undo()
    run_attempts(world, harness)
    of_call = {f"evt_{each.removeprefix('call_')}_{n:03d}" for each in calls for n in (1, 2, 3)}
    assert of_call <= set(posted_ids(world))
    assert len(posted_ids(world)) == len(set(posted_ids(world))) == 3 * CALLS + 3


def test_an_endpoint_too_far_behind_gets_no_more_deliveries_and_the_others_do(world, harness):
    """One endpoint never answers in time: it holds its share of places, and its tries never end."""
    dead, _ = harness.endpoint(url="https://dead.test/", events=["call.ended"])
    quick, _ = harness.endpoint(events=["call.ended"])
    world.deps = with_settings(world.deps, tries_at_once=4)
    held, made = [], 0
    for _ in range(30):
        finish_call(world)
        harness.stream()
        made += 1
        for each in list(world.scheduler.sent):
            world.scheduler.sent.remove(each)
            if each.endpoint_id == dead.endpoint_id:
                held.append(each)
            else:
                harness.attempt(each)
        world.clock.advance(50)
        for each in held:  # its lease is kept while it runs
            dispatch.hold(world.deps, each)
    states = [each.state.value for each in harness.deliveries(dead)]
    assert {each.state.value for each in harness.deliveries(quick)} == {"delivered"}
    assert len(harness.deliveries(quick)) == len(states) == made
    assert states.count("failed") > 10
    assert states.count("pending") <= 600 / 50 + 4
    assert harness.deliveries(dead)[-1].error.startswith("too_many_waiting: ")


def test_retries_of_old_deliveries_do_not_count_as_being_behind(world, harness):
    """A delivery that waits for a place waits since its try was due, not since it was made."""
    world.deps = with_settings(world.deps, tries_at_once=2)
    endpoint, _ = harness.endpoint(events=["call.ended"])
    world.receiver.answers = [status(500)]
    for _ in range(4):
        finish_call(world)
    harness.stream()
    again = list(world.scheduler.sent)
    run_attempts(world, harness)
    again = [harness.reread(each) for each in harness.deliveries(endpoint)]
    for _ in range(2):  # 5 s and 5 min after the first try
        world.clock.ms = max(each.next_at for each in again)
        for each in again:
            harness.attempt(each)
        run_attempts(world, harness)
        again = [harness.reread(each) for each in again]
    world.receiver.answers = [status(200)]
    world.clock.ms = max(each.next_at for each in again)  # half an hour after the second
    places = dispatch.Places(world.account_id, "TRIES_OTHER", 2)
    busy = [f"{endpoint.endpoint_id}.busy", "another.busy"]
    for each in busy:
        world.stores.places.take(places, each, world.clock.ms, world.clock.ms + 60_000)
    for each in again:
        harness.attempt(each)
    assert world.stores.waiting.oldest(world.account_id, again[0].kind, endpoint.endpoint_id)
    call = finish_call(world)
    harness.stream()
    for each in busy:
        world.stores.places.give_back(places, each)
    dispatch.go_on(world.deps, world.account_id)
    run_attempts(world, harness)
    assert {each.state.value for each in harness.deliveries(endpoint)} == {"delivered"}
    assert posted_ids(world)[-1] == f"evt_{call.removeprefix('call_')}_003"


@pytest.fixture
def looked_at(world, monkeypatch):
    """The accounts whose events the sweep looks at, in order."""
    deliver_to, seen = backlog.deliver_to, []

    def noting(deps, event, *more):
        seen.append(event.account_id)
        return deliver_to(deps, event, *more)

    monkeypatch.setattr(backlog, "PAGE", 5)
    monkeypatch.setattr(backlog, "deliver_to", noting)
    return seen


def test_the_sweep_reads_one_page_of_each_account_in_turn(world, harness, other, looked_at):
    harness.endpoint()
    account_id, number = other
    for _ in range(CALLS):
        finish_call(world)
    finish_call(world, number)
    sweep.sweep_deliveries(world.deps)
    assert looked_at.index(account_id) <= backlog.PAGE
    assert looked_at.count(world.account_id) >= 3 * CALLS


def test_a_sweep_that_runs_out_of_time_continues_at_the_next(
    world, harness, looked_at, monkeypatch
):
    endpoint, _ = harness.endpoint()
    calls = [finish_call(world) for _ in range(10)]
    create = world.stores.deliveries.create

    def slow(delivery):
        world.clock.advance(0.1)
        return create(delivery)

    monkeypatch.setattr(world.stores.deliveries, "create", slow)
    runs = 0
    while len(harness.deliveries(endpoint)) < 3 * len(calls):
        before, began = len(looked_at), world.clock.ms
        sweep.sweep_deliveries(world.deps, until=world.clock.ms + 600)
        assert world.clock.ms - began <= 600 + 100 * backlog.PAGE
        assert 0 < len(looked_at) - before <= 2 * backlog.PAGE
        runs += 1
    assert runs >= 3
    assert len(looked_at) <= 3 * len(calls) + 10, "it does not begin anew"
