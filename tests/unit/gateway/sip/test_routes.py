"""Tests of calls with several routes: by which trunk the INVITE goes, and when by another."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from gateway.calls.leg import Release, Route
from gateway.legs.sip import sip_legs as sip_legs_module
from tests.sip.peers.registrar import Registrar, rings
from tests.unit.gateway.sip.conftest import (
    TRUNK_A,
    TRUNK_B,
    WITHIN_S,
    applied,
    dialled,
    trunk,
)

GIVEN_UP = Release("canceled", 487, "")
BOTH = (Route(TRUNK_A, "0199001234", "0199005678"), Route(TRUNK_B, "+33199001234", "+33199005678"))


@pytest.fixture(autouse=True)
async def registrars():
    """Two carriers, which outlive the gateway: it tells them that it goes."""
    async with Registrar(rings) as first, Registrar(rings) as second:
        yield first, second


@pytest.fixture
async def carriers(registrars, legs):
    """The carriers of two trunks that are registered; both let calls ring."""
    first, second = registrars
    await applied(legs, trunk(TRUNK_A, first.port), until="registered")
    await applied(legs, trunk(TRUNK_B, second.port), until="registered")
    return registrars


@pytest.fixture
def soon(monkeypatch):
    """A carrier that says nothing is given up soon."""
    monkeypatch.setattr(sip_legs_module, "HEARD_WITHIN", 0.1)


def routed(legs, routes=BOTH):
    return dialled(legs, routes[0].trunk_id, routes=routes)


def never(_invite):
    """No answer."""


async def test_a_call_stays_with_its_first_route_if_it_rings(legs, carriers):
    first, second = carriers
    leg, call = routed(legs)
    await call.hears("on_ringing")
    assert call.names == ["on_ringing"]
    assert first.invites[0].first.startswith("INVITE sip:0199001234@")
    assert "<sip:0199005678@" in first.invites[0].get("from")
    assert not second.invites
    leg.hangup(GIVEN_UP)


@pytest.mark.parametrize("answer", ["503 Service Unavailable", "500 Oops", "408 Request Timeout"])
async def test_a_call_goes_on_to_the_second_trunk_if_the_first_cannot_place_it(
    legs, carriers, answer
):
    first, second = carriers
    first.answer = lambda _: answer
    leg, call = routed(legs)
    await call.hears("on_ringing")
    assert call.names == ["on_trunk", "on_ringing"]
    assert call.events[0] == ("on_trunk", TRUNK_B)
    assert second.invites[0].first.startswith("INVITE sip:+33199001234@")
    assert "<sip:+33199005678@" in second.invites[0].get("from")
    assert list(legs._placed.values()) == [TRUNK_B]
    leg.hangup(GIVEN_UP)
    await second.until(lambda: second.requests["CANCEL"])
    assert not legs._placed
    assert len(legs.stack.plane) == 0


async def test_a_trunk_whose_credentials_are_refused_is_left_for_the_next(legs, carriers):
    first, second = carriers
    first.answer = lambda _: "403 Forbidden"
    _, call = routed(legs)
    await call.hears("on_ringing")
    # With the number in From, and with the account.
    assert len(first.invites) == 2
    assert len(second.invites) == 1


@pytest.mark.parametrize("answer", ["486 Busy Here", "404 Not Found", "484 Address Incomplete",
                                    "488 Not Acceptable Here", "603 Decline"])  # fmt: skip
async def test_an_answer_about_the_called_party_ends_the_call(legs, carriers, answer):
    first, second = carriers
    first.answer = lambda _: answer
    _, call = routed(legs)
    assert (await call.hears("on_hangup"))[1] == int(answer[:3])
    assert call.names == ["on_hangup"]
    assert not second.invites


async def test_a_call_that_has_rung_goes_to_no_other_trunk(legs, carriers):
    first, second = carriers
    seen = []

    def rings_then_fails(invite):
        seen.append(invite)
        return "180 Ringing"

    first.answer = rings_then_fails
    _, call = routed(legs)
    await call.hears("on_ringing")
    first.respond(seen[0], ("127.0.0.1", legs._config.sip_port), "503 Service Unavailable")
    assert (await call.hears("on_hangup"))[1] == 503
    assert call.names == ["on_ringing", "on_hangup"]
    assert not second.invites


async def test_a_trunk_that_is_not_registered_is_passed_over(legs, carriers):
    first, _ = carriers
    other = dataclasses.replace(trunk(TRUNK_A, first.port), revision=2, username="nobody")
    first.challenges, first._register = False, lambda *_: None
    legs.apply(other)
    await first.until(lambda: first.requests["REGISTER"] > 2)
    assert not legs._lines.line_of(TRUNK_A).up
    _, call = routed(legs)
    await call.hears("on_ringing")
    assert not first.invites
    assert call.events[0] == ("on_trunk", TRUNK_B)


async def test_a_trunk_that_is_not_registered_is_dialled_by_if_no_other_is(legs, carriers):
    first, second = carriers
    for each, carrier in ((TRUNK_A, first), (TRUNK_B, second)):
        carrier._register = lambda *_: None
        carrier.requests.clear()
        legs.apply(dataclasses.replace(trunk(each, carrier.port), revision=2, username="nobody"))
        await carrier.until(lambda carrier=carrier: carrier.requests["REGISTER"] > 1)
    _, call = routed(legs)
    await call.hears("on_ringing")
    assert first.invites
    assert not second.invites


async def test_an_unknown_trunk_is_passed_over(legs, carriers):
    legs.drop(TRUNK_A)
    _, call = routed(legs)
    await call.hears("on_ringing")
    assert call.events[0] == ("on_trunk", TRUNK_B)


async def test_a_full_trunk_is_passed_over(legs, carriers):
    first, second = carriers
    legs.exchange.full = {TRUNK_B}
    first.answer = lambda _: "503 Service Unavailable"
    _, call = routed(legs)
    assert (await call.hears("on_hangup"))[1] == 503
    assert not second.invites
    assert call.names == ["on_hangup"]
    while legs._places.take(TRUNK_A):
        pass
    legs.exchange.full = set()
    _, call = routed(legs)
    await call.hears("on_ringing")
    assert len(first.invites) == 1


async def test_without_any_usable_trunk_a_call_fails_with_the_reason(legs):
    _, call = routed(legs)
    assert call.events == [("on_hangup", 503, "the trunk is not connected")]


async def test_a_silent_trunk_is_left_for_the_next(legs, carriers, soon):
    first, second = carriers
    first.answer = never
    _, call = routed(legs)
    await call.hears("on_ringing")
    assert call.names == ["on_trunk", "on_ringing"]
    assert len(second.invites) == 1


async def test_the_last_trunk_may_be_silent_for_longer(legs, carriers, soon):
    _, second = carriers
    second.answer = never
    _, call = routed(legs, BOTH[1:])
    await second.until(lambda: len(second.invites) > 1)  # half a second
    assert call.events == []


async def test_a_call_given_up_while_the_first_trunk_is_silent_goes_to_no_other(
    legs, carriers, soon
):
    first, second = carriers
    first.answer = never
    leg, call = routed(legs)
    await first.until(lambda: first.invites)
    leg.hangup(GIVEN_UP)
    assert not legs._placed
    first.answer = rings
    await first.until(lambda: first.requests["CANCEL"])
    assert call.events == []
    assert not second.invites


async def test_a_late_answer_of_an_abandoned_trunk_is_acknowledged_and_hung_up(
    legs, carriers, phone, soon
):
    """The phone is the first carrier: it says nothing until the second one's call rings."""
    _, second = carriers
    await applied(
        legs,
        dataclasses.replace(trunk(TRUNK_A, phone.endpoint.local[1]), revision=2),
        until="failed",
    )
    legs._lines.line_of(TRUNK_A).told = ("registered", 200, "OK")
    send, held = phone.endpoint._send, []
    phone.endpoint._send = lambda flow, data: held.append((flow, data))
    _, call = routed(legs)
    incoming = await asyncio.wait_for(phone.next_call(), WITHIN_S)
    await call.hears("on_ringing")
    assert len(second.invites) == 1
    phone.endpoint._send = send
    talking = await phone.answer(incoming)
    await asyncio.wait_for(talking.ended.wait(), WITHIN_S)
    assert talking.ending.status == 200  # by a BYE
    assert call.names == ["on_trunk", "on_ringing"]


async def test_places_are_given_back_with_each_route(legs, carriers):
    for carrier in carriers:
        carrier.answer = lambda _: "503 Service Unavailable"
    for _ in range(5):
        _, call = routed(legs)
        assert (await call.hears("on_hangup"))[1] == 503
        assert call.names == ["on_trunk", "on_hangup"]
    assert not legs._placed
    assert legs._places._calls == 0
    assert len(legs.stack.plane) == 0
    assert not legs._legs
