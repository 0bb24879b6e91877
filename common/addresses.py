"""The addresses that strangers may make us connect to: those of the public Internet only.

A trunk's host or an agent's URL must lead there; otherwise it could make us connect to our own
network. No look-ups here: the caller resolves a name and checks each of its addresses.
"""

from __future__ import annotations

import ipaddress

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_ODD = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.88.99.0/24",  # 6to4 relays
        "192.0.0.0/24",
        "168.63.129.16/32",  # metadata services of a cloud, at a global address
        "fec0::/10",
        "3fff::/20",
    )
)

_SMALL = tuple(
    ipaddress.ip_network(network)
    for network in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "::ffff:0:0/96")
)
"""Ranges that are not global, or stand for others, and fit between the ends of a network."""


def forbidden(address: str) -> bool:
    """Return whether an IP address is not global: private, loopback, link-local, multicast and so
    on.

    Text that is no address is forbidden too.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return True
    return not _global(found)


def forbidden_network(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    """Return whether a network has addresses that are not global, by its ends and by the known
    small ranges between them. It is meant for networks of at most an IPv4 /20 or an IPv6 /48.
    """
    if any(
        small.version == network.version and network.overlaps(small) for small in (*_ODD, *_SMALL)
    ):
        return True
    return not (_global(network.network_address) and _global(network.broadcast_address))


def _global(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        # An address that contains an IPv4 address leads to that address.
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _global(inner)
        if address.teredo is not None or address.scope_id is not None:
            return False
    if any(address in network for network in _ODD):
        return False
    odd = address.is_multicast or address.is_reserved or address.is_unspecified
    return address.is_global and not odd
