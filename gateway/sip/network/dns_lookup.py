"""Look-ups in DNS, for `gateway.sip.network.resolve`. Answers are cached as long as they hold."""

from __future__ import annotations

import time
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.resolver

from gateway.sip.network.locate import Naptr, Srv
from gateway.sip.network.resolve import Family, LookupFailed

TIMEOUT = 2.0
"""Seconds that one name server has for an answer."""
LIFETIME = 5.0
"""Limit of a look-up with all its tries, in seconds."""
MAX_CACHED = 1_000
"""Limit of the cached answers; the one that was used longest ago goes first."""

LONGEST = 300.0
"""Seconds for which an answer is believed at most, whatever its server says."""
LONGEST_NONE = 30.0
"""Seconds for which a name is believed to have no records. Some servers say it without a limit."""

_LOCAL = {"IPv4": "127.0.0.1", "IPv6": "::1"}
_TYPES = {"IPv4": "A", "IPv6": "AAAA"}


class DnsLookup:
    """Look-ups through the name servers of the machine, or through a resolver that is given."""

    def __init__(self, resolver: dns.asyncresolver.Resolver | None = None) -> None:
        self._resolver = resolver or _of_this_machine()
        self._resolver.timeout = TIMEOUT
        self._resolver.lifetime = LIFETIME
        self._resolver.cache = _Cache(MAX_CACHED)

    async def naptr(self, name: str) -> list[Naptr]:
        """Return the NAPTR records of a name."""
        return [
            Naptr(
                record.order,
                record.preference,
                record.flags.decode(errors="replace"),
                record.service.decode(errors="replace"),
                record.replacement.to_text(),
            )
            for record in await self._ask(name, "NAPTR")
        ]

    async def srv(self, name: str) -> list[Srv]:
        """Return the SRV records of a name."""
        return [
            Srv(record.priority, record.weight, record.port, record.target.to_text())
            for record in await self._ask(name, "SRV")
        ]

    async def addresses(self, name: str, family: Family) -> list[str]:
        """Return the A or AAAA records of a name. `localhost` is never asked for (RFC 6761 6.3)."""
        if name.lower() == "localhost":
            return [_LOCAL[family]]
        return [record.address for record in await self._ask(name, _TYPES[family])]

    async def _ask(self, name: str, kind: str) -> list[Any]:
        """Return the records of a name, none if there are none. Raise LookupFailed."""
        try:
            answer = await self._resolver.resolve(
                f"{name.rstrip('.')}.", kind, raise_on_no_answer=False
            )
        except dns.resolver.NXDOMAIN:
            return []
        except dns.exception.Timeout:
            raise LookupFailed("no name server answered in time") from None
        except dns.resolver.NoNameservers:
            raise LookupFailed("the name servers failed") from None
        except dns.exception.DNSException as why:
            raise LookupFailed(str(why)[:200] or type(why).__name__) from None
        return list(answer.rrset or ())


class _Cache(dns.resolver.LRUCache):
    """A cache that keeps nothing for long."""

    def put(self, key: Any, value: dns.resolver.Answer) -> None:
        """Keep an answer."""
        longest = LONGEST if value.rrset else LONGEST_NONE
        value.expiration = min(value.expiration, time.time() + longest)
        super().put(key, value)


def _of_this_machine() -> dns.asyncresolver.Resolver:
    """Return a resolver with the machine's name servers; with none if it has none."""
    try:
        return dns.asyncresolver.Resolver()
    except dns.resolver.NoResolverConfiguration:
        return dns.asyncresolver.Resolver(configure=False)
