"""Tests that the host names of trunks may not lead to private addresses."""

from __future__ import annotations

import asyncio

from gateway.trunks.host import NoSip
from tests.unit.gateway.control_server import (
    PATIENCE,
    A,
    B,
)


class Names:
    """A resolver; a name that is not in `leads` cannot be resolved."""

    def __init__(self, **leads):
        self.leads = leads
        self.lookups = asyncio.Queue()

    async def __call__(self, host, port):
        self.lookups.put_nowait(host)
        if host not in self.leads:
            raise OSError("no such name")
        return self.leads[host]

    async def rounds(self, count):
        """Until it has been asked so many times more."""
        while not self.lookups.empty():
            self.lookups.get_nowait()
        async with asyncio.timeout(PATIENCE):
            for _ in range(count):
                await self.lookups.get()


async def test_a_trunk_with_a_private_address_is_not_registered(server, begin, host):
    names = Names(inside=["10.0.0.7"], outside=["8.8.8.8"])
    server.put(A, host="inside")
    server.put(B, host="outside")
    trunks = begin(refresh=0.03, resolver=names)
    assert await host.next() == ("apply", B, 1)
    assert host.calls.empty()
    reports = {(report := await server.report())["trunk_id"]: report for _ in range(2)}
    assert (reports[A]["status"], reports[A]["sip_code"]) == ("failed", None)
    assert "private address" in reports[A]["detail"]
    assert trunks.get(A) is not None
    names.leads["inside"] = ["9.9.9.9"]
    assert await host.next() == ("apply", A, 1)
    assert (await server.report())["status"] == "registering"


async def test_a_trunk_is_dropped_when_its_name_resolves_to_a_private_address(server, begin, host):
    names = Names(turncoat=["8.8.8.8"])
    server.put(A, host="turncoat")
    begin(refresh=0.03, resolver=names)
    assert await host.next() == ("apply", A, 1)
    names.leads["turncoat"] = ["8.8.8.8", "127.0.0.1"]
    assert await host.next() == ("drop", A)
    assert (await server.report())["status"] == "registering"
    assert "private" in (await server.report())["detail"]


async def test_a_trunk_needs_an_address_to_be_applied_and_keeps_it_if_the_name_fails_later(
    server, begin, host
):
    names = Names()
    server.put(A, host="flaky")
    trunks = begin(refresh=0.03, resolver=names)
    assert "spelling" in (await server.report())["detail"]
    names.leads["flaky"] = ["8.8.8.8"]
    assert await host.next() == ("apply", A, 1)
    names.leads.clear()
    await names.rounds(3)
    assert host.calls.empty()
    assert trunks.status(A).status == "registering"


async def test_a_new_revision_with_a_private_address_drops_the_former_one(server, begin, host):
    names = Names(inside=["192.168.0.1"], outside=["8.8.8.8"])
    server.put(A, host="outside")
    trunks = begin(resolver=names)
    assert await host.next() == ("apply", A, 1)
    server.put(A, host="inside", revision=2)
    trunks.changed(A)
    assert await host.next() == ("drop", A)
    assert trunks.status(A).revision == 2


class Servers:
    """Finds SIP servers: `leads` by host; a host that is not there has none, and no address."""

    def __init__(self, **leads):
        self.leads = leads

    async def __call__(self, host, transport):
        if host not in self.leads:
            raise OSError("it has no SIP server")
        return self.leads[host]


async def test_a_host_that_has_only_srv_records_is_registered_at(server, begin, host):
    """It has no address of its own, and needs none."""
    server.put(A, host="outside", port=None)
    begin(resolver=Names(), servers=Servers(outside=["8.8.8.8"]))
    assert await host.next() == ("apply", A, 1)


async def test_each_server_of_a_host_without_a_port_must_be_public(server, begin, host):
    server.put(A, host="inside", port=None)
    server.put(B, host="nowhere", port=None)
    begin(resolver=Names(inside=["8.8.8.8"]), servers=Servers(inside=["8.8.8.8", "10.0.0.7"]))
    reports = {(report := await server.report())["trunk_id"]: report for _ in range(2)}
    assert "private address" in reports[A]["detail"]
    assert "has no address" in reports[B]["detail"]
    assert host.calls.empty()


async def test_an_outbound_proxy_is_checked_in_place_of_the_host(server, begin, host):
    names = Names(carrier=["10.0.0.7"], proxy=["8.8.8.8"], inside=["127.0.0.1"])
    server.put(A, host="carrier", outbound_proxy="proxy:5060")
    server.put(B, host="proxy", outbound_proxy="inside:5060")
    begin(resolver=names)
    assert await host.next() == ("apply", A, 1)
    reports = {(report := await server.report())["trunk_id"]: report for _ in range(2)}
    assert "give the public name or address of your carrier's proxy" in reports[B]["detail"]


async def test_a_trunk_with_private_networks_is_refused(server, begin, host):
    by_address = {"auth": "ip", "username": None, "password": None}
    server.put(A, host="outside", networks=["10.0.0.0/24"], **by_address)
    server.put(B, host="outside", networks=["8.8.8.0/24"], **by_address)
    begin(resolver=Names(outside=["8.8.8.8"]))
    assert await host.next() == ("apply", B, 1)
    reports = {(report := await server.report())["trunk_id"]: report for _ in range(2)}
    assert reports[A]["status"] == "failed"
    assert "10.0.0.0/24" in reports[A]["detail"]
    assert reports[B]["status"] == "registering"


async def test_private_networks_are_taken_where_private_trunks_are(server, begin, host):
    by_address = {"auth": "ip", "username": None, "password": None}
    server.put(A, host="inside", networks=["127.0.0.0/24"], **by_address)
    begin()
    assert await host.next() == ("apply", A, 1)


async def test_every_trunk_fails_on_a_gateway_without_sip(server, begin):
    server.put(A)
    trunks = begin(at=lambda trunks: NoSip(trunks.on_status))
    report = await server.report()
    assert report["status"] == "failed"
    assert "GATEWAY_SIP_PORT is not set" in report["detail"]
    assert trunks.by_status() == {"failed": 1}
    assert server.paths().count("report") == 1
