"""Tests of calls from the networks of trunks, straight and through the edge."""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress

import pytest

from gateway.sip.dialog.outbound import Dial
from gateway.sip.syntax.headers import Address
from gateway.sip.syntax.uri import SipUri, parse_sip_uri
from gateway.trunks import networks
from local.sip_phone import CallFailed, Talking
from tests.support.ports import HOST
from tests.unit.gateway.sip.conftest import TRUNK_A, TRUNK_B, WITHIN_S, sip_legs, trunk

NOWHERE = "127.0.0.1:9"


def by_address(trunk_id, *held):
    found = tuple(ipaddress.ip_network(each) for each in held)
    return dataclasses.replace(trunk(trunk_id, 9), auth="ip", networks=found)


def calls_through_edge(legs, phone, source, **marks):
    """An INVITE as the edge passes it on; `marks` become X-Chamade-… headers."""
    headers = {"Source": source, "Request-URI": legs.uri} | marks
    uri = parse_sip_uri(legs.uri)
    dial = Dial(
        target=legs.uri,
        to=Address(uri),
        from_=Address(SipUri(HOST, "caller")),
        flow=phone.endpoint.udp_flow((uri.host, uri.port)),
        user="caller",
        headers=tuple((f"X-Chamade-{name}", value) for name, value in headers.items()),
    )
    talking = Talking(phone)
    talking.call = phone.agent.dial(dial, talking.audio.media, phone.now, None)
    phone._calls[talking.call] = talking
    phone.flush()
    return talking


@pytest.fixture
async def behind():
    async with sip_legs(sip_edge=NOWHERE) as legs:
        yield legs


async def facts_of(legs):
    _, _, facts = await legs.exchange.next()
    return facts["trunk_id"], facts["trunk_source"], facts["standing"]


async def test_a_call_from_a_network_of_one_trunk_is_its_call(legs, phone):
    legs.apply(by_address(TRUNK_A, "127.0.0.0/24"))
    phone.start(legs.uri)
    assert await facts_of(legs) == (TRUNK_A, None, "trunk")
    legs.drop(TRUNK_A)
    phone.start(legs.uri)
    assert await facts_of(legs) == (None, None, "local")


async def test_a_call_from_a_network_of_two_trunks_is_a_carriers_with_its_address(legs, phone):
    legs.apply(by_address(TRUNK_A, "127.0.0.0/24"))
    legs.apply(by_address(TRUNK_B, "127.0.0.1/32"))
    phone.start(legs.uri)
    assert await facts_of(legs) == (None, "127.0.0.1", "carrier")


@pytest.mark.parametrize(
    ("source", "marks", "found"),
    [
        ("192.0.2.7:5060", {}, (TRUNK_A, None, "trunk")),
        ("192.0.2.7:5060", {"Peer": "yes"}, (None, "192.0.2.7", "peer")),
        ("192.0.2.7:5060", {"Trunk": TRUNK_B}, (TRUNK_A, None, "trunk")),
        ("198.51.100.7:5060", {}, (None, "198.51.100.7", "carrier")),
        ("198.51.100.7:5060", {"Peer": "yes"}, (None, "198.51.100.7", "peer")),
        ("203.0.113.7:5060", {}, (None, None, "stranger")),
        ("203.0.113.7:5060", {"Peer": "yes"}, (None, None, "peer")),
        ("nonsense", {}, (None, None, "stranger")),
    ],
)
async def test_the_source_that_the_edge_tells_decides(behind, phone, source, marks, found):
    behind.apply(by_address(TRUNK_A, "192.0.2.0/24", "198.51.100.0/24"))
    behind.recognise(by_address(TRUNK_B, "198.51.100.0/28"))
    calls_through_edge(behind, phone, source, **marks)
    assert await facts_of(behind) == found


async def test_a_trunk_that_another_process_registers_gets_the_calls_of_its_networks(behind, phone):
    behind.recognise(by_address(TRUNK_B, "198.51.100.0/28"))
    calls_through_edge(behind, phone, "198.51.100.7:5060")
    assert await facts_of(behind) == (TRUNK_B, None, "trunk")
    assert behind.statuses.empty()


async def test_calls_from_one_network_of_several_trunks_leave_places_to_others(phone):
    async with sip_legs(sip_edge=NOWHERE, max_calls_per_trunk=2) as legs:
        for trunk_id in (TRUNK_A, TRUNK_B):
            legs.apply(by_address(trunk_id, "192.0.2.0/24", "198.51.100.0/24"))
        sources = ["192.0.2.7:1", "192.0.2.8:1", "192.0.2.9:1", "198.51.100.7:1"]
        talking = [calls_through_edge(legs, phone, source) for source in sources]
        with pytest.raises(CallFailed, match=r"^486 "):
            await talking[2].wait_up()
        assert [(await facts_of(legs))[1] for _ in range(3)] == [
            "192.0.2.7",
            "192.0.2.8",
            "198.51.100.7",
        ]


async def test_a_trunk_whose_networks_find_no_room_has_failed_until_another_one_goes(
    legs, phone, monkeypatch
):
    monkeypatch.setattr(networks, "MAX_NETWORKS", 2)
    legs.apply(by_address(TRUNK_B, "127.0.2.0/24"))
    legs.apply(by_address(TRUNK_A, "127.0.0.0/24", "127.0.1.0/24"))
    said = [await asyncio.wait_for(legs.statuses.get(), WITHIN_S)]
    while said[-1][0] != TRUNK_A:
        said.append(await asyncio.wait_for(legs.statuses.get(), WITHIN_S))
    assert said[-1][2] == "failed"
    assert "as many networks" in said[-1][4]
    phone.start(legs.uri)
    assert await facts_of(legs) == (None, None, "local")
    legs.drop(TRUNK_B)
    phone.start(legs.uri)
    assert await facts_of(legs) == (TRUNK_A, None, "trunk")
