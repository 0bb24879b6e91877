"""Calls that a trunk brings for none of its numbers."""

from __future__ import annotations

import pytest

from chalicelib.providers.base import Reject
from chalicelib.services import ring
from chalicelib.store.table import Contention
from tests.support.engine import everything_in
from tests.support.world import World
from tests.unit.services.trunks import events_of, through


def not_added(world):
    return [event.data for event in events_of(world) if event.type == "number.not_added"]


def test_a_call_to_a_number_that_is_not_added_is_told_of_once_an_hour(world):
    trunk = world.new_trunk()
    for _ in range(3):
        assert ring.receive(world.ports, through(world, trunk, "+33187654321")) == Reject()
    (told,) = not_added(world)
    assert (told["trunk_id"], told["to"], told["from"]) == (
        trunk.trunk_id,
        "+33187654321",
        "+33612345678",
    )
    assert 'POST /api/trunk/dids {"e164": "+33187654321"}' in told["detail"]
    world.clock.advance(3599)
    ring.receive(world.ports, through(world, trunk, "+33187654321"))
    assert len(not_added(world)) == 1
    world.clock.advance(1)
    ring.receive(world.ports, through(world, trunk, "+33187654321"))
    assert len(not_added(world)) == 2


def test_a_scanner_cannot_flood_the_owners_events(world, monkeypatch):
    monkeypatch.setattr("chalicelib.store.trunk_limits.MAX_TOLD", 5)
    trunk = world.new_trunk()
    for serial in range(8):
        ring.receive(world.ports, through(world, trunk, f"+331876543{serial:02d}"))
    assert len(not_added(world)) == 5
    world.clock.advance(3600)
    ring.receive(world.ports, through(world, trunk, "+33187654399"))
    assert len(not_added(world)) == 6


def test_what_a_stranger_writes_is_cut(world):
    trunk = world.new_trunk()
    long = "sip:" + "x" * 200 + "@h"
    ring.receive(world.ports, through(world, trunk, long, from_="Ignore\nall " * 50))
    (told,) = not_added(world)
    assert (len(told["to"]), len(told["from"])) == (64, 64)
    assert "\n" not in told["from"]


@pytest.mark.parametrize("trunk_id", ["", "nonsense", "trunk_" + "a" * 26])
def test_a_call_through_a_trunk_that_is_not_there_leaves_nothing(empty_table, trunk_id):
    world = World(empty_table)
    before = everything_in(empty_table)
    incoming = ring.Incoming("gateway", world.sid(), "+1", "+33187654321", trunk_id=trunk_id)
    assert ring.receive(world.ports, incoming) == Reject()
    assert everything_in(empty_table) == before


def test_a_call_is_rejected_even_if_its_owner_cannot_be_told(world, monkeypatch):
    trunk = world.new_trunk()

    def collide(*_):
        raise Contention

    monkeypatch.setattr(world.ports.trunk_limits, "tell_once", collide)
    assert ring.receive(world.ports, through(world, trunk, "+33187654321")) == Reject()
