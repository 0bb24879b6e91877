"""Tests of the placement of trunks on children, and of the bounds of calls on a child."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from gateway.legs.sip.child.handles import HANDLES
from gateway.legs.sip.child.pace import Pace

from gateway.legs.sip.bounds import CALLS_PER_CHILD, TRUNKS_PER_CHILD, CallPlaces, Placement

_AUDIO = 256
"""Calls that the binding has audio for."""


def test_a_childs_bounds_fit_into_the_librarys_tables():
    strangers = 2
    agents = strangers + TRUNKS_PER_CHILD + CALLS_PER_CHILD  # one left behind for each call
    assert agents + CALLS_PER_CHILD <= HANDLES
    assert CALLS_PER_CHILD < _AUDIO


def test_a_trunk_is_placed_on_the_emptiest_child_and_stays_there():
    placement = Placement(3)
    assert [placement.place(f"t{n}") for n in range(4)] == [0, 1, 2, 0]
    assert placement.remove("t1") == 1
    assert [placement.place(f"t{n}") for n in (0, 2, 3)] == [0, 2, 0]
    assert placement.place("t4") == 1
    assert placement.trunks_on(0) == ["t0", "t3"]


def test_no_trunk_is_placed_beyond_the_last_place_until_one_is_removed():
    placement = Placement(2, trunks_each=2)
    assert [placement.place(f"t{n}") for n in range(5)] == [0, 1, 0, 1, None]
    assert placement.child_of("t4") is None
    placement.remove("t3")
    assert placement.place("t4") == 1


def test_calls_of_a_trunk_are_bounded():
    places = CallPlaces(per_trunk=100)
    assert sum(places.take(0, "loud") for _ in range(1000)) == 100
    places.give_back(0, "loud")
    assert places.take(0, "loud")
    assert not places.take(0, "loud")


@pytest.mark.parametrize("trunks", [1, 4, 20, 100])
def test_a_further_trunk_always_finds_room_for_a_call(trunks):
    places = CallPlaces(per_trunk=100)
    taken = sum(places.take(0, f"loud{n % trunks}") for n in range(1000 * trunks))
    assert taken < CALLS_PER_CHILD
    assert places.take(0, "quiet")
    assert places.take(1, "loud0")  # another child is another matter


def test_calls_without_a_trunk_leave_places_for_trunks():
    places = CallPlaces(per_trunk=100)
    taken = sum(places.take(0, None) for _ in range(1000))
    assert taken < CALLS_PER_CHILD
    assert sum(places.take(0, "quiet") for _ in range(20)) == 20


def test_a_full_child_takes_no_call():
    places = CallPlaces(per_trunk=CALLS_PER_CHILD)
    taken = sum(places.take(0, f"t{n}") for n in range(1000))
    assert taken == CALLS_PER_CHILD
    places.give_back(0, "t0")
    assert places.take(0, "late")


async def test_turns_are_spaced_and_a_cancelled_waiter_uses_none():
    pace = Pace(per_second=50)
    loop = asyncio.get_running_loop()
    began, times = loop.time(), []

    async def waits():
        await pace.turn()
        times.append(loop.time() - began)

    waiting = [asyncio.create_task(waits()) for _ in range(30)]
    await asyncio.sleep(0)
    for task in waiting[5:25]:
        task.cancel()
    await asyncio.wait(waiting)
    assert len(times) == 10
    assert times[-1] >= 9 / 50
    assert all(later - earlier > 0.015 for earlier, later in itertools.pairwise(times))
