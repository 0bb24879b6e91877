"""Tests of the admission of inbound calls: which are let in, and how many of each trunk at once."""

from __future__ import annotations

import aiohttp
import pytest

from gateway.http.auth import basic
from gateway.legs.sip.attribution import Attribution, standing_of

TO, FROM = "+15551230000", "+33612345678"
TRUNK, OTHER = "trunk_" + "a" * 26, "trunk_" + "b" * 26
SHARED = Attribution(source="192.0.2.7", network="192.0.2.0/24")


class Leg:
    """A caller who waits; `refused`: the SIP code that turned it away."""

    def __init__(self):
        self.refused = None

    def attach(self, events, call_sid):
        self.events = events

    def ring(self):
        pass

    async def answer(self):
        pass

    def reject(self, release):
        self.refused = release.sip_code

    def hangup(self, release):
        pass

    def play(self, frame):
        pass


@pytest.fixture
async def admit(start_gateway, application):
    """`refused = admit(gateway, count, …)`: the codes that this many calls were refused with."""
    application.on("/voice", '<Pause length="60"/>')

    def admitting(gateway, count, **facts):
        legs = [Leg() for _ in range(count)]
        for leg in legs:
            gateway.exchange.admit(leg, to=TO, from_=FROM, **facts)
        return [leg.refused for leg in legs if leg.refused]

    return admitting


async def test_a_call_of_a_stranger_is_refused_without_a_webhook(start_gateway, application, admit):
    gateway = await start_gateway()
    assert admit(gateway, 3, standing="stranger") == [404] * 3
    assert not gateway.exchange.by_status()
    assert not application.posts


async def test_peers_without_a_trunk_get_at_most_a_quarter_of_the_calls(start_gateway, admit):
    gateway = await start_gateway(max_calls=20)
    assert admit(gateway, 20, standing="peer") == [486] * 15
    assert admit(gateway, 10, standing="trunk", trunk_id=TRUNK) == []


async def test_calls_of_peers_without_a_trunk_are_bounded(start_gateway, admit):
    gateway = await start_gateway(max_calls_without_trunk=3)
    assert admit(gateway, 5, standing="peer") == [486] * 2
    assert admit(gateway, 5, standing="local") == []


async def test_calls_from_networks_of_several_trunks_get_at_most_half_of_all(start_gateway, admit):
    gateway = await start_gateway(max_calls=20)
    facts = {"standing": "carrier", "trunk_source": "192.0.2.7"}
    assert admit(gateway, 14, **facts) == [486] * 4
    assert admit(gateway, 5, standing="trunk", trunk_id=TRUNK) == []


async def test_one_trunk_gets_at_most_half_of_the_calls(start_gateway, admit):
    gateway = await start_gateway(max_calls=20)
    assert admit(gateway, 20, standing="trunk", trunk_id=TRUNK) == [486] * 10
    assert admit(gateway, 5, standing="trunk", trunk_id=OTHER) == []


async def test_calls_of_one_trunk_are_bounded(start_gateway, admit):
    gateway = await start_gateway(max_calls_per_trunk=4)
    assert admit(gateway, 6, standing="trunk", trunk_id=TRUNK) == [486] * 2
    assert admit(gateway, 1, standing="trunk", trunk_id=OTHER) == []


async def test_calls_out_through_a_full_trunk_are_refused(start_gateway, admit, account):
    gateway = await start_gateway(max_calls_per_trunk=1)
    admit(gateway, 1, standing="trunk", trunk_id=TRUNK)
    form = {"To": TO, "From": FROM, "Url": "http://127.0.0.1:1/", "Byoc": TRUNK}
    url = f"{gateway.url}/2010-04-01/Accounts/{account[0]}/Calls.json"
    async with (
        aiohttp.ClientSession(headers={"Authorization": basic(*account)}) as session,
        session.post(url, data=form) as answer,
    ):
        assert (answer.status, (await answer.json())["code"]) == (429, 20429)


@pytest.mark.parametrize(
    ("facts", "standing"),
    [
        ({"found": Attribution(TRUNK)}, "trunk"),
        ({}, "stranger"),
        ({"edge_lists": True}, "peer"),
        ({"found": SHARED}, "carrier"),
        ({"found": SHARED, "edge_lists": True}, "peer"),
        ({"found": SHARED, "behind_edge": False}, "carrier"),
        ({"found": SHARED, "behind_edge": False, "sip_host": "192.0.2.1"}, "carrier"),
        ({"behind_edge": False}, "local"),
        ({"behind_edge": False, "sip_host": "::1"}, "local"),
        ({"behind_edge": False, "sip_host": "0.0.0.0"}, "stranger"),
        ({"behind_edge": False, "sip_host": "sip.example"}, "stranger"),
        ({"behind_edge": False, "edge_lists": True, "sip_host": "192.0.2.1"}, "stranger"),
    ],
)
def test_a_calls_standing_follows_from_trunk_edge_and_address(facts, standing):
    known = {"found": Attribution(), "edge_lists": False, "behind_edge": True}
    known |= {"sip_host": "127.0.0.1"} | facts
    assert standing_of(known.pop("found"), **known) == standing
