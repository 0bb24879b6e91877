"""Counters of rate limits: one item for each window of the clock, which expires by TTL.

| item | pk | sk |
|---|---|---|
| an account's | `ACCOUNT#<id>` | `RATE#<limit>#<window>` |
| a source address's | `RATE#<limit>#<source>` | `<window>` |
| everybody's | `RATE#<limit>` | `<window>` |
"""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.domain.rate_limit import Limit
from chalicelib.store.table import ConditionFailed, Table, Write, update

_KEPT_S = 3600
"""Time for which a counter outlasts its window: clocks differ."""


@dataclass(frozen=True)
class Counter:
    """The counter of a window, its highest value, and how much is counted at once."""

    pk: str
    sk: str
    most: int
    expires_at: int
    amount: int = 1


class RateLimitStore:
    """Counts requests against limits."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def count(self, *counters: Counter) -> bool:
        """Count in all counters. If one is full, count in none and return False. Raises
        Contention.
        """
        try:
            self._table.write(*(_count(counter) for counter in counters))
        except ConditionFailed:
            return False
        return True


def of_account(limit: Limit, account_id: str, now: int, most: int, amount: int = 1) -> Counter:
    """Return an account's counter for the present window."""
    window = limit.window(now)
    expires_at = (window + 1) * limit.per_s + _KEPT_S
    sk = f"RATE#{limit.name}#{window}"
    return Counter(f"ACCOUNT#{account_id}", sk, most, expires_at, amount)


def of_everybody(limit: Limit, source: str | None, now: int, most: int) -> Counter:
    """Return the counter of a source address for the present window; without an address, of all
    together.
    """
    window = limit.window(now)
    expires_at = (window + 1) * limit.per_s + _KEPT_S
    pk = f"RATE#{limit.name}" + (f"#{source}" if source else "")
    return Counter(pk, str(window), most, expires_at)


def _count(counter: Counter) -> Write:
    return update(
        counter.pk,
        counter.sk,
        "SET #expires = :expires ADD #count :amount",
        condition="attribute_not_exists(#count) OR #count <= :room",
        names={"#expires": "expires_at", "#count": "count"},
        values={
            ":expires": counter.expires_at,
            ":amount": counter.amount,
            ":room": counter.most - counter.amount,
        },
    )
