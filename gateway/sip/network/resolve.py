"""From a SIP URI's host to the addresses to try, in order.

Records come through a `Lookup`, that of `gateway.sip.network.dns_lookup` or a table. A failed
look-up of one kind does not end the search: many resolvers fail at NAPTR.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeVar

from gateway.sip.network import locate
from gateway.sip.network.locate import CannotResolve, Naptr, Question, Srv, Target, Transport

__all__ = ["CannotResolve", "Lookup", "LookupFailed", "Question", "Resolver", "Target"]

Family = Literal["IPv4", "IPv6"]
T = TypeVar("T")

TIMEOUT = 10.0
"""Limit of a whole search, in seconds."""
MAX_TARGETS = 32
"""Limit of the targets of a search, and of the addresses of a name."""

_RECORDS = {"IPv4": "A", "IPv6": "AAAA"}


class LookupFailed(Exception):
    """A look-up without an answer: it timed out, or the name server failed."""


class Lookup(Protocol):
    """Look-ups in DNS. They return nothing where there is nothing, and raise LookupFailed."""

    async def naptr(self, name: str) -> Sequence[Naptr]:
        """Return the NAPTR records of a name."""

    async def srv(self, name: str) -> Sequence[Srv]:
        """Return the SRV records of a name."""

    async def addresses(self, name: str, family: Family) -> Sequence[str]:
        """Return the A or AAAA records of a name."""


@dataclass(frozen=True, slots=True)
class _Hop:
    """A server: a name or an address, with its port."""

    transport: Transport
    host: str
    port: int


@dataclass(slots=True)
class Resolver:
    """Search for the addresses of SIP servers.

    `randbelow(n)` returns a number from 0 to n - 1, for weights. `families` are those that this
    side can send to, the preferred one first. `guard(address)` raises for addresses that must not
    be used; they are left out, and if none is left, what it raised is raised.
    """

    lookup: Lookup
    randbelow: Callable[[int], int]
    families: tuple[Family, ...] = ("IPv4", "IPv6")
    guard: Callable[[str], None] | None = None
    timeout: float = TIMEOUT

    async def resolve(self, question: Question) -> list[Target]:
        """Return the targets to try, one after the other (RFC 3263 4.3). Raise CannotResolve."""
        search = _Search(self, question)
        try:
            async with asyncio.timeout(self.timeout):
                targets = await search.targets()
        except TimeoutError:
            raise CannotResolve(
                f"{question.host} was not resolved within {self.timeout:g} s ({search.story()})"
            ) from None
        return self._guarded(targets)

    def _guarded(self, targets: list[Target]) -> list[Target]:
        """Leave out what the guard refuses."""
        if self.guard is None:
            return targets
        kept, refusals = [], []
        for target in targets:
            try:
                self.guard(target.address)
            except Exception as why:
                refusals.append(why)
            else:
                kept.append(target)
        if not kept:
            raise refusals[0]
        return kept


@dataclass(slots=True)
class _Search:
    """One search, and the story of what it asked."""

    resolver: Resolver
    question: Question
    asked: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    async def targets(self) -> list[Target]:
        """Find the hops, then their addresses."""
        name = self.question.host.strip("[]")
        hops = await self._hops(name.rstrip("."))
        found: list[Target] = []
        for hop, addresses in zip(hops, await self._addresses(hops), strict=True):
            found += [Target(hop.transport, a, hop.port, name, hop.host) for a in addresses]
        if not found:
            raise CannotResolve(f"{name} has no address ({self.story()})")
        return found[:MAX_TARGETS]

    def story(self) -> str:
        """Return what was asked and what failed."""
        failed = f"; {'; '.join(self.failed)}" if self.failed else ""
        return f"asked for {', '.join(self.asked) or 'nothing'}{failed}"

    async def _hops(self, host: str) -> list[_Hop]:
        """Find transport, name and port (RFC 3263 4.1, 4.2)."""
        numeric = locate.is_address(host)
        if not numeric and not locate.is_name(host):
            raise CannotResolve(f"{host[:80]!r} is no host name")
        transport = locate.known_transport(self.question, numeric)
        usual = transport or locate.usual_transport(self.question)
        port = self.question.port or locate.default_port(usual)
        if numeric or self.question.port:
            return [_Hop(usual, host, port)]
        wanted = (transport,) if transport else locate.default_transports(self.question.secure)
        services = []
        if transport is None or self.question.naptr:
            records = await self._ask("NAPTR", host, self.resolver.lookup.naptr(host))
            found = locate.naptr_services(records, self.question.secure)
            services = [each for each in found if transport in (None, each[0])]
        if not services:
            services = [(each, locate.srv_name(each, host)) for each in wanted]
        return await self._servers(services, host) or [_Hop(usual, host, port)]

    async def _servers(self, services: list[tuple[Transport, str]], host: str) -> list[_Hop]:
        """Find the servers of services. Raise CannotResolve if DNS says that there are none."""
        hops: list[_Hop] = []
        denied = False
        for transport, name in services:
            records = await self._ask("SRV", name, self.resolver.lookup.srv(name))
            usable = [r for r in records if r.port and locate.is_name(r.target)]
            denied = denied or any(r.target in {"", "."} for r in records)
            hops += [
                _Hop(transport, record.target.rstrip("."), record.port)
                for record in locate.in_order(usable, self.resolver.randbelow)
            ]
        if denied and not hops:
            raise CannotResolve(f"{host} says in DNS that it has no SIP server ({self.story()})")
        return hops[: locate.MAX_HOPS]

    async def _addresses(self, hops: list[_Hop]) -> list[list[str]]:
        """Find the addresses of all hops at once, each name once."""
        names = list(dict.fromkeys(hop.host for hop in hops))
        found = dict(zip(names, await asyncio.gather(*map(self._of, names)), strict=True))
        return [found[hop.host] for hop in hops]

    async def _of(self, name: str) -> list[str]:
        """Return the addresses of a name, of the preferred family first."""
        if locate.is_address(name):
            own = "IPv6" if ":" in name else "IPv4"
            if own not in self.resolver.families:
                self.failed.append(f"{name} is {own}, which is not spoken here")
                return []
            return [name]
        found: list[str] = []
        for family in self.resolver.families:
            answer = self.resolver.lookup.addresses(name, family)
            records = await self._ask(_RECORDS[family], name, answer)
            found += [address for address in records if locate.is_address(address)]
        return found[:MAX_TARGETS]

    async def _ask(self, kind: str, name: str, answer: Awaitable[Sequence[T]]) -> Sequence[T]:
        """Wait for an answer, and note what was asked."""
        self.asked.append(f"{kind} {name}")
        try:
            return await answer
        except LookupFailed as why:
            self.failed.append(f"{kind} {name}: {why}")
            return ()
