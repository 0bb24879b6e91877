"""From events to deliveries: each once, to whoever wants it, whatever the stream loses."""

from __future__ import annotations

import json

import pytest

from chalicelib.domain.call_moves import Act
from chalicelib.domain.endpoint import EndpointChanges
from chalicelib.handlers import tasks
from chalicelib.services import endpoints, fan_out, sweep
from chalicelib.services.transition import settle
from tests.support.engine import ROOT
from tests.support.post_office import PostOffice, record
from tests.support.world import World


@pytest.fixture
def world(empty_table):
    """Alone in its table: the sweep sees all accounts."""
    return World(empty_table)


@pytest.fixture
def office(world):
    return PostOffice(world)


def types(office, endpoint):
    return [delivery.type.value for delivery in office.deliveries(endpoint)]


def test_each_endpoint_gets_what_it_wants(world, office):
    everything, _ = office.endpoint()
    answers, _ = office.endpoint(events=["call.answered", "trunk.*"])
    stranger, _ = world.new_account()
    theirs, _ = office.endpoint(stranger)
    call = world.ringing()
    world.clock.advance(1)
    settle(world.ports, call, Act.ANSWER)
    assert office.stream() == []
    assert sorted(types(office, everything), reverse=True) == ["call.ringing", "call.answered"]
    assert types(office, answers) == ["call.answered"]
    assert types(office, theirs) == []
    assert len(world.courier.sent) == 3


def test_what_the_stream_brings_twice_is_delivered_once(world, office):
    endpoint, _ = office.endpoint()
    world.ringing()
    for _ in range(3):
        office._streamed.clear()
        office.stream()
    office.carry()
    assert types(office, endpoint) == ["call.ringing"]
    assert len(world.receiver.posted) == 1
    office._streamed.clear()
    office.stream()
    assert world.courier.sent == []


def test_what_happened_before_or_while_it_was_disabled_is_not_sent(world, office):
    world.clock.advance(1)
    world.ringing()
    world.clock.advance(1)
    endpoint, _ = office.endpoint()
    change = {"account_id": world.account_id, "endpoint_id": endpoint.endpoint_id}
    endpoints.change(world.ports, **change, wish=EndpointChanges(enabled=False))
    world.ringing()
    world.clock.advance(1)
    endpoints.change(world.ports, **change, wish=EndpointChanges(enabled=True))
    office.stream()
    sweep.sweep_deliveries(world.ports)
    assert types(office, endpoint) == []


def test_what_the_stream_lost_the_sweep_finds_once(world, office):
    endpoint, _ = office.endpoint()
    calls = [world.ringing() for _ in range(5)]
    office.stream()
    calls += [world.ringing() for _ in range(150)]
    assert sweep.sweep_deliveries(world.ports)["made"] == 150
    assert {each.event_id for each in office.deliveries(endpoint)} == {
        f"evt_{call.call_id.removeprefix('call_')}_001" for call in calls
    }
    assert sweep.sweep_deliveries(world.ports) == {}


def test_the_sweep_reads_on_where_it_stopped(world, office, monkeypatch):
    office.endpoint()
    for _ in range(3):
        world.ringing()
    sweep.sweep_deliveries(world.ports)
    asked = []
    after = world.ports.events.after

    def noting(account_id, place, limit):
        if account_id == world.account_id:
            asked.append(place)
        return after(account_id, place, limit)

    monkeypatch.setattr(world.ports.events, "after", noting)
    sweep.sweep_deliveries(world.ports)
    assert asked == [4]


def test_a_table_that_was_restored_is_swept_from_its_beginning(world, office):
    endpoint, _ = office.endpoint()
    world.ports.endpoints.note_fanned_out(world.account_id, 999)
    world.ringing()
    sweep.sweep_deliveries(world.ports)
    assert types(office, endpoint) == ["call.ringing"]


def test_one_account_that_cannot_be_swept_does_not_keep_the_others_from_it(
    world, office, monkeypatch
):
    office.endpoint()
    stranger, _ = world.new_account()
    theirs, _ = office.endpoint(stranger)
    world.ringing(world.new_number(stranger))
    read = world.ports.endpoints.of_account

    def failing(account_id):
        if account_id == world.account_id:
            raise RuntimeError("no")
        return read(account_id)

    monkeypatch.setattr(world.ports.endpoints, "of_account", failing)
    fan_out.catch_up(world.ports)
    assert set(types(office, theirs)) == {"number.activated", "call.ringing"}


@pytest.fixture
def handler(world, monkeypatch):
    """The stream's function on this world."""
    monkeypatch.setattr("chalicelib.bootstrap.ports", lambda: world.ports)
    return lambda records: tasks.fan_out_events({"Records": records}, None)


def test_a_poisoned_record_does_not_hold_up_those_behind_it(world, office, handler):
    endpoint, _ = office.endpoint()
    world.ringing()
    good = office.outbox()[-1]
    poisons = [
        {**good, "event": '{"type": "nonsense"}'},
        {k: v for k, v in good.items() if k != "event"},
    ]
    records = [record(world, item, n) for n, item in enumerate([*poisons, good])]
    assert handler(records) == {"batchItemFailures": []}
    assert types(office, endpoint) == ["call.ringing"]


def test_a_record_that_failed_is_named_and_those_behind_it_are_done(
    world, office, handler, monkeypatch
):
    endpoint, _ = office.endpoint()
    for _ in range(3):
        world.clock.advance(1)
        world.ringing()
    records = [record(world, item, n) for n, item in enumerate(office.outbox()[-3:])]
    send, sent = world.courier.send, []

    def throttled(delivery):
        sent.append(delivery)
        if len(sent) == 2:
            raise RuntimeError("throttled")
        send(delivery)

    monkeypatch.setattr(world.courier, "send", throttled)
    failed = handler(records)
    assert failed == {"batchItemFailures": [{"itemIdentifier": f"{1:021d}"}]}
    assert handler(records[1:]) == {"batchItemFailures": []}
    office.carry()
    assert len(world.receiver.posted) == 3
    assert len(office.deliveries(endpoint)) == 3


def test_the_mapping_lets_through_what_is_put_into_an_outbox_alone(world, office):
    """By ministack's own matcher, which has the semantics of Lambda's event filters."""
    from ministack.services.lambda_svc import _apply_filter_criteria

    mapping = json.loads((ROOT / "infra" / "fan_out_events.json").read_text())
    world.ringing()
    outbox = office.outbox()[-1]
    world.events()
    numbered = world.table.query(f"ACCOUNT#{world.account_id}#EVENTS")[0][-1]
    call = world.table.query(f"CALL#{numbered['call_id']}")[0][0]
    records = [record(world, item) for item in (outbox, numbered, call)]
    records.append({**records[0], "eventName": "REMOVE"})
    records.append({**records[0], "eventName": "MODIFY"})
    assert _apply_filter_criteria(records, mapping) == records[:1]
