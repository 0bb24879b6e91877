"""Tests of the networks that trunks may name: public addresses only."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.addresses import forbidden, forbidden_network


@pytest.mark.parametrize(
    "network",
    ["9.9.9.9/32", "9.9.0.0/20", "9.9.9.0/24", "2620:fe::/48", "2620:fe::9/128",
     "2002:909:909::/48"],
)  # fmt: skip
def test_a_network_of_public_addresses_is_not_forbidden(network):
    assert not forbidden_network(network)


@pytest.mark.parametrize(
    "network",
    ["10.0.0.0/24", "127.0.0.1/32", "192.0.0.0/20", "192.168.16.0/20", "172.16.0.0/24",
     "100.64.0.0/24", "169.254.169.254/32", "168.63.128.0/20", "198.51.96.0/20", "203.0.112.0/20",
     "224.0.0.0/24", "240.0.0.0/24", "0.0.0.0/0", "9.0.0.0/8", "::1/128", "fd00::/48",
     "fe80::/64", "2001:db8::/48", "2001::/48", "64:ff9b::a00:0/112", "::ffff:9.9.9.0/120",
     "2002:a00:1::/48", "3fff::/48", "ff02::/64", "::/0", "9.9.9", ""],
)  # fmt: skip
def test_a_network_with_any_address_that_is_not_public_is_forbidden(network):
    assert forbidden_network(network)


@given(st.integers(0, 2**32 - 1), st.integers(20, 32), st.integers(0, 4095))
def test_no_address_of_an_allowed_network_is_forbidden(base, prefix, offset):
    network = ipaddress.ip_network((base, prefix), strict=False)
    inside = network[offset % network.num_addresses]
    assert forbidden_network(str(network)) or not forbidden(str(inside))
