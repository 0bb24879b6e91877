"""Rate limits: a number of times in each window of the clock."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """`times` in each `per_s` seconds (of the clock) for an account.

    With `overall` it is for requests without an account (sign-up): `times` for each source address,
    and `overall` for all addresses together.
    """

    name: str
    times: int
    per_s: int
    overall: int | None = None

    def window(self, now: int) -> int:
        """Return the number of the window that holds `now` (epoch ms)."""
        return now // (self.per_s * 1000)

    def retry_after_s(self, now: int) -> int:
        """Return the seconds until the next window, rounded up."""
        return self.per_s - now // 1000 % self.per_s


def source_of(address: str) -> str:
    """Return the source that an IP address is counted as: itself; for IPv6 its /64, since one host
    has many addresses of it. Text that is no address counts as `unknown`.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))
    return str(found)
