"""Whom the gateway may be made to talk to: the public internet, not its own network.

A trunk's host is what a stranger wrote. Without this check it would make the gateway knock on
whatever the gateway can reach. Pure, but for the resolver that is given.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable

from wire.addresses import forbidden

Resolver = Callable[[str, int], Awaitable[Iterable[str]]]
"""(host, port) -> its addresses. OSError: it has none, or the name servers do not answer."""

_RESOLVE_WITHIN = 4.0


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
