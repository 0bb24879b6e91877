"""Finds the servers of a trunk, without the addresses that must not be dialled."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Sequence

from common.addresses import forbidden
from gateway.sip.network.dns_lookup import DnsLookup
from gateway.sip.network.locate import CannotResolve, Naptr, Question, Srv, Target, Transport
from gateway.sip.network.resolve import Family, Lookup, LookupFailed, Resolver
from gateway.trunks.ssrf import system_resolver
from gateway.trunks.trunk import Trunk

SEARCHES = 32
"""Searches by NAPTR and SRV at a time; others wait."""

log = logging.getLogger(__name__)


class MachineLookup:
    """Look-ups in DNS, and in the machine's own list of hosts for addresses that DNS does not have.

    Implements `Lookup`.
    """

    def __init__(self, dns: Lookup | None = None) -> None:
        self._dns = dns or DnsLookup()

    async def naptr(self, name: str) -> Sequence[Naptr]:
        """Return the NAPTR records of a name."""
        return await self._dns.naptr(name)

    async def srv(self, name: str) -> Sequence[Srv]:
        """Return the SRV records of a name."""
        return await self._dns.srv(name)

    async def addresses(self, name: str, family: Family) -> Sequence[str]:
        """Return the addresses of a name."""
        with contextlib.suppress(LookupFailed):
            if found := await self._dns.addresses(name, family):
                return found
        try:
            found = await system_resolver(name, 0)
        except (OSError, UnicodeError) as error:
            raise LookupFailed(str(error)) from None
        return [each for each in found if (":" in each) == (family == "IPv6")]


class Servers:
    """Finds servers by RFC 3263: with a port by the host's addresses, else by NAPTR and SRV."""

    def __init__(self, lookup: Lookup | None = None) -> None:
        self._lookup = lookup or MachineLookup()
        self._turns = asyncio.Semaphore(SEARCHES)

    async def addresses(self, host: str, transport: Transport) -> list[str]:
        """Return all addresses to which a host without a port leads. Raises OSError if none."""
        try:
            found = await self._search(host, transport, ("IPv4", "IPv6"))
        except CannotResolve as error:
            raise OSError(str(error)) from None
        return [target.address for target in found]

    async def of(self, trunk: Trunk, *, ipv6: bool, private: bool) -> list[Target]:
        """Return the servers that a trunk's requests may go to, in the order to try them.

        They are of our address family. The list is empty if there are none. Addresses of private
        networks are included only if `private`.
        """
        hop = trunk.hop
        try:
            if hop.port is not None:
                found = [
                    Target(trunk.transport, address, hop.port, hop.host, hop.host)
                    for address in await system_resolver(hop.host, hop.port)
                ]
            else:
                family: Family = "IPv6" if ipv6 else "IPv4"
                found = await self._search(hop.host, trunk.transport, (family,))
        except (CannotResolve, OSError, UnicodeError) as error:
            # UnicodeError: no host can have such a name.
            log.warning("%s: %s", hop.host, error, extra={"trunk_id": trunk.trunk_id})
            return []
        usable = [each for each in found if (":" in each.address) == ipv6]
        return [each for each in usable if private or not forbidden(each.address)]

    async def _search(
        self, host: str, transport: Transport, families: tuple[Family, ...]
    ) -> list[Target]:
        question = Question(host, None, transport, secure=transport == "tls", naptr=True)
        async with self._turns:
            return await Resolver(self._lookup, secrets.randbelow, families).resolve(question)
