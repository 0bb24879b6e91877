"""Places in the table: a number of holders at once, each until its lease ends.

| item | pk | sk | |---|---|---| | the holders of places of one kind, and the ends of their leases
(epoch ms) | `ACCOUNT#<id>` | `PLACES#<kind>` |

Each change is one conditional update of one item and never part of a transaction: updates of the
same item wait for each other, transactions would make each other fail. So a holder that dies keeps
its place until its lease ends; a process that finds no place free frees the overdue ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.store.contention import tries
from chalicelib.store.table import ConditionFailed, Contention, Item, Table, Write, put, update

MAX_ROUNDS = 10
"""Tries to take a place while others take and give back at the same moment."""

MAX_PLACES = 2000
"""Places of one kind that an account can have: all are in one item, and DynamoDB's hold 400 kB."""

LONGEST_LEASE_MS = 26 * 3_600_000
"""Longer than any call may last."""

_KEPT_S = 3600
"""Time for which the item outlasts the last lease: clocks differ."""


@dataclass(frozen=True)
class Places:
    """The places of one kind that an account has; `most`: how many."""

    account_id: str
    kind: str
    most: int


class PlaceStore:
    """Takes places and gives them back."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def take(self, places: Places, holder: str, now: int, until: int) -> bool:
        """Take a place for `holder` until `until` (epoch ms), or extend the one it has.

        Return False if others hold all places and no lease has ended, or if too many take and give
        back at the same moment.
        """
        for _ in tries(MAX_ROUNDS):
            try:
                self._table.write(_take(places, holder, now, until))
                return True
            except ConditionFailed as lost:
                item = lost.items[0]
            except Contention:
                continue
            if item is None:
                if self._create(places, holder, now, until):
                    return True
            elif not self._remove_overdue(places, item, now):
                return False
        return False

    def give_back(self, places: Places, holder: str) -> None:
        """Free the holder's place; do nothing if it has none."""
        try:
            self._remove(places, {holder: None})
        except Contention:
            self._remove(places, {holder: None})

    def holders(self, places: Places) -> dict[str, int]:
        """Return who holds a place, and until when (epoch ms), overdue ones included."""
        item = self._table.get(*_key(places)) or {}
        return dict(item.get("held", {}))

    def _create(self, places: Places, holder: str, now: int, until: int) -> bool:
        pk, sk = _key(places)
        item: Item = {
            "pk": pk,
            "sk": sk,
            "held": {holder: until},
            "expires_at": _expiry(now, until),
        }
        try:
            self._table.write(put(item, "attribute_not_exists(pk)"))
        except (ConditionFailed, Contention):
            return False
        return True

    def _remove_overdue(self, places: Places, item: Item, now: int) -> bool:
        """Free the places whose lease has ended. Return False if there are none."""
        overdue = {name: until for name, until in item["held"].items() if until <= now}
        if overdue:
            self._remove(places, overdue)
        return bool(overdue)

    def _remove(self, places: Places, holders: dict[str, int | None]) -> None:
        """Remove holders, each only if its lease is still the given one (None: whatever it is)."""
        for holder, until in holders.items():
            condition = "#held.#holder = :until" if until else "attribute_exists(#held.#holder)"
            try:
                self._table.write(
                    update(
                        *_key(places),
                        "REMOVE #held.#holder",
                        condition=condition,
                        names={"#held": "held", "#holder": holder},
                        values={":until": until} if until else None,
                    )
                )
            except ConditionFailed:
                continue  # given back, or extended, meanwhile


def _take(places: Places, holder: str, now: int, until: int) -> Write:
    return update(
        *_key(places),
        "SET #held.#holder = :until, #expires = :expires",
        condition="attribute_exists(#held.#holder) OR size(#held) < :most",
        names={"#held": "held", "#holder": holder, "#expires": "expires_at"},
        values={":until": until, ":expires": _expiry(now, until), ":most": places.most},
    )


def _key(places: Places) -> tuple[str, str]:
    return f"ACCOUNT#{places.account_id}", f"PLACES#{places.kind}"


def _expiry(now: int, until: int) -> int:
    """Return when the item may go (epoch s): not before any lease has ended, whoever took it."""
    return max(until, now + LONGEST_LEASE_MS) // 1000 + _KEPT_S
