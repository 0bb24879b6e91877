"""Deliveries that wait for a place, and how far an account is behind, in the table.

| item | pk | sk |
|---|---|---|
| a delivery that waits | `ACCOUNT#<id>#WAITING` | `<kind>#<endpoint id>#<since>#<event id>` |
| the account's backlog | `ACCOUNT#<id>#WAITING` | `~BACKLOG` |

A backlog says that events from a number on have no deliveries yet. Its item sorts after all
that waits, so that the first item of the partition tells whether there is anything to do.
"""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.domain.delivery import Delivery, Kind
from chalicelib.domain.instant import to_text
from chalicelib.store.contention import tries
from chalicelib.store.table import ConditionFailed, Contention, Item, Table, delete, put, update

_BACKLOG = "~BACKLOG"
_ALL_OF_ENDPOINT = "~"
"""Sorts after everything that begins with an endpoint's id."""

MAX_ROUNDS = 10


@dataclass(frozen=True)
class Entry:
    """A delivery that waits."""

    account_id: str
    kind: Kind
    endpoint_id: str
    delivery_id: str
    since: int
    sk: str


@dataclass(frozen=True)
class Backlog:
    """The backlog of an account: its events above the number `place` have no deliveries yet.
    `asked` rises whenever another event is left to the backlog.
    """

    place: int
    asked: int


class WaitingStore:
    """Reads and writes what waits."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, delivery: Delivery) -> None:
        """Add a delivery to those that wait, since the time of its try; do nothing if it waits
        already.
        """
        since = delivery.created_at if delivery.next_at is None else delivery.next_at
        # Of a call's events that came in the same millisecond the first has the lowest id.
        order = f"{to_text(since)}#{delivery.event_id}"
        self._table.write(
            put(
                {
                    "pk": _pk(delivery.account_id),
                    "sk": f"{delivery.kind.value}#{delivery.endpoint_id}#{order}",
                    "endpoint_id": delivery.endpoint_id,
                    "delivery_id": delivery.delivery_id,
                    "since": since,
                    "expires_at": delivery.expires_at,
                }
            )
        )

    def anything(self, account_id: str) -> bool:
        """Return whether a delivery waits or the account has a backlog."""
        items, _ = self._table.query(_pk(account_id), limit=1)
        return bool(items)

    def look(self, account_id: str, most: int) -> tuple[int, bool]:
        """Return how many deliveries of the account wait, and whether it has a backlog; `most` and
        True if at least so many wait.
        """
        items, _ = self._table.query(_pk(account_id), limit=most)
        waiting = sum(item["sk"] != _BACKLOG for item in items)
        return waiting, len(items) == most or waiting < len(items)

    def next(self, account_id: str, kind: Kind, after: str = "") -> Entry | None:
        """Return the oldest delivery of a kind that waits for the endpoint that comes after the
        endpoint `after`; after the last endpoint comes the first.
        """
        found = self._first(account_id, kind, f"{after}{_ALL_OF_ENDPOINT}") if after else None
        return found or self._first(account_id, kind, "")

    def oldest(self, account_id: str, kind: Kind, endpoint_id: str) -> Entry | None:
        """Return the oldest delivery of a kind that waits for an endpoint."""
        found = self._first(account_id, kind, endpoint_id)
        return found if found is not None and found.endpoint_id == endpoint_id else None

    def remove(self, entry: Entry) -> bool:
        """Take a delivery out of those that wait. Return False if it is not there: another process
        has it.
        """
        try:
            self._table.write(delete(_pk(entry.account_id), entry.sk, "attribute_exists(pk)"))
        except ConditionFailed:
            return False
        return True

    def ids(self, account_id: str) -> frozenset[str]:
        """Return the ids of all deliveries that wait."""
        items = self._table.query_all(_pk(account_id))
        return frozenset(item["delivery_id"] for item in items if item["sk"] != _BACKLOG)

    def backlog(self, account_id: str) -> Backlog | None:
        """Return how far the account is behind, None if it is not."""
        item = self._table.get(_pk(account_id), _BACKLOG)
        return None if item is None else Backlog(int(item["place"]), int(item["asked"]))

    def ask(self, account_id: str) -> bool:
        """Leave another event to the backlog. Return False if there is none (any more)."""
        return self._change(account_id, "SET #asked = #asked + :one", {":one": 1})

    def begin(self, account_id: str, place: int) -> None:
        """Begin a backlog from an event's number on, unless there is one."""
        item: Item = {"pk": _pk(account_id), "sk": _BACKLOG, "place": place, "asked": 1}
        try:
            self._table.write(put(item, "attribute_not_exists(pk)"))
        except ConditionFailed:
            self.ask(account_id)

    def go_on(self, account_id: str, place: int) -> None:
        """Note that events up to `place` have their deliveries."""
        self._change(account_id, "SET #place = :place", {":place": place})

    def end(self, account_id: str, before: Backlog) -> bool:
        """End a backlog to which nothing was left since it was `before`. Return False otherwise."""
        try:
            self._table.write(
                delete(
                    _pk(account_id), _BACKLOG, "#asked = :asked", {"#asked": "asked"},
                    {":asked": before.asked},
                )
            )  # fmt: skip
        except ConditionFailed:
            return False
        return True

    def _first(self, account_id: str, kind: Kind, above: str) -> Entry | None:
        items, _ = self._table.query(_pk(account_id), sk_above=f"{kind.value}#{above}", limit=1)
        if not items or not items[0]["sk"].startswith(f"{kind.value}#"):
            return None
        item = items[0]
        names = ("endpoint_id", "delivery_id", "since", "sk")
        return Entry(account_id, kind, *(item[name] for name in names))

    def _change(self, account_id: str, expression: str, values: Item) -> bool:
        name = expression.split()[1]
        for _ in tries(MAX_ROUNDS):
            try:
                self._table.write(
                    update(
                        _pk(account_id), _BACKLOG, expression, condition="attribute_exists(pk)",
                        names={name: name.removeprefix("#")}, values=values,
                    )
                )  # fmt: skip
            except ConditionFailed:
                return False
            except Contention:
                continue
            return True
        raise Contention


def _pk(account_id: str) -> str:
    return f"ACCOUNT#{account_id}#WAITING"
