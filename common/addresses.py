"""The addresses that strangers may make us connect to: those of the public Internet only.

A trunk's host or an agent's URL must lead there; otherwise it could make us connect to our own
network. No look-ups here: the caller resolves a name and checks each of its addresses.
"""

from __future__ import annotations

import ipaddress

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_UNICAST = ipaddress.IPv6Network("2000::/3")
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


def forbidden_network(text: str) -> bool:
    """Return whether an IP network has an address that is not global. Text that is no network is
    forbidden too. Knows networks of carriers, IPv4 /16 or smaller and IPv6 /32 or smaller; larger
    ones are forbidden.
    """
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        return True
    if any(network.version == odd.version and network.overlaps(odd) for odd in _ODD):
        return True
    if isinstance(network, ipaddress.IPv6Network):
        within = network.prefixlen >= 32 and network.subnet_of(_UNICAST)
        return not within or not all(map(_global, (network[0], network[-1])))
    if network.prefixlen < 16:
        return True
    # No block of IPv4 that is not global is smaller than /24, besides those of `_ODD`.
    blocks = [network] if network.prefixlen >= 24 else network.subnets(new_prefix=24)
    return not all(_global(block[0]) for block in blocks)


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
