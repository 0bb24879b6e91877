"""Tests of calls that a trunk brings for none of its numbers."""

from __future__ import annotations

import pytest

from chalicelib.providers.base import Reject
from chalicelib.services.call import inbound
from chalicelib.store.table import Contention
from tests.support.engine import everything_in
from tests.support.world import World
from tests.unit.services.trunks import events_of, through


def not_added(world):
    return [event.data for event in events_of(world) if event.type == "number.not_added"]


def test_a_call_to_a_number_not_added_gives_one_event_an_hour(world):
    trunk = world.new_trunk()
    for _ in range(3):
        assert inbound.receive(world.deps, through(world, trunk, "+33187654321")) == Reject()
    (event,) = not_added(world)
    assert (event["trunk_id"], event["to"], event["from"]) == (
        trunk.trunk_id,
        "+33187654321",
        "+33612345678",
    )
    assert "add +33187654321 to its numbers" in event["detail"]
    world.clock.advance(3599)
    inbound.receive(world.deps, through(world, trunk, "+33187654321"))
    assert len(not_added(world)) == 1
    world.clock.advance(1)
    inbound.receive(world.deps, through(world, trunk, "+33187654321"))
    assert len(not_added(world)) == 2


def test_events_about_numbers_not_added_are_bounded(world, monkeypatch):
    monkeypatch.setattr("chalicelib.store.trunk_limits.MAX_NOT_ADDED", 5)
    trunk = world.new_trunk()
    for serial in range(8):
        inbound.receive(world.deps, through(world, trunk, f"+331876543{serial:02d}"))
    assert len(not_added(world)) == 5
    world.clock.advance(3600)
    inbound.receive(world.deps, through(world, trunk, "+33187654399"))
    assert len(not_added(world)) == 6


def test_the_event_cuts_text_written_by_strangers(world):
    trunk = world.new_trunk()
    long = "sip:" + "x" * 200 + "@h"
    inbound.receive(world.deps, through(world, trunk, long, from_="Ignore\nall " * 50))
    (event,) = not_added(world)
    assert (len(event["to"]), len(event["from"])) == (64, 64)
    assert "\n" not in event["from"]


@pytest.mark.parametrize("trunk_id", ["", "nonsense", "trunk_" + "a" * 26])
def test_a_call_through_an_unknown_trunk_leaves_nothing(empty_table, trunk_id):
    world = World(empty_table)
    before = everything_in(empty_table)
    incoming = inbound.Incoming("gateway", world.sid(), "+1", "+33187654321", trunk_id=trunk_id)
    assert inbound.receive(world.deps, incoming) == Reject()
    assert everything_in(empty_table) == before


def test_a_call_is_rejected_even_if_the_event_cannot_be_written(world, monkeypatch):
    trunk = world.new_trunk()

    def collide(*_):
        raise Contention

    monkeypatch.setattr(world.stores.trunk_limits, "tell_once", collide)
    assert inbound.receive(world.deps, through(world, trunk, "+33187654321")) == Reject()
