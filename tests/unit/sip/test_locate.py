"""Tests of the rules for finding SIP servers: transports, services, and the order of servers."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from gateway.sip.network import locate
from gateway.sip.network.locate import CannotResolve, Naptr, Question, Srv


@pytest.mark.parametrize(
    ("question", "numeric", "transport"),
    [
        (Question("h"), False, None),
        (Question("h", secure=True), False, None),
        (Question("192.0.2.1"), True, "udp"),
        (Question("192.0.2.1", secure=True), True, "tls"),
        (Question("h", 5070), False, "udp"),
        (Question("h", 5070, secure=True), False, "tls"),
        (Question("h", transport="tcp"), False, "tcp"),
        (Question("h", transport="tls"), False, "tls"),
        (Question("h", 5070, "tcp"), False, "tcp"),
        (Question("h", transport="tcp", secure=True), False, "tls"),
    ],
)
def test_the_transport_is_known_unless_dns_has_to_say_it(question, numeric, transport):
    assert locate.known_transport(question, numeric) == transport


def test_sips_never_goes_over_udp():
    with pytest.raises(CannotResolve, match="TLS"):
        locate.known_transport(Question("h", transport="udp", secure=True), numeric=False)
    assert locate.default_transports(secure=True) == ("tls",)


NAPTR = [
    Naptr(50, 50, "s", "SIPS+D2T", "_sips._tcp.c.example."),
    Naptr(90, 50, "S", "sip+d2t", "_sip._tcp.c.example."),
    Naptr(100, 20, "s", "SIP+D2S", "_sip._sctp.c.example."),
    Naptr(100, 10, "s", "SIP+D2U", "_sip._udp.c.example."),
    Naptr(10, 10, "u", "E2U+sip", "."),
    Naptr(10, 10, "a", "SIP+D2U", "a.c.example."),
    Naptr(10, 10, "s", "SIP+D2U", "."),
]


def test_services_come_in_order_without_those_that_are_not_spoken():
    assert locate.naptr_services(reversed(NAPTR), secure=False) == [
        ("tls", "_sips._tcp.c.example"),
        ("tcp", "_sip._tcp.c.example"),
        ("udp", "_sip._udp.c.example"),
    ]


def test_services_for_sips_have_tls():
    assert locate.naptr_services(NAPTR, secure=True) == [("tls", "_sips._tcp.c.example")]


def test_preference_counts_within_an_order():
    two = [
        Naptr(1, 2, "s", "SIP+D2T", "b."),
        Naptr(1, 1, "s", "SIP+D2U", "a."),
    ]
    assert [name for _, name in locate.naptr_services(two, secure=False)] == ["a", "b"]


def test_no_more_services_are_followed_than_the_limit():
    many = [Naptr(n, 1, "s", "SIP+D2U", f"n{n}.") for n in range(locate.MAX_SERVICES + 5)]
    found = locate.naptr_services(many, secure=False)
    assert [name for _, name in found] == [f"n{n}" for n in range(locate.MAX_SERVICES)]


def test_servers_come_by_priority_all_of_them():
    records = [Srv(priority, 5, 5060, f"s{priority}") for priority in (30, 10, 20)]
    ordered = locate.in_order(records, Random(1).randrange)
    assert [record.priority for record in ordered] == [10, 20, 30]


def test_within_a_priority_weights_are_chances():
    records = [Srv(1, 10, 1, "a"), Srv(1, 30, 1, "b"), Srv(1, 60, 1, "c"), Srv(1, 0, 1, "d")]
    random = Random(7)
    ordered = [locate.in_order(records, random.randrange) for _ in range(2000)]
    assert all(sorted(o, key=str) == sorted(records, key=str) for o in ordered)
    first = Counter(o[0].target for o in ordered)
    assert 140 < first["a"] < 260
    assert 520 < first["b"] < 680
    assert 1100 < first["c"] < 1300
    assert 0 < first["d"] < 60


def test_the_draw_is_that_of_rfc_2782():
    records = [Srv(1, 0, 1, "none"), Srv(1, 1, 1, "one"), Srv(1, 3, 1, "three")]
    for drawn, target in ((0, "none"), (1, "one"), (2, "three"), (4, "three")):
        drawing = iter([drawn])
        ordered = locate.in_order(records, lambda n, drawing=drawing: next(drawing, 0))
        assert ordered[0].target == target


def test_no_more_servers_are_followed_than_the_limit():
    records = [Srv(n, 1, 5060, f"s{n}") for n in range(locate.MAX_HOPS + 5)]
    assert len(locate.in_order(records, Random(1).randrange)) == locate.MAX_HOPS


@pytest.mark.parametrize("host", ["c.example", "sbc_1.c.example", "c.example.", "_sip._udp.c", "x"])
def test_names_may_have_what_hosts_in_the_field_have(host):
    assert locate.is_name(host)


@pytest.mark.parametrize("host", ["", ".", "a b", "-a", "a;b", "é.example", "a" * 260, "a\n"])
def test_other_texts_are_no_names(host):
    assert not locate.is_name(host)
