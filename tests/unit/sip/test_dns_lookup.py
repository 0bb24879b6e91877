"""Tests of look-ups against a name server on this machine."""

from __future__ import annotations

import pytest

from gateway.sip.network import dns_lookup
from gateway.sip.network.dns_lookup import DnsLookup
from gateway.sip.network.resolve import LookupFailed, Naptr, Question, Resolver, Srv
from tests.support.name_server import name_server

ZONE = {
    ("c.example.", "NAPTR"): ['10 20 "s" "SIP+D2U" "" _sip._udp.c.example.'],
    ("_sip._udp.c.example.", "SRV"): ["1 2 5070 sbc.c.example."],
    ("sbc.c.example.", "A"): ["192.0.2.1"],
    ("sbc.c.example.", "AAAA"): ["2001:db8::1"],
}


@pytest.fixture
async def server():
    async with name_server(ZONE) as server:
        yield server


@pytest.fixture
def lookup(server):
    return DnsLookup(server.resolver())


async def test_records_of_each_kind_are_read(lookup):
    assert await lookup.naptr("c.example") == [
        Naptr(10, 20, "s", "SIP+D2U", "_sip._udp.c.example.")
    ]
    assert await lookup.srv("_sip._udp.c.example") == [Srv(1, 2, 5070, "sbc.c.example.")]
    assert await lookup.addresses("sbc.c.example", "IPv4") == ["192.0.2.1"]
    assert await lookup.addresses("sbc.c.example.", "IPv6") == ["2001:db8::1"]


async def test_a_whole_search_leads_to_the_servers(lookup):
    targets = await Resolver(lookup, lambda n: 0).resolve(Question("c.example"))
    assert [(t.transport, t.address, t.port) for t in targets] == [
        ("udp", "192.0.2.1", 5070),
        ("udp", "2001:db8::1", 5070),
    ]


async def test_names_and_records_that_do_not_exist_are_no_failure(lookup):
    assert await lookup.naptr("nowhere.example") == []
    assert await lookup.srv("c.example") == []


async def test_an_answer_is_asked_for_once(lookup, server):
    for _ in range(3):
        await lookup.addresses("sbc.c.example", "IPv4")
    assert server.asked == [("sbc.c.example.", "A")]


async def test_this_machine_is_never_asked_for(lookup, server):
    assert await lookup.addresses("LocalHost", "IPv4") == ["127.0.0.1"]
    assert await lookup.addresses("localhost", "IPv6") == ["::1"]
    assert server.asked == []


async def test_a_server_that_fails_is_a_failure(lookup):
    with pytest.raises(LookupFailed, match="name servers failed"):
        await lookup.addresses("broken.example", "IPv4")


async def test_no_server_to_be_reached_is_a_failure(lookup):
    lookup._resolver.nameservers = ["255.255.255.255"]
    with pytest.raises(LookupFailed, match="name servers failed"):
        await lookup.addresses("c.example", "IPv4")


async def test_a_name_that_dns_cannot_hold_is_a_failure(lookup):
    with pytest.raises(LookupFailed):
        await lookup.srv("a" * 64 + ".example")


async def test_a_server_that_is_silent_is_a_failure(lookup, server, monkeypatch):
    monkeypatch.setattr(server, "datagram_received", lambda data, addr: None)
    lookup._resolver.lifetime = 0.01
    with pytest.raises(LookupFailed, match="in time"):
        await lookup.srv("_sip._udp.c.example")


def test_the_cache_has_a_limit(lookup):
    assert lookup._resolver.cache.max_size == dns_lookup.MAX_CACHED


@pytest.mark.parametrize(
    ("name", "limit"), [("sbc.c.example", "LONGEST"), ("unknown.example", "LONGEST_NONE")]
)
async def test_no_answer_is_believed_for_longer_than_its_limit(
    lookup, server, monkeypatch, name, limit
):
    """This server gives no time for which a name does not exist: it could be believed for ever."""
    await lookup.addresses(name, "IPv4")
    await lookup.addresses(name, "IPv4")
    assert len(server.asked) == 1
    other = DnsLookup(lookup._resolver)  # with an empty cache
    monkeypatch.setattr(dns_lookup, limit, 0.0)
    await other.addresses(name, "IPv4")
    await other.addresses(name, "IPv4")
    assert len(server.asked) == 3
