"""Counters of a trunk in an hour: how often it was connected, and how many events told of calls to
numbers that are not added.

| item | pk | sk |
|---|---|---|
| how often it was connected in an hour | `ACCOUNT#<id>` | `CONNECTS#<hour>` |
| a number for which an event was written | `TRUNK#<trunk id>#NOT_ADDED` | `NUMBER#<as called>` |
| how many events were written in an hour | `TRUNK#<trunk id>#NOT_ADDED` | `HOUR#<hour>` |

All of them expire by TTL.
"""

from __future__ import annotations

from chalicelib.domain.event import Event
from chalicelib.domain.instant import to_text
from chalicelib.store.events import outbox_put
from chalicelib.store.table import ConditionFailed, Table, put, update

NOT_ADDED_EVERY_MS = 3_600_000
"""Least time between two events about calls to the same number that is not added."""

MAX_NOT_ADDED = 50
"""Events about numbers that are not added in an hour (of the clock): a scanner must not hide other
events."""

MAX_CONNECTS = 20
"""Connects of an account in an hour (of the clock): each lets the gateway register at a carrier."""

_MARKER_KEPT_S = 2 * 3600


class TrunkLimits:
    """Counts connects and events of a trunk, each in the write that it allows."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def count_connect(self, account_id: str, now: int) -> bool:
        """Count a connect of the account; return False if it has had `MAX_CONNECTS` this hour."""
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
        """Write an event about a call to `called`, a number that is not added; return False if one
        was written within `NOT_ADDED_EVERY_MS`, or `MAX_NOT_ADDED` in this hour. Raises Contention.
        """
        pk, hour = f"TRUNK#{trunk_id}#NOT_ADDED", now // 3_600_000
        expires = now // 1000 + _MARKER_KEPT_S
        marker = {
            "pk": pk,
            "sk": f"NUMBER#{called}",
            "until": to_text(now + NOT_ADDED_EVERY_MS),
            "expires_at": expires,
        }
        try:
            self._table.write(
                # DynamoDB may delete items hours after their TTL.
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
                    values={":expires": expires, ":one": 1, ":max": MAX_NOT_ADDED},
                ),
                outbox_put(event),
            )
        except ConditionFailed:
            return False
        return True
