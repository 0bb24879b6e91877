"""Tests of the way from events to deliveries: one for each endpoint that wants it, even if the
stream loses the event.
"""

from __future__ import annotations

import json

import pytest

from chalicelib.domain.call_transitions import Act
from chalicelib.domain.endpoint import EndpointChanges
from chalicelib.handlers import tasks
from chalicelib.services import sweep
from chalicelib.services.call.transition import settle
from chalicelib.services.delivery import backlog, endpoints
from tests.support.delivery_harness import record
from tests.support.engine import ROOT


def types(harness, endpoint):
    return [delivery.type.value for delivery in harness.deliveries(endpoint)]


def test_each_endpoint_gets_the_events_of_its_patterns(world, harness):
    everything, _ = harness.endpoint()
    answers, _ = harness.endpoint(events=["call.answered", "trunk.*"])
    stranger, _ = world.new_account()
    theirs, _ = harness.endpoint(stranger)
    call = world.ringing()
    world.clock.advance(1)
    settle(world.deps, call, Act.ANSWER)
    assert harness.stream() == []
    assert sorted(types(harness, everything), reverse=True) == ["call.ringing", "call.answered"]
    assert types(harness, answers) == ["call.answered"]
    assert types(harness, theirs) == []
    assert len(world.scheduler.sent) == 3


def test_an_event_read_twice_from_the_stream_is_delivered_once(world, harness):
    endpoint, _ = harness.endpoint()
    world.ringing()
    for _ in range(3):
        harness._streamed.clear()
        harness.stream()
    harness.run_executions()
    assert types(harness, endpoint) == ["call.ringing"]
    assert len(world.receiver.posted) == 1
    harness._streamed.clear()
    harness.stream()
    assert world.scheduler.sent == []


def test_events_before_creation_or_while_disabled_are_not_delivered(world, harness):
    world.clock.advance(1)
    world.ringing()
    world.clock.advance(1)
    endpoint, _ = harness.endpoint()
    change = {"account_id": world.account_id, "endpoint_id": endpoint.endpoint_id}
    endpoints.change(world.deps, **change, wanted=EndpointChanges(enabled=False))
    world.ringing()
    world.clock.advance(1)
    endpoints.change(world.deps, **change, wanted=EndpointChanges(enabled=True))
    harness.stream()
    sweep.sweep_deliveries(world.deps)
    assert types(harness, endpoint) == []


def test_the_sweep_delivers_events_lost_by_the_stream_once(world, harness):
    world.allow_many_calls()
    endpoint, _ = harness.endpoint()
    calls = [world.ringing() for _ in range(5)]
    harness.stream()
    calls += [world.ringing() for _ in range(150)]
    assert sweep.sweep_deliveries(world.deps)["made"] == 150
    assert {each.event_id for each in harness.deliveries(endpoint)} == {
        f"evt_{call.call_id.removeprefix('call_')}_001" for call in calls
    }
    assert sweep.sweep_deliveries(world.deps) == {}


def test_the_sweep_continues_where_it_stopped(world, harness, monkeypatch):
    harness.endpoint()
    for _ in range(3):
        world.ringing()
    sweep.sweep_deliveries(world.deps)
    places = []
    after = world.stores.events.after

    def noting(account_id, place, limit):
        if account_id == world.account_id:
            places.append(place)
        return after(account_id, place, limit)

    monkeypatch.setattr(world.stores.events, "after", noting)
    sweep.sweep_deliveries(world.deps)
    assert places == []
    world.ringing()
    sweep.sweep_deliveries(world.deps)
    assert places == [4]


def test_a_restored_table_is_swept_from_its_first_event(world, harness):
    endpoint, _ = harness.endpoint()
    world.stores.endpoints.note_fanned_out(world.account_id, 999)
    world.ringing()
    sweep.sweep_deliveries(world.deps)
    assert types(harness, endpoint) == ["call.ringing"]


def test_one_account_that_cannot_be_swept_does_not_stop_the_others(world, harness, monkeypatch):
    harness.endpoint()
    stranger, _ = world.new_account()
    theirs, _ = harness.endpoint(stranger)
    world.ringing(world.new_number(stranger))
    read = world.stores.endpoints.of_account

    def failing(account_id):
        if account_id == world.account_id:
            raise RuntimeError("no")
        return read(account_id)

    monkeypatch.setattr(world.stores.endpoints, "of_account", failing)
    backlog.catch_up(world.deps)
    assert set(types(harness, theirs)) == {"number.activated", "call.ringing"}


@pytest.fixture
def handler(world, monkeypatch):
    """The stream's function on this world."""
    monkeypatch.setattr("chalicelib.bootstrap.dependencies", lambda: world.deps)
    return lambda records: tasks.fan_out_events({"Records": records}, None)


def test_a_poisoned_record_does_not_block_those_after_it(world, harness, handler):
    endpoint, _ = harness.endpoint()
    world.ringing()
    good = harness.outbox()[-1]
    poisons = [
        {**good, "event": '{"type": "nonsense"}'},
        {k: v for k, v in good.items() if k != "event"},
    ]
    records = [record(world, item, n) for n, item in enumerate([*poisons, good])]
    assert handler(records) == {"batchItemFailures": []}
    assert types(harness, endpoint) == ["call.ringing"]


def test_a_failed_record_is_reported_and_those_after_it_handled(
    world, harness, handler, monkeypatch
):
    endpoint, _ = harness.endpoint()
    for _ in range(3):
        world.clock.advance(1)
        world.ringing()
    records = [record(world, item, n) for n, item in enumerate(harness.outbox()[-3:])]
    send, sent = world.scheduler.send, []

    def throttled(delivery):
        sent.append(delivery)
        if len(sent) == 2:
            raise RuntimeError("throttled")
        send(delivery)

    monkeypatch.setattr(world.scheduler, "send", throttled)
    failed = handler(records)
    assert failed == {"batchItemFailures": [{"itemIdentifier": f"{1:021d}"}]}
    assert handler(records[1:]) == {"batchItemFailures": []}
    harness.run_executions()
    assert len(world.receiver.posted) == 3
    assert len(harness.deliveries(endpoint)) == 3


def test_the_mappings_filter_passes_outbox_inserts_only(world, harness):
    """By ministack's own matcher, which has the semantics of Lambda's event filters."""
    from ministack.services.lambda_svc import _apply_filter_criteria

    mapping = json.loads((ROOT / "infra" / "fan_out_events.json").read_text())
    world.ringing()
    outbox = harness.outbox()[-1]
    world.events()
    numbered = world.table.query(f"ACCOUNT#{world.account_id}#EVENTS")[0][-1]
    call = world.table.query(f"CALL#{numbered['call_id']}")[0][0]
    records = [record(world, item) for item in (outbox, numbered, call)]
    records.append({**records[0], "eventName": "REMOVE"})
    records.append({**records[0], "eventName": "MODIFY"})
    assert _apply_filter_criteria(records, mapping) == records[:1]
