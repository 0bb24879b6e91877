"""Whom the gateway may be made to talk to: the public internet, not its own network.

A trunk's host is what a stranger wrote. Without this check it would make the gateway knock on
whatever the gateway can reach. Pure, but for the resolver that is given.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable

Resolver = Callable[[str, int], Awaitable[Iterable[str]]]
"""(host, port) -> its addresses. OSError: it has none, or the name servers do not answer."""

_RESOLVE_WITHIN = 4.0
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_ODD = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.88.99.0/24",  # 6to4 relays
        "192.0.0.0/24",
        "168.63.129.16/32",  # a cloud's own services, at a global address
        "fec0::/10",
        "3fff::/20",
    )
)


def forbidden(address: str) -> bool:
    """Whether an IP address is private, loopback, link-local, multicast or otherwise not global.

    What is no address at all is forbidden too.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return True
    return not _global(found)


async def allowed_target(host: str, port: int, resolver: Resolver) -> bool:
    """Whether *every* address of `host` is a global one. OSError: it cannot be resolved."""
    try:
        return not forbidden(str(ipaddress.ip_address(host)))
    except ValueError:
        addresses = list(await resolver(host, port))
    if not addresses:
        raise OSError(f"{host} has no address")
    return not any(forbidden(address) for address in addresses)


async def system_resolver(host: str, port: int) -> list[str]:
    """As the operating system resolves. OSError, also if that takes longer than a few seconds."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_RESOLVE_WITHIN):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except TimeoutError:
        raise OSError(f"{host} was not resolved in time") from None
    except UnicodeError:
        raise OSError(f"{host} is no name that could be resolved") from None
    return [str(address[0]) for *_, address in found]


def _global(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        # Addresses that carry an IPv4 one lead to where that one does.
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
