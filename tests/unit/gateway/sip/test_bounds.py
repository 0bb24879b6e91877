"""Tests of the bounds of calls, and of the pace of registrations."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from gateway.legs.sip import bounds
from gateway.legs.sip.bounds import MAX_CALLS, MAX_STRANGERS, CallPlaces
from gateway.legs.sip.pace import Pace
from local.sip_phone import CallFailed
from tests.unit.gateway.sip.conftest import called, sip_legs


def test_calls_of_a_trunk_are_bounded():
    places = CallPlaces(per_trunk=100)
    assert sum(places.take("loud") for _ in range(1000)) == 100
    places.give_back("loud")
    assert places.take("loud")
    assert not places.take("loud")


@pytest.mark.parametrize("trunks", [1, 4, 20, 100])
def test_a_further_trunk_always_finds_room_for_a_call(trunks):
    places = CallPlaces(per_trunk=100)
    taken = sum(places.take(f"loud{n % trunks}") for n in range(1000 * trunks))
    assert taken < MAX_CALLS
    assert places.take("quiet")


def test_calls_without_a_trunk_leave_places_for_trunks():
    places = CallPlaces(per_trunk=100)
    assert sum(places.take(None) for _ in range(1000)) == MAX_STRANGERS
    assert sum(places.take("quiet") for _ in range(20)) == 20


def test_a_full_gateway_takes_no_call():
    places = CallPlaces(per_trunk=MAX_CALLS)
    taken = sum(places.take(f"t{n}") for n in range(1000))
    assert taken == MAX_CALLS
    assert not places.take("late")
    assert not places.take(None)
    places.give_back("t0")
    assert places.take("late")


async def test_a_call_beyond_the_places_is_refused_busy_until_one_is_given_back(
    legs, phone, monkeypatch
):
    monkeypatch.setattr(bounds, "MAX_STRANGERS", 1)
    talking, _, call = await called(legs, phone)
    with pytest.raises(CallFailed, match=r"^486 "):
        await phone.dial(legs.uri)
    assert legs.exchange.admitted.empty()
    await talking.hang_up()
    await call.hears("on_hangup")
    await called(legs, phone)


async def test_a_call_that_is_refused_for_its_audio_gives_its_place_back(legs, phone, monkeypatch):
    monkeypatch.setattr(bounds, "MAX_STRANGERS", 1)
    with monkeypatch.context() as patch:
        patch.setattr("gateway.sip.session.call_media.serialise", lambda _: b"v=0\r\n")
        talking = phone.start(legs.uri)
    with pytest.raises(CallFailed, match=r"^(400|488) "):
        await talking.wait_up()
    await called(legs, phone)


async def test_an_edge_s_strangers_get_no_audio(phone):
    """Who comes through the edge from nowhere is refused by the exchange: no port is held."""
    async with sip_legs(sip_edge="127.0.0.1:9") as legs:
        phone.start(legs.uri)
        _, _, facts = await legs.exchange.next()
        assert facts["standing"] == "stranger"
        assert len(legs.stack.plane) == 0


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
