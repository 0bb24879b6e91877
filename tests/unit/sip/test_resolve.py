"""Tests of the way from a host to addresses, with a table of zones for DNS."""

from __future__ import annotations

import asyncio

import pytest

from gateway.sip.network import locate, resolve
from gateway.sip.network.resolve import (
    CannotResolve,
    LookupFailed,
    Naptr,
    Question,
    Resolver,
    Srv,
)

ZONES = {
    "NAPTR full.example": [
        Naptr(10, 1, "s", "SIP+D2T", "_sip._tcp.full.example."),
        Naptr(20, 1, "s", "SIP+D2U", "_sip._udp.full.example."),
        Naptr(30, 1, "s", "SIPS+D2T", "_sips._tcp.full.example."),
    ],
    "SRV _sip._tcp.full.example": [Srv(1, 1, 5070, "s1.example."), Srv(2, 1, 5071, "s2.example.")],
    "SRV _sip._udp.full.example": [Srv(1, 1, 5060, "s2.example.")],
    "SRV _sips._tcp.full.example": [Srv(1, 1, 5061, "s2.example.")],
    "SRV _sip._udp.plain.example": [Srv(1, 1, 5062, "s1.example.")],
    "SRV _sip._tcp.plain.example": [Srv(1, 1, 5063, "s1.example.")],
    "SRV _sip._udp.none.example": [Srv(0, 0, 0, ".")],
    "SRV _sip._udp.numeric.example": [Srv(1, 1, 5060, "192.0.2.77")],
    "SRV _sip._udp.odd.example": [Srv(1, 1, 0, "s1.example."), Srv(1, 1, 5060, "b@d.")],
    "A s1.example": ["192.0.2.1", "192.0.2.2"],
    "AAAA s1.example": ["2001:db8::1"],
    "A s2.example": ["192.0.2.3"],
    "A bare.example": ["192.0.2.4"],
    "A odd.example": ["192.0.2.5", "rubbish"],
    "A none.example": ["192.0.2.6"],
    "AAAA six.example": ["2001:db8::6"],
}


class Table:
    """A table of zones that notes what it is asked for."""

    def __init__(self, zones=ZONES, failing=()):
        self.zones, self.failing, self.asked = zones, failing, []

    def _answer(self, kind, name):
        self.asked.append(f"{kind} {name}")
        if kind in self.failing:
            raise LookupFailed("no name server answered in time")
        return self.zones.get(f"{kind} {name}", [])

    async def naptr(self, name):
        return self._answer("NAPTR", name)

    async def srv(self, name):
        return self._answer("SRV", name)

    async def addresses(self, name, family):
        return self._answer("A" if family == "IPv4" else "AAAA", name)


async def found(question, table=None, **options):
    resolver = Resolver(table or Table(), lambda n: n - 1, **options)
    targets = await resolver.resolve(question)
    return [(t.transport, t.address, t.port) for t in targets]


async def test_naptr_then_srv_then_addresses_in_order_of_failing_over():
    table = Table()
    assert await found(Question("full.example"), table) == [
        ("tcp", "192.0.2.1", 5070),
        ("tcp", "192.0.2.2", 5070),
        ("tcp", "2001:db8::1", 5070),
        ("tcp", "192.0.2.3", 5071),
        ("udp", "192.0.2.3", 5060),
        ("tls", "192.0.2.3", 5061),
    ]
    assert table.asked.count("A s2.example") == 1


@pytest.mark.parametrize(
    ("question", "target", "asked"),
    [
        (Question("192.0.2.9"), "udp 192.0.2.9 5060", ""),
        (Question("192.0.2.9", 5080, "tcp"), "tcp 192.0.2.9 5080", ""),
        (Question("[2001:db8::9]", secure=True), "tls 2001:db8::9 5061", ""),
        (Question("bare.example", 5080), "udp 192.0.2.4 5080", "A AAAA"),
        (Question("full.example", transport="udp"), "udp 192.0.2.3 5060", "SRV A AAAA"),
        (Question("full.example", secure=True), "tls 192.0.2.3 5061", "NAPTR SRV A AAAA"),
        (Question("bare.example"), "udp 192.0.2.4 5060", "NAPTR SRV SRV A AAAA"),
        (Question("bare.example.", secure=True), "tls 192.0.2.4 5061", "NAPTR SRV A AAAA"),
        (Question("bare.example", transport="tls"), "tls 192.0.2.4 5061", "SRV A AAAA"),
        (Question("six.example", 5060), "udp 2001:db8::6 5060", "A AAAA"),
        (Question("numeric.example", transport="udp"), "udp 192.0.2.77 5060", "SRV"),
        (Question("odd.example", transport="udp"), "udp 192.0.2.5 5060", "SRV A AAAA"),
    ],
)
async def test_no_more_is_asked_than_the_uri_leaves_open(question, target, asked):
    table = Table()
    assert [" ".join(map(str, each)) for each in await found(question, table)] == [target]
    assert " ".join(each.split()[0] for each in table.asked) == asked


async def test_without_naptr_udp_comes_before_tcp():
    targets = await found(Question("plain.example"), families=("IPv4",))
    assert [(transport, port) for transport, _, port in targets] == [
        ("udp", 5062), ("udp", 5062), ("tcp", 5063), ("tcp", 5063),
    ]  # fmt: skip


async def test_certificates_are_for_the_host_that_was_asked_for():
    resolver = Resolver(Table(), lambda n: 0)
    targets = await resolver.resolve(Question("full.example", secure=True))
    assert [target.server_name for target in targets] == ["full.example"]


async def test_the_preferred_family_comes_first_and_others_are_not_asked_for():
    question = Question("s1.example", 5060)
    targets = await found(question, families=("IPv6", "IPv4"))
    assert [address for _, address, _ in targets] == ["2001:db8::1", "192.0.2.1", "192.0.2.2"]
    table = Table()
    await found(question, table, families=("IPv4",))
    assert table.asked == ["A s1.example"]
    with pytest.raises(CannotResolve, match="is IPv6"):
        await found(Question("2001:db8::1"), families=("IPv4",))


@pytest.mark.parametrize("failing", [("NAPTR",), ("NAPTR", "SRV"), ("AAAA",)])
async def test_a_kind_of_record_that_fails_does_not_end_the_search(failing):
    assert await found(Question("bare.example"), Table(failing=failing)) == [
        ("udp", "192.0.2.4", 5060)
    ]


async def test_a_host_without_addresses_is_told_with_what_was_asked():
    with pytest.raises(CannotResolve) as info:
        await found(Question("nowhere.example", transport="udp"))
    assert str(info.value) == (
        "nowhere.example has no address (asked for SRV _sip._udp.nowhere.example, "
        "A nowhere.example, AAAA nowhere.example)"
    )


async def test_a_failed_look_up_is_told_with_its_reason():
    with pytest.raises(CannotResolve, match=r"A bare\.example: no name server answered in time"):
        await found(Question("bare.example", 5060), Table(failing=("A", "AAAA")))


async def test_a_domain_that_denies_having_sip_is_believed():
    with pytest.raises(CannotResolve, match="no SIP server"):
        await found(Question("none.example"))


@pytest.mark.parametrize("host", ["", "a b", "sip:x", "é.example"])
async def test_what_is_no_host_is_not_asked_for(host):
    table = Table()
    with pytest.raises(CannotResolve, match="no host name"):
        await found(Question(host), table)
    assert table.asked == []


async def test_addresses_that_the_guard_refuses_are_left_out():
    def guard(address):
        if address in {"192.0.2.1", "2001:db8::1"}:
            raise PermissionError(f"{address} is private")

    assert [a for _, a, _ in await found(Question("s1.example", 5060), guard=guard)] == [
        "192.0.2.2"
    ]
    with pytest.raises(PermissionError, match=r"192\.0\.2\.1 is private"):
        await found(Question("192.0.2.1"), guard=guard)


async def test_a_search_that_takes_too_long_says_what_it_waited_for():
    class Silent(Table):
        async def srv(self, name):
            await asyncio.Event().wait()

    with pytest.raises(CannotResolve, match=r"within 0 s .*SRV _sip\._tcp\.c\.example"):
        await found(Question("c.example", transport="tcp"), Silent(), timeout=0)


async def test_targets_and_servers_have_a_limit():
    many = {
        "SRV _sip._udp.c.example": [Srv(n, 1, 5060, f"s{n}.") for n in range(99)],
        **{f"A s{n}": [f"192.0.2.{m}" for m in range(50)] for n in range(99)},
    }
    table = Table(many)
    targets = await found(Question("c.example", transport="udp"), table, families=("IPv4",))
    assert len(targets) == resolve.MAX_TARGETS
    assert len([each for each in table.asked if each.startswith("A ")]) == locate.MAX_HOPS


async def test_naptr_records_of_the_given_transport_count_if_they_are_asked_for():
    zones = ZONES | {
        "NAPTR hosted.example": [
            Naptr(10, 1, "s", "SIP+D2T", "_sip._tcp.full.example."),
            Naptr(20, 1, "s", "SIP+D2U", "_sip._udp.full.example."),
        ]
    }
    table = Table(zones)
    question = Question("hosted.example", transport="udp", naptr=True)
    assert await found(question, table) == [("udp", "192.0.2.3", 5060)]
    assert table.asked[:2] == ["NAPTR hosted.example", "SRV _sip._udp.full.example"]


async def test_naptr_records_of_other_transports_alone_leave_the_usual_names():
    zones = ZONES | {"NAPTR plain.example": [Naptr(1, 1, "s", "SIP+D2T", "_sip._tcp.x.example.")]}
    question = Question("plain.example", transport="udp", naptr=True)
    targets = await found(question, Table(zones), families=("IPv4",))
    assert targets == [("udp", "192.0.2.1", 5062), ("udp", "192.0.2.2", 5062)]


async def test_a_target_names_the_host_that_has_its_address():
    resolver = Resolver(Table(), lambda n: n - 1)
    targets = await resolver.resolve(Question("full.example", secure=True))
    assert [(t.server_name, t.host) for t in targets] == [("full.example", "s2.example")]
