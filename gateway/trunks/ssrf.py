"""The check that a trunk's host is on the public internet and not in our own network.

A trunk's host is written by a stranger. Without this check it could make the gateway connect to any
address that the gateway can reach. No I/O, except for the given resolver.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from common.addresses import forbidden
from gateway.trunks.trunk import Transport

Resolver = Callable[[str, int], Awaitable[Iterable[str]]]
"""Takes (host, port), returns the addresses. Raises OSError if there are none, or the name servers
do not answer."""

Servers = Callable[[str, Transport], Awaitable[Iterable[str]]]
"""Takes a host without a port, and a transport; returns the addresses of its SIP servers
(RFC 3263). Raises OSError as a resolver does."""

LOOKUPS = 32
"""Limit of look-ups at the same time; others wait for a thread."""

_RESOLVE_WITHIN = 4.0
"""Seconds that a look-up may take once it has a thread."""

_THREAD_WITHIN = 60.0
"""Seconds to wait for a thread: two thousand trunks ask at once after a start."""

_threads = ThreadPoolExecutor(LOOKUPS, "lookup")
"""Threads of their own for look-ups: a name whose servers never answer holds a thread until the
system gives up. It must not delay the look-ups of the HTTP client, which use the event loop's
threads."""


@dataclass
class _Lookup:
    """The look-up of a name; later callers wait for the same answer."""

    answer: Future[list[str] | OSError]
    begun: Future[None]
    waiting: int = 0


_lookups: dict[str, _Lookup] = {}


async def allowed_target(host: str, port: int, resolver: Resolver) -> bool:
    """Return whether *every* address of `host` is a global one.

    Raises OSError if it cannot be resolved.
    """
    return await _allowed(host, lambda: resolver(host, port))


async def allowed_servers(host: str, transport: Transport, servers: Servers) -> bool:
    """Return whether *every* address of the SIP servers of `host` is a global one.

    Raises OSError if it has none.
    """
    return await _allowed(host, lambda: servers(host, transport))


async def _allowed(host: str, find: Callable[[], Awaitable[Iterable[str]]]) -> bool:
    try:
        return not forbidden(str(ipaddress.ip_address(host)))
    except ValueError:
        addresses = list(await find())
    if not addresses:
        raise OSError(f"{host} has no address")
    return not any(forbidden(address) for address in addresses)


async def system_resolver(host: str, port: int) -> list[str]:
    """Resolve as the operating system does.

    Raises OSError if that fails, or takes longer than a few seconds from its beginning.
    """
    lookup = _lookups.get(host)
    if lookup is None or lookup.answer.done():
        begun: Future[None] = Future()
        lookup = _lookups[host] = _Lookup(_threads.submit(_addresses, host, port, begun), begun)
    lookup.waiting += 1
    try:
        async with asyncio.timeout(_THREAD_WITHIN):
            await asyncio.shield(asyncio.wrap_future(lookup.begun))
        async with asyncio.timeout(_RESOLVE_WITHIN):
            found = await asyncio.shield(asyncio.wrap_future(lookup.answer))
    except TimeoutError:
        raise OSError(f"{host} was not resolved in time") from None
    finally:
        lookup.waiting -= 1
        # A look-up without a thread is cancelled when nobody waits for it any more.
        if not lookup.waiting and (lookup.answer.done() or lookup.answer.cancel()):
            _forget(host, lookup)
        elif not lookup.waiting:
            lookup.answer.add_done_callback(lambda _: _forget(host, lookup))
    if isinstance(found, OSError):
        raise found
    return found


def _addresses(host: str, port: int, begun: Future[None]) -> list[str] | OSError:
    """Ask the system. An error is returned, not raised: the caller may be gone by then."""
    begun.set_result(None)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except UnicodeError:
        return OSError(f"{host} is no name that could be resolved")
    except OSError as error:
        return error
    return [str(address[0]) for *_, address in found]


def _forget(host: str, lookup: _Lookup) -> None:
    if _lookups.get(host) is lookup and not lookup.waiting:
        del _lookups[host]
