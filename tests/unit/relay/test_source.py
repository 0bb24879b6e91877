"""Where a connection comes from, and how many there may be."""

from __future__ import annotations

import resource
import socket

import pytest

from relay.files import LEAST, RESERVED, affordable, raise_limit
from relay.network.connections import Listener, bound
from relay.network.source import of_peer, of_request


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:1:aaaa::1", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:bbbb::2", "2001:db8:0:1::/64"),
        ("2001:db8:0:2::1", "2001:db8:0:2::/64"),
        ("", ""),
        ("no address", "no address"),
    ],
)
def test_an_ipv6_network_of_one_host_counts_as_one_address(peer: str, address: str) -> None:
    assert of_peer(peer) == address


@pytest.mark.parametrize(
    ("forwarded", "behind_proxy", "source"),
    [
        (["203.0.113.7"], True, "203.0.113.7"),
        (["10.0.0.1, 203.0.113.7"], True, "203.0.113.7"),
        (["10.0.0.1", "10.0.0.2,203.0.113.7 "], True, "203.0.113.7"),
        (["2001:db8::1"], True, "2001:db8::/64"),
        (["203.0.113.7, nonsense"], True, "192.0.2.1"),
        ([], True, "192.0.2.1"),
        (["203.0.113.7"], False, "192.0.2.1"),
    ],
)
def test_only_the_address_that_our_proxy_wrote_is_believed(
    forwarded: list[str], behind_proxy: bool, source: str
) -> None:
    assert of_request("192.0.2.1", forwarded, behind_proxy=behind_proxy) == source


def test_the_soft_limit_of_open_files_becomes_the_hard_one() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, before[1]))
        assert raise_limit() == before[1]
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_open_files_limit_the_connections_to_half_of_them() -> None:
    assert affordable(8192, 1 << 20) == 8192
    assert affordable(8192, 1024) == (1024 - RESERVED) // 2
    assert affordable(8192, 100) == LEAST


def test_each_address_of_a_host_is_listened_on_at_the_same_port() -> None:
    if not socket.has_ipv6 or len({info[4] for info in _localhost()}) < 2:
        pytest.skip("localhost has one address here")
    listeners = bound("localhost", 0, Listener)
    try:
        assert len({listener.getsockname()[1] for listener in listeners}) == 1
        assert len(listeners) == 2
    finally:
        for listener in listeners:
            listener.close()


def _localhost() -> list[tuple[object, ...]]:
    return [*socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)]
