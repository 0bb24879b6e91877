"""Tests of trunks without a port: their servers are found in DNS, and tried one after the other."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from gateway.legs.sip import lookup, trunk_line, trunk_lines
from gateway.legs.sip.lookup import MachineLookup, Servers
from gateway.sip import keep_alive, registration
from gateway.sip.network import dns_lookup
from gateway.sip.network.dns_lookup import DnsLookup
from gateway.trunks.trunk import Authority
from tests.sip.peers.registrar import Registrar, rings
from tests.support.name_server import name_server
from tests.support.ports import HOST, free_port
from tests.unit.gateway.sip.conftest import (
    TRUNK_A,
    TRUNK_B,
    WITHIN_S,
    applied,
    by_address,
    dialled,
    sip_legs,
    trunk,
)

CARRIER = "carrier.example"


@pytest.fixture
async def dns():
    async with name_server({("sbc.carrier.example.", "A"): [HOST]}) as server:
        yield server


@pytest.fixture
def servers(dns):
    return Servers(MachineLookup(DnsLookup(dns.resolver())))


@pytest.fixture
async def legs(servers):
    async with sip_legs(servers) as made:
        yield made


@pytest.fixture(autouse=True)
async def registrars():
    async with Registrar(rings) as first, Registrar(rings) as second:
        yield first, second


@pytest.fixture
def soon(monkeypatch):
    """Silence is noticed soon."""
    monkeypatch.setattr(registration, "ANSWER_WITHIN", 0.2)
    monkeypatch.setattr(trunk_line, "ANSWER_WITHIN", 0.2)
    monkeypatch.setattr(keep_alive, "ANSWER_WITHIN", 0.2)


def srv(*ports, service="_sip._udp"):
    """SRV records that are tried in that order."""
    return {
        (f"{service}.{CARRIER}.", "SRV"): [
            f"{nth} 1 {port} sbc.carrier.example." for nth, port in enumerate(ports)
        ]
    }


def at_carrier(trunk_id=TRUNK_A, **changes):
    return dataclasses.replace(trunk(trunk_id, 0), host=CARRIER, port=None, **changes)


async def statuses_until(legs, wanted):
    """All statuses up to that one."""
    seen = []
    async with asyncio.timeout(WITHIN_S):
        while not seen or seen[-1] != wanted:
            seen.append((await legs.statuses.get())[2])
    return seen


async def test_a_trunk_registers_where_srv_records_lead(legs, dns, registrars):
    dns.records |= srv(registrars[0].port)
    await applied(legs, at_carrier(), until="registered")
    assert registrars[0].registered == 1
    line = legs._lines.line_of(TRUNK_A)
    assert (line.target.port, line.target.server_name) == (registrars[0].port, CARRIER)
    assert legs._lines.registered == {TRUNK_A: f"{HOST}:{registrars[0].port}"}
    _, call = dialled(legs, TRUNK_A)
    await call.hears("on_ringing")
    assert registrars[0].invites[0].first == f"INVITE sip:+33199001234@{CARRIER} SIP/2.0"


async def test_a_trunk_registers_where_naptr_records_lead(legs, dns, registrars):
    dns.records |= {
        (f"{CARRIER}.", "NAPTR"): ['10 1 "s" "SIP+D2U" "" _sip._udp.hosted.example.'],
        ("_sip._udp.hosted.example.", "SRV"): [f"1 1 {registrars[0].port} sbc.carrier.example."],
    }
    await applied(legs, at_carrier(), until="registered")
    assert registrars[0].registered == 1


async def test_without_any_other_record_the_usual_port_of_the_addresses_counts(dns, servers):
    dns.records[f"{CARRIER}.", "A"] = ["192.0.2.7"]
    (found,) = await servers.of(at_carrier(), ipv6=False, private=True)
    assert (found.address, found.port) == ("192.0.2.7", 5060)
    (found,) = await servers.of(at_carrier(transport="tls"), ipv6=False, private=True)
    assert (found.transport, found.port, found.server_name) == ("tls", 5061, CARRIER)
    asked = [each for each in dns.asked if each[1] == "SRV"]
    assert asked == [(f"_sip._udp.{CARRIER}.", "SRV"), (f"_sips._tcp.{CARRIER}.", "SRV")]


async def test_a_given_port_asks_for_addresses_alone(servers, dns):
    (found,) = await servers.of(trunk(TRUNK_A, 5070), ipv6=False, private=True)
    assert (found.address, found.port) == ("127.0.0.1", 5070)
    assert not dns.asked


async def test_the_machines_own_hosts_are_found_without_dns(servers):
    there = dataclasses.replace(at_carrier(), host="localhost")
    (found,) = await servers.of(there, ipv6=False, private=True)
    assert (found.address, found.port) == ("127.0.0.1", 5060)


async def test_servers_in_private_networks_are_left_out(servers, dns):
    dns.records |= srv(5060) | {("sbc.carrier.example.", "A"): ["10.0.0.1", "8.8.8.8"]}
    (found,) = await servers.of(at_carrier(), ipv6=False, private=False)
    assert found.address == "8.8.8.8"
    dns.records["sbc.carrier.example.", "A"] = ["127.0.0.1"]
    other = Servers(MachineLookup(DnsLookup(dns.resolver())))
    assert await other.of(at_carrier(), ipv6=False, private=False) == []
    assert await other.addresses(CARRIER, "udp") == ["127.0.0.1"]


async def test_a_host_without_any_server_is_reported_and_asked_again(legs, dns, registrars,
                                                                     monkeypatch):  # fmt: skip
    monkeypatch.setattr(trunk_lines, "_LOOK_AGAIN", 0.01)
    monkeypatch.setattr(lookup, "system_resolver", nobody)
    monkeypatch.setattr(dns_lookup, "LONGEST_NONE", 0.0)
    legs.apply(at_carrier())
    assert (await legs.statuses.get())[2:] == ("failed", None, "no such host")
    dns.records |= srv(registrars[0].port)
    await statuses_until(legs, "registered")


async def nobody(host, port):
    raise OSError("no such name")


async def test_a_server_that_takes_no_connection_is_left_for_the_next(legs, dns, phone):
    dns.records |= srv(free_port(), phone.endpoint.local[1], service="_sip._tcp")
    legs.apply(at_carrier(transport="tcp"))
    # The phone is no registrar: it answers.
    async with asyncio.timeout(WITHIN_S):
        while (told := await legs.statuses.get())[2] == "registering":
            pass
    assert told[2:4] == ("failed", 405)
    assert legs._lines.line_of(TRUNK_A).target.port == phone.endpoint.local[1]


async def test_a_server_that_says_503_is_left_for_the_next(legs, dns, registrars):
    first, second = registrars
    first._register = lambda message, addr: first.respond(message, addr, "503 Service Unavailable")
    dns.records |= srv(first.port, second.port)
    legs.apply(at_carrier())
    assert await statuses_until(legs, "registered") == ["registering", "registered"]
    assert second.registered == 1
    _, call = dialled(legs, TRUNK_A)
    await call.hears("on_ringing")
    assert second.invites
    assert legs._lines.registered == {TRUNK_A: f"{HOST}:{second.port}"}


async def test_a_server_that_is_silent_is_left_for_the_next(legs, dns, registrars, soon):
    first, second = registrars
    first._register = lambda *_: None
    dns.records |= srv(first.port, second.port)
    legs.apply(at_carrier())
    assert await statuses_until(legs, "registered") == ["registering", "registered"]
    assert second.registered == 1


async def test_refused_credentials_are_not_tried_at_the_next_server(legs, dns, registrars):
    first, second = registrars
    first._register = lambda message, addr: first.respond(message, addr, "403 Forbidden")
    dns.records |= srv(first.port, second.port)
    legs.apply(at_carrier())
    await statuses_until(legs, "failed")
    assert second.requests["REGISTER"] == 0


async def test_a_trunk_fails_when_each_server_has_failed_and_is_tried_again(
    legs, dns, registrars, monkeypatch
):
    first, second = registrars
    takes = first._register
    for each in registrars:
        each._register = lambda message, addr, each=each: each.respond(message, addr, "503 Down")
    monkeypatch.setattr(trunk_line, "retry_after_s", lambda *_: 0.05)
    dns.records |= srv(first.port, second.port)
    legs.apply(at_carrier())
    assert await statuses_until(legs, "failed") == ["registering", "failed"]
    first._register = takes
    await statuses_until(legs, "registered")
    assert first.registered == 1


async def test_a_server_of_a_trunk_by_address_that_is_silent_is_left_for_the_next(
    legs, dns, registrars, soon
):
    first, second = registrars
    first.options = None
    dns.records |= srv(first.port, second.port)
    legs.apply(dataclasses.replace(by_address(TRUNK_A, 0), host=CARRIER, port=None))
    assert await statuses_until(legs, "ready") == ["registering", "ready"]
    assert second.requests["OPTIONS"]


async def test_a_changed_srv_record_is_followed_and_an_unchanged_one_disturbs_nothing(
    legs, dns, registrars, monkeypatch
):
    first, second = registrars
    dns.records |= srv(first.port)
    await applied(legs, at_carrier(), until="registered")
    line = legs._lines.line_of(TRUNK_A)
    looking = at_carrier()
    await legs._lines._look(legs._lines._trunks[TRUNK_A])
    assert legs._lines.line_of(TRUNK_A) is line
    legs._lines._servers = Servers(MachineLookup(DnsLookup(dns.resolver())))
    dns.records |= srv(second.port)
    await legs._lines._look(legs._lines._trunks[TRUNK_A])
    await applied(legs, dataclasses.replace(looking, revision=2), until="registered")
    assert second.registered == 1
    await first.until(lambda: not first.registered)


async def test_searches_at_a_time_are_bounded(dns, servers, monkeypatch):
    running, most = set(), []

    async def slow(self, question):
        running.add(question.host)
        most.append(len(running))
        await asyncio.sleep(0.01)
        running.discard(question.host)
        return []

    monkeypatch.setattr(lookup.Resolver, "resolve", slow)
    crowd = (dataclasses.replace(at_carrier(), host=f"c{n}.example") for n in range(100))
    await asyncio.gather(*(servers.of(each, ipv6=False, private=True) for each in crowd))
    assert max(most) == lookup.SEARCHES


# outbound_proxy


async def test_requests_go_to_the_outbound_proxy_by_a_loose_route(legs, registrars):
    proxy, _ = registrars
    behind = dataclasses.replace(
        at_carrier(TRUNK_B), outbound_proxy=Authority("127.0.0.1", proxy.port)
    )
    await applied(legs, behind, until="registered")
    _, call = dialled(legs, TRUNK_B)
    await call.hears("on_ringing")
    (invite,) = proxy.invites
    assert invite.first == f"INVITE sip:+33199001234@{CARRIER} SIP/2.0"
    assert invite.get("route") == f"<sip:127.0.0.1:{proxy.port};lr>"


async def test_an_outbound_proxy_without_a_port_is_found_by_srv(legs, dns, registrars):
    proxy, _ = registrars
    dns.records["_sip._udp.proxy.example.", "SRV"] = [f"1 1 {proxy.port} sbc.carrier.example."]
    behind = dataclasses.replace(at_carrier(), outbound_proxy=Authority("proxy.example"))
    await applied(legs, behind, until="registered")
    assert proxy.registered == 1


async def test_behind_an_edge_the_proxy_is_the_hop(servers, registrars):
    edge, _ = registrars
    async with sip_legs(servers, sip_edge=f"127.0.0.1:{edge.port}") as legs:
        behind = dataclasses.replace(at_carrier(), outbound_proxy=Authority("127.0.0.3", 5077))
        await applied(legs, behind, until="registered")
        _, call = dialled(legs, TRUNK_A)
        await call.hears("on_ringing")
    (invite,) = edge.invites
    assert ";lr;hop=127.0.0.3:5077;via=udp;" in invite.get("route")


async def test_behind_an_edge_the_hop_changes_with_the_server(servers, dns, registrars):
    edge, _ = registrars
    dns.records |= srv(5071, 5072)
    asked = []

    def registers(message, addr):
        asked.append(message.get("route"))
        if "hop=127.0.0.1:5071" in asked[-1]:
            edge.respond(message, addr, "408 Request Timeout")
        else:
            edge.respond(message, addr, "503 Service Unavailable")

    edge._register = registers
    async with sip_legs(servers, sip_edge=f"127.0.0.1:{edge.port}") as legs:
        legs.apply(at_carrier())
        await edge.until(lambda: len(asked) >= 2)
    assert "hop=127.0.0.1:5072" in asked[1]
