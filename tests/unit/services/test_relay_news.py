"""Tests that a relay is told at once that a call has ended, if nothing else tells it."""

from __future__ import annotations

import pytest

from chalicelib.providers.base import RemoteStatus
from chalicelib.services.call import call_control, inbound
from chalicelib.services.sweep import sweep
from tests.support.relay_door import OWNER_URL, talking, with_door
from tests.support.world import World


@pytest.fixture
def world(table):
    return World(table)


@pytest.fixture
def door(world):
    return with_door(world)


@pytest.fixture
def call(world, door):
    return talking(world)


def test_a_relay_is_told_at_once_that_its_call_was_left(world, door, call):
    call_control.leave(world.deps, world.account_id, call.call_id)
    (news,) = door.asked
    assert (news["method"], news["owner"]) == ("changed", OWNER_URL)
    assert news["params"]["call"]["state"] == "ended"
    assert news["params"]["agent"] is None
    assert door.timeouts == [1.0]


def test_an_own_call_that_was_left_is_told_too_and_one_without_a_stream_is_not(world, door):
    own = talking(world, "own")
    call_control.leave(world.deps, world.account_id, own.call_id)
    assert door.methods == ["changed"]
    call_control.leave(world.deps, world.account_id, world.ringing().call_id)
    assert door.methods == ["changed"]


def test_a_relay_that_does_not_answer_is_not_told_again_for_some_seconds(world, door):
    calls = [talking(world) for _ in range(3)]
    door.down = True
    for call in calls[:2]:
        call_control.leave(world.deps, world.account_id, call.call_id)
        assert world.reread(call).state.final
    assert len(door.timeouts) == 1
    door.down = False
    world.clock.advance(11)
    call_control.leave(world.deps, world.account_id, calls[2].call_id)
    assert door.methods == ["changed"]


def test_no_webhook_waits_for_a_relay(world, door, call):
    inbound.caller_gone(
        world.deps,
        inbound.Incoming("gateway", call.provider_call_id, call.from_, call.to),
        failed=False,
    )
    assert world.reread(call).state.final
    assert door.asked == []


def test_a_call_that_the_sweep_ends_is_told_to_its_relay(world, door, call):
    world.provider.remote = RemoteStatus.OVER
    sweep(world.deps)
    assert world.reread(call).state.final
    assert call.call_id in {each["path"].rpartition("/")[2] for each in door.asked}
