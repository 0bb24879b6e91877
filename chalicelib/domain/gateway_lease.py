"""Leases of gateways, and how trunks are divided among several gateways (decision 15).

A gateway holds a lease as long as it renews it. A trunk belongs to the gateway that scores highest
for it (rendezvous hashing), so that a gateway that goes away, or comes, moves its own trunks only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from chalicelib.domain.model import Model

LEASE_MS = 20_000
"""A lease that is not renewed ends after this time."""
RENEW_EVERY_MS = 10_000
"""Time after which a gateway renews its lease at the latest."""
SETTLE_MS = 2_000
"""Time for which a gateway that comes registers nothing, while the others drop the trunks that
become its own: two registrations at once would make one call ring twice."""
HANDOVER_MS = 10_000
"""Time for which a gateway that drains stays registered, while the others register its trunks. It
takes no calls meanwhile, so none rings twice."""
MAX_GATEWAYS = 16
"""Gateways of one installation."""

_SOON_MS = 100
"""Gateways ask again this much after a moment, since clocks of processes differ a little."""


class GatewayLease(Model):
    """A gateway's lease; times are epoch ms. `url` is where the application reaches it; `since` and
    `draining`: since when it has the lease, and since when it drains."""

    name: str
    url: str
    until: int
    since: int
    draining: int | None = None


def live(leases: Iterable[GatewayLease], now: int) -> list[GatewayLease]:
    """Return the leases that have not ended, in the order of their names."""
    return sorted((each for each in leases if each.until > now), key=lambda each: each.name)


def open_to_calls(leases: Sequence[GatewayLease]) -> list[GatewayLease]:
    """Return the gateways among which trunks are divided: those that do not drain. If all do, all
    of them keep what they have."""
    return [each for each in leases if each.draining is None] or list(leases)


def holder(trunk_id: str, leases: Sequence[GatewayLease]) -> GatewayLease | None:
    """Return the gateway that a trunk belongs to, of those that are live; None if none is."""
    return max(open_to_calls(leases), key=lambda each: _score(each.name, trunk_id), default=None)


def registers(name: str, trunk_id: str, leases: Sequence[GatewayLease], now: int) -> bool:
    """Return whether the gateway of that name is to have the trunk registered at this moment."""
    own = next((each for each in leases if each.name == name), None)
    if own is None or _settling(own, leases, now):
        return False
    among = open_to_calls(leases)
    if own not in among:
        among = [*among, own] if now < _drained_at(own) else among
    best = max(among, key=lambda each: _score(each.name, trunk_id))
    return best.name == name


def division(name: str, leases: Sequence[GatewayLease], now: int) -> str:
    """Return a word that changes when `registers` may answer otherwise for this gateway."""
    own = next((each for each in leases if each.name == name), None)
    phase = "none"
    if own is not None:
        phase = "settling" if _settling(own, leases, now) else "settled"
        if own.draining is not None:
            phase = "draining" if now < _drained_at(own) else "drained"
    names = sorted(each.name for each in open_to_calls(leases))
    return hashlib.sha256("\n".join([phase, *names]).encode()).hexdigest()[:16]


def ask_again_ms(name: str, leases: Sequence[GatewayLease], now: int) -> int:
    """Return after how many ms a gateway shall renew its lease: when something may have changed,
    and often enough to keep it."""
    moments = [now + RENEW_EVERY_MS]
    for each in leases:
        if each.name != name:
            moments.append(each.until)
        elif _settling(each, leases, now):
            moments.append(each.since + SETTLE_MS)
        elif each.draining is not None and now < _drained_at(each):
            moments.append(_drained_at(each))
    return max(0, min(moments) - now) + _SOON_MS


def _settling(own: GatewayLease, leases: Sequence[GatewayLease], now: int) -> bool:
    return now < own.since + SETTLE_MS and any(each.since < own.since for each in leases)


def _drained_at(own: GatewayLease) -> int:
    return (own.draining or 0) + HANDOVER_MS


def _score(name: str, trunk_id: str) -> bytes:
    return hashlib.sha256(f"{name}\n{trunk_id}".encode()).digest()
