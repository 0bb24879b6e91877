"""Tests that the edge is told the networks of trunks: at once, again and again, piece by piece."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ipaddress

import pytest

from gateway.legs.sip import edge_networks
from gateway.sip.syntax.message import parse, respond
from gateway.trunks.networks import KEPT_BY_EDGE_S, TOLD_AT_ONCE
from tests.support.ports import HOST
from tests.unit.gateway.sip.conftest import TRUNK_A, TRUNK_B, WITHIN_S, sip_legs, trunk

FIRST, SECOND = "192.0.2.0/24", "198.51.100.7/32"


class FakeEdge(asyncio.DatagramProtocol):
    """Takes messages on a port of its own; answers as long as it is up."""

    def __init__(self):
        self.told = asyncio.Queue()
        self.up = True
        self.status = 200

    def connection_made(self, transport):
        self.transport = transport
        self.at = "{}:{}".format(*transport.get_extra_info("sockname"))

    def datagram_received(self, data, addr):
        request = parse(data)
        if not self.up or request.method != "OPTIONS" or "networks@" not in request.uri:
            return
        networks = request.headers.get("X-Chamade-Networks").split(";")
        self.told.put_nowait((networks, request.headers.get("Expires"), len(data)))
        self.transport.sendto(bytes(respond(request, self.status)), addr)

    async def next(self):
        async with asyncio.timeout(WITHIN_S):
            return (await self.told.get())[0]


@pytest.fixture
async def edge():
    loop = asyncio.get_running_loop()
    transport, made = await loop.create_datagram_endpoint(FakeEdge, local_addr=(HOST, 0))
    yield made
    transport.close()


@pytest.fixture
async def behind(edge):
    async with sip_legs(sip_edge=edge.at) as legs:
        yield legs


def by_address(trunk_id, *networks):
    held = tuple(ipaddress.ip_network(each) for each in networks)
    return dataclasses.replace(trunk(trunk_id, 9), auth="ip", networks=held)


async def test_the_networks_of_a_new_trunk_are_told_at_once(behind, edge):
    behind.apply(by_address(TRUNK_A, FIRST, "2001:db8::/48"))
    networks, seconds, _ = await edge.told.get()
    assert (networks, seconds) == ([FIRST], str(KEPT_BY_EDGE_S))
    behind.apply(by_address(TRUNK_B, SECOND))
    assert await edge.next() == [SECOND]
    assert edge.told.empty()


async def test_all_networks_are_told_again_and_again(edge, monkeypatch):
    monkeypatch.setattr(edge_networks, "TELL_EVERY", 0.05)
    async with sip_legs(sip_edge=edge.at) as legs:
        legs.apply(by_address(TRUNK_A, FIRST, SECOND))
        for _ in range(3):
            assert sorted(await edge.next()) == [FIRST, SECOND]
        legs.drop(TRUNK_A)
        legs.apply(by_address(TRUNK_B, SECOND))
        async with asyncio.timeout(WITHIN_S):
            while await edge.next() != [SECOND]:
                pass
        assert await edge.next() == [SECOND]


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "refuses"])
async def test_an_edge_that_takes_nothing_is_told_all_again_soon(edge, silent, monkeypatch):
    monkeypatch.setattr(edge_networks, "TELL_AGAIN_AFTER", 0.05)
    monkeypatch.setattr(edge_networks, "_ANSWER_WITHIN", 0.05)
    warned, warnings = asyncio.Event(), []
    monkeypatch.setattr(edge_networks.log, "warning", lambda _: (warnings.append(_), warned.set()))
    edge.up, edge.status = not silent, 500
    async with sip_legs(sip_edge=edge.at) as legs:
        legs.apply(by_address(TRUNK_A, FIRST))
        await asyncio.wait_for(warned.wait(), WITHIN_S)
        legs.apply(by_address(TRUNK_B, SECOND))
        await asyncio.sleep(0.2)  # some more tries
        edge.up, edge.status = True, 200
        async with asyncio.timeout(WITHIN_S):
            while sorted(await edge.next()) != [FIRST, SECOND]:
                pass
    assert len(warnings) == 1


async def test_messages_are_short_and_one_follows_the_answer_to_the_other(edge):
    async with sip_legs(sip_edge=edge.at) as legs:
        for number in range(30):
            networks = (f"203.0.{number}.{n * 8}/29" for n in range(32))
            legs.apply(by_address(f"trunk_{number}", *networks))
        found = set()
        async with asyncio.timeout(WITHIN_S):
            while len(found) < 30 * 32:
                networks, _, length = await edge.told.get()
                assert len(networks) <= TOLD_AT_ONCE
                assert length < 2_000
                found.update(networks)


async def test_a_gateway_without_networks_tells_the_edge_nothing(behind, edge, monkeypatch):
    monkeypatch.setattr(edge_networks, "TELL_EVERY", 0.02)
    behind.apply(trunk(TRUNK_A, 9))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            raise AssertionError(await edge.told.get())
