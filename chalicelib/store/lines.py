"""Numbers in the table: `NUMBER#<e164>` / `NUMBER`.

And `COUNTRIES` / `<country>`: the countries of all numbers.

Index `listing` holds a number either in its country's pool (longest unused first) or in its
account's list. Giving a number out is one transaction over the number, the account's count and the
event, so that no number is given twice and no account holds more than it may.
"""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.domain.account import Account
from chalicelib.domain.event import Event
from chalicelib.domain.instant import to_text
from chalicelib.domain.line import Line
from chalicelib.store.events import outbox_put
from chalicelib.store.reserved import CLAIMED_AT, line_key, pointer_key
from chalicelib.store.table import ConditionFailed, Item, Table, Write, check, delete, put, update

LISTING = ("listing", "listing", "listing_order")
_KEY_ATTRIBUTES = frozenset({"pk", "sk", "listing", "listing_order"})


class NotFree(Exception):
    """Somebody else was given the number first."""


class TooMany(Exception):
    """The account holds as many numbers as it may."""


class Claimed(Exception):
    """The number is one of a trunk."""


class NotHeld(Exception):
    """The account does not hold the number (any more)."""


class LineStore:
    """Reads and conditional writes of numbers."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, e164: str) -> Line | None:
        """Return the number, held or free; None if we do not have it."""
        item = self._table.get(*line_key(e164))
        return None if item is None else _to_line(item)

    def add_to_pool(self, line: Line) -> bool:
        """Add a number to the pool; return False if it is known already. Raises Claimed if it is a
        trunk's whose calls name numbers only, Contention.
        """
        self._table.write(put({"pk": "COUNTRIES", "sk": line.country}))
        unclaimed = [
            check(*pointer_key(place, line.e164), "attribute_not_exists(pk)")
            for place in CLAIMED_AT
        ]
        try:
            self._table.write(put(_to_item(line), "attribute_not_exists(pk)"), *unclaimed)
        except ConditionFailed as lost:
            if not lost.failed[0]:
                raise Claimed(line.e164) from None
            return False
        return True

    def remove_from_pool(self, e164: str) -> None:
        """Delete a free number. Raises NotFree if somebody holds it, or if there is no such
        number.
        """
        condition = "attribute_exists(pk) AND attribute_not_exists(account_id)"
        try:
            self._table.write(delete(f"NUMBER#{e164}", "NUMBER", condition))
        except ConditionFailed:
            raise NotFree from None

    def list_all(self) -> Iterator[Line]:
        """Yield all numbers, in no order: for the operator."""
        return map(_to_line, self._table.scan("NUMBER"))

    def countries(self) -> list[str]:
        """Return the countries of all numbers that were ever added, in order."""
        return [item["sk"] for item in self._table.query_all("COUNTRIES")]

    def free(self, country: str, limit: int) -> list[Line]:
        """Return free numbers of a country, longest unused first (as the index knows)."""
        items, _ = self._table.query(f"POOL#{country}", index=LISTING, limit=limit)
        return [_to_line(item) for item in items]

    def held_by(self, account_id: str) -> list[Line]:
        """Return an account's numbers, oldest first."""
        items = self._table.query_all(f"ACCOUNT#{account_id}#NUMBERS", index=LISTING)
        return [_to_line(item) for item in items]

    def give(self, held: Line, account: Account, event: Event) -> None:
        """Give a free number to an account. Raises NotFree, TooMany or Contention if that is not
        possible.
        """
        try:
            self._table.write(
                put(_to_item(held), "attribute_exists(pk) AND attribute_not_exists(account_id)"),
                _count(account.account_id, 1, "#held < #max"),
                outbox_put(event),
            )
        except ConditionFailed as lost:
            raise (NotFree if lost.failed[0] else TooMany) from None

    def take_back(self, released: Line, holder: str, event: Event) -> None:
        """Move a number from its holder to the pool. Raises NotHeld or Contention if that is not
        possible.
        """
        try:
            self._table.write(
                put(
                    _to_item(released),
                    "#holder = :holder",
                    {"#holder": "account_id"},
                    {":holder": holder},
                ),
                _count(holder, -1, "#held > :zero"),
                outbox_put(event),
            )
        except ConditionFailed:
            raise NotHeld from None

    def change(self, e164: str, holder: str, changes: Item) -> Line:
        """Set attributes of a held number; return it. Raises NotHeld if it is not held."""
        sets = ", ".join(f"#{name} = :{name}" for name in changes)
        try:
            self._table.write(
                update(
                    f"NUMBER#{e164}",
                    "NUMBER",
                    f"SET {sets}",
                    condition="#holder = :holder",
                    names={"#holder": "account_id", **{f"#{n}": n for n in changes}},
                    values={":holder": holder, **{f":{n}": v for n, v in changes.items()}},
                )
            )
        except ConditionFailed:
            raise NotHeld from None
        line = self.get(e164)
        if line is None or line.account_id != holder:
            raise NotHeld
        return line


def _count(account_id: str, step: int, condition: str) -> Write:
    names = {"#held": "numbers_held"} | ({"#max": "max_numbers"} if "#max" in condition else {})
    values: Item = {":step": step} | ({":zero": 0} if ":zero" in condition else {})
    return update(
        f"ACCOUNT#{account_id}",
        "ACCOUNT",
        "ADD #held :step",
        condition=condition,
        names=names,
        values=values,
    )


def _to_item(line: Line) -> Item:
    if line.account_id:
        listing = f"ACCOUNT#{line.account_id}#NUMBERS"
        order = to_text(line.activated_at or 0)
    else:
        listing = f"POOL#{line.country}"
        order = to_text(line.released_at or 0)
    return {
        "pk": f"NUMBER#{line.e164}",
        "sk": "NUMBER",
        "listing": listing,
        "listing_order": f"{order}#{line.e164}",
        **line.model_dump(mode="json", exclude_none=True),
    }


def _to_line(item: Item) -> Line:
    return Line.model_validate({k: v for k, v in item.items() if k not in _KEY_ATTRIBUTES})
