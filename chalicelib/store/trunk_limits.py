"""How often something is done for a trunk in an hour: connecting it, telling of numbers not added.

| item | pk | sk |
|---|---|---|
| how often it was connected in an hour | `ACCOUNT#<id>` | `CONNECTS#<hour>` |
| number told of as not added | `TRUNK#<trunk id>#NOT_ADDED` | `NUMBER#<as called>` |
| how many were told of in an hour | `TRUNK#<trunk id>#NOT_ADDED` | `HOUR#<hour>` |

All of them go by TTL.
"""

from __future__ import annotations

from chalicelib.domain.event import Event
from chalicelib.domain.instant import to_text
from chalicelib.store.events import outbox_put
from chalicelib.store.table import ConditionFailed, Table, put, update

TOLD_APART_MS = 3_600_000
"""A number called that is not added is told of once in this time."""

MAX_TOLD = 50
"""Different ones told of in an hour (of the clock): a scanner must not bury what else happens."""

MAX_CONNECTS = 20
"""Connects of an account in an hour (of the clock): each has the gateway knock at a carrier."""

_MARKER_KEPT_S = 2 * 3600


class TrunkLimits:
    """Counts, each in the write that it allows."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def count_connect(self, account_id: str, now: int) -> bool:
        """Count one more connect of the account. False if it has had `MAX_CONNECTS` this hour."""
        try:
            self._table.write(
                update(
                    f"ACCOUNT#{account_id}",
                    f"CONNECTS#{now // 3_600_000}",
                    "SET #expires = :expires ADD #connects :one",
                    condition="attribute_not_exists(#connects) OR #connects < :max",
                    names={"#expires": "expires_at", "#connects": "connects"},
                    values={
                        ":expires": now // 1000 + _MARKER_KEPT_S,
                        ":one": 1,
                        ":max": MAX_CONNECTS,
                    },
                )
            )
        except ConditionFailed:
            return False
        return True

    def tell_once(self, trunk_id: str, called: str, now: int, event: Event) -> bool:
        """Write an event about a call to `called`, a number that is not added. False if one was
        written within `TOLD_APART_MS`, or `MAX_TOLD` in this hour. Contention.
        """
        pk, hour = f"TRUNK#{trunk_id}#NOT_ADDED", now // 3_600_000
        expires = now // 1000 + _MARKER_KEPT_S
        marker = {
            "pk": pk,
            "sk": f"NUMBER#{called}",
            "until": to_text(now + TOLD_APART_MS),
            "expires_at": expires,
        }
        try:
            self._table.write(
                # Items outlive their TTL by hours at times.
                put(
                    marker,
                    "attribute_not_exists(pk) OR #until <= :now",
                    {"#until": "until"},
                    {":now": to_text(now)},
                ),
                update(
                    pk,
                    f"HOUR#{hour}",
                    "SET #expires = :expires ADD #told :one",
                    condition="attribute_not_exists(#told) OR #told < :max",
                    names={"#expires": "expires_at", "#told": "told"},
                    values={":expires": expires, ":one": 1, ":max": MAX_TOLD},
                ),
                outbox_put(event),
            )
        except ConditionFailed:
            return False
        return True
