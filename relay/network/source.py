"""The source address of a connection, as the bounds of each address count it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence


def of_peer(peer: str) -> str:
    """Return the address that counts: an IPv4 address, or the /64 network of an IPv6 one, as a host
    that has one address of such a network has them all.
    """
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return peer
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))


def of_request(peer: str, forwarded: Sequence[str], *, behind_proxy: bool) -> str:
    """Return the address that counts for a request.

    `forwarded`: its `X-Forwarded-For` headers. Only their last element was written by the proxy;
    anybody can have made up the others.
    """
    last = forwarded[-1].rpartition(",")[2].strip() if behind_proxy and forwarded else ""
    try:
        ipaddress.ip_address(last)
    except ValueError:
        return of_peer(peer)
    return of_peer(last)
