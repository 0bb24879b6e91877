"""Counts of calls that were turned away; at most one event a minute tells of them.

| item | pk | sk |
|---|---|---|
| until when no further event is written, and how many were turned away since | `ACCOUNT#<id>` | `TURNED_AWAY` |

It expires by TTL.
"""  # noqa: E501 - a table

from __future__ import annotations

from collections.abc import Callable

from chalicelib.domain.event import Event
from chalicelib.domain.instant import to_text
from chalicelib.store.contention import tries
from chalicelib.store.events import outbox_put
from chalicelib.store.table import ConditionFailed, Contention, Item, Table, put, update

EVENT_EVERY_MS = 60_000
"""Time between two events that tell of calls that were turned away."""

MAX_ROUNDS = 5
"""Tries to count one while others count; beyond that it is not counted."""

_KEPT_S = 24 * 3600


class TurnedAwayStore:
    """Counts calls that were turned away."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def count(self, account_id: str, now: int, event_of: Callable[[int], Event]) -> Event | None:
        """Count one more, and write the event if none was within `EVENT_EVERY_MS`; return it.

        `event_of` makes it from the number of calls since the last event, this one included.
        """
        for _ in tries(MAX_ROUNDS):
            try:
                self._count_only(account_id, now)
                return None
            except ConditionFailed as lost:
                before = lost.items[0]
            except Contention:
                continue
            event = event_of(1 + (before["count"] if before else 0))
            if self._tell(account_id, now, before, event):
                return event
        return None

    def _count_only(self, account_id: str, now: int) -> None:
        """Count one more. Raises ConditionFailed if an event is due, Contention."""
        self._table.write(
            update(
                f"ACCOUNT#{account_id}",
                "TURNED_AWAY",
                "SET #expires = :expires ADD #count :one",
                condition="#quiet > :now",
                names={"#expires": "expires_at", "#count": "count", "#quiet": "quiet_until"},
                values={":expires": now // 1000 + _KEPT_S, ":one": 1, ":now": to_text(now)},
            )
        )

    def _tell(self, account_id: str, now: int, before: Item | None, event: Event) -> bool:
        """Write the event and set the count to zero. Return False if another process did so
        first.
        """
        item: Item = {
            "pk": f"ACCOUNT#{account_id}",
            "sk": "TURNED_AWAY",
            "quiet_until": to_text(now + EVENT_EVERY_MS),
            "count": 0,
            "expires_at": now // 1000 + _KEPT_S,
        }
        condition, names, values = "attribute_not_exists(pk)", {}, {}
        if before is not None:
            condition = "#quiet = :quiet AND #count = :count"
            names = {"#quiet": "quiet_until", "#count": "count"}
            values = {":quiet": before["quiet_until"], ":count": before["count"]}
        try:
            self._table.write(put(item, condition, names, values), outbox_put(event))
        except (ConditionFailed, Contention):
            return False
        return True
