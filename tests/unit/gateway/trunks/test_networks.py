"""Tests of the networks of trunks: which trunks hold an address, among however many."""

from __future__ import annotations

import ipaddress
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge import render
from gateway.trunks import networks as module
from gateway.trunks.fields import BadTrunkError, Fields
from gateway.trunks.networks import KEPT_BY_EDGE_S, TOLD_AT_ONCE, Networks

# Few addresses, so that networks overlap.
IPV4 = st.builds(
    lambda low, length: ipaddress.ip_network((0xC000_0000 + low, length), strict=False),
    st.integers(0, 0x1FFF),
    st.integers(20, 32),
)
IPV6 = st.builds(
    lambda low, length: ipaddress.ip_network((0x2001_0DB8 << 96 | low << 72, length), strict=False),
    st.integers(0, 0xFF_FFFF),
    st.integers(48, 128),
)
NETWORKS = st.lists(st.one_of(IPV4, IPV6), max_size=6)
TRUNKS = st.dictionaries(st.sampled_from("abcdefgh"), NETWORKS)
ADDRESSES = st.one_of(
    st.integers(0xC000_0000, 0xC000_1FFF).map(ipaddress.IPv4Address),
    st.integers(0, 0xFF_FFFF).map(lambda low: ipaddress.IPv6Address(0x2001_0DB8 << 96 | low << 72)),
)


def net(text):
    return ipaddress.ip_network(text)


@given(first=TRUNKS, then=TRUNKS, gone=st.sets(st.sampled_from("abcdefgh")), at=ADDRESSES)
def test_the_holders_of_an_address_are_those_that_a_look_at_each_network_finds(
    first, then, gone, at
):
    index = Networks()
    for trunk_id, held in [*first.items(), *then.items()]:
        index.put(trunk_id, held)
    for trunk_id in gone:
        index.remove(trunk_id)
    left = {each: held for each, held in (first | then).items() if each not in gone}
    holding = [(n, each) for each, held in left.items() for n in held if at in n]
    found = index.holding(str(at))
    if not holding:
        assert found is None
        return
    trunks = {trunk_id for _, trunk_id in holding}
    assert found.network == max((n for n, _ in holding), key=lambda n: n.prefixlen)
    assert found.trunk_id == (trunks.pop() if len(trunks) == 1 else None)
    told = {n for held in left.values() for n in held if n.version == 4}
    assert sorted(index.all_ipv4()) == sorted(told)


@given(trunks=TRUNKS)
def test_nothing_is_left_of_trunks_that_are_gone(trunks):
    index = Networks()
    for trunk_id, held in trunks.items():
        index.put(trunk_id, held)
    for trunk_id in trunks:
        index.remove(trunk_id)
    assert vars(index) == vars(Networks())


def test_an_ipv4_address_in_ipv6_is_the_ipv4_address():
    index = Networks()
    index.put("a", [net("192.0.2.0/24")])
    assert index.holding("::ffff:192.0.2.1").trunk_id == "a"


def test_networks_of_all_trunks_are_bounded_until_a_trunk_goes(monkeypatch):
    monkeypatch.setattr(module, "MAX_NETWORKS", 3)
    index = Networks()
    assert index.put("a", [net("192.0.2.0/24"), net("192.0.3.0/24"), net("192.0.2.0/24")])
    assert not index.put("b", [net("192.0.2.0/24"), net("192.0.4.0/24")])
    assert index.holding("192.0.4.1") is None
    assert index.holding("192.0.2.1").trunk_id == "a"
    index.remove("a")
    assert index.put("b", [net("192.0.2.0/24"), net("192.0.4.0/24")])


def test_a_look_among_two_thousand_trunks_of_32_networks_takes_no_millisecond(monkeypatch):
    monkeypatch.setattr(module, "MAX_NETWORKS", 100_000)
    index = Networks()
    for trunk in range(2000):
        first = 0x1000_0000 + (trunk << 12)
        assert index.put(f"t{trunk}", [net((first + (n << 7), 25 + n % 8)) for n in range(32)])
        assert index.put(f"shared{trunk}", [net("203.0.113.0/24")])
    began = time.perf_counter()
    for look in range(1000):
        assert index.holding(str(ipaddress.IPv4Address(0x1000_0000 + (look << 12)))).trunk_id
        assert index.holding("203.0.113.9").trunk_id is None
        assert index.holding("198.51.100.1") is None
    assert time.perf_counter() - began < 1.0


def test_what_the_gateway_tells_is_what_the_edge_takes():
    assert TOLD_AT_ONCE <= render.NETWORKS_OF_A_MESSAGE
    assert KEPT_BY_EDGE_S <= render.NETWORKS_S
    widest = f"16.0.0.0/{render.SHORTEST_PREFIX}"
    assert Fields({"revision": 1, "networks": [widest]}).networks() == (net(widest),)
    with pytest.raises(BadTrunkError, match="too wide"):
        Fields({"revision": 1, "networks": [f"16.0.0.0/{render.SHORTEST_PREFIX - 1}"]}).networks()
