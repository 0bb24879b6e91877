"""Deliveries in the table.

| item | pk | sk |
|---|---|---|
| the delivery, with the body that is posted | `ENDPOINT#<id>` | `DELIVERY#<delivery id>` |
| one try | `DELIVERY#<id>` | `TRY#<number>` |

Index `listing`: an endpoint's deliveries by age. Index `live` (sparse): those with another
try to come, by its time, so that the sweep reads only what is overdue. All of them expire by TTL.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from chalicelib.domain.delivery import DELIVERY_ID, Attempt, Delivery, DeliveryState
from chalicelib.domain.instant import to_text
from chalicelib.store.table import ConditionFailed, Item, Table, Write, put

LISTING = ("listing", "listing", "listing_order")
LIVE = ("live", "live", "live_order")
DUE_SHARDS = 8
"""Partitions of the `live` index: one would cap the whole installation at 1,000 writes/s."""

FILTERED_READ, MAX_READS = 100, 5
"""Items read in one query where a filter applies, and queries for one page of an answer."""

TRIES_SHOWN = 50
"""Tries of a delivery that are shown: the last ones."""

_KEY_ATTRIBUTES = frozenset({"pk", "sk", "listing", "listing_order", "live", "live_order"})


class DeliveryChanged(Exception):
    """Another try was noted, or another execution took the delivery over, since it was read."""


class DeliveryStore:
    """Reads and conditional writes of deliveries."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, endpoint_id: str, delivery_id: str) -> Delivery | None:
        """Return the delivery as it is now."""
        if not DELIVERY_ID.fullmatch(delivery_id):
            return None
        item = self._table.get(f"ENDPOINT#{endpoint_id}", f"DELIVERY#{delivery_id}")
        return None if item is None else _to_delivery(item)

    def create(self, delivery: Delivery) -> Delivery:
        """Write a new delivery; return it, or the one that is there already."""
        try:
            self._table.write(put(_to_item(delivery), "attribute_not_exists(pk)"))
        except ConditionFailed as lost:
            item = lost.items[0]
            return _to_delivery(item) if item else delivery
        return delivery

    def change(self, before: Delivery, after: Delivery, attempt: Attempt | None = None) -> None:
        """Put a delivery, with the try that changed it, if it is as `before`: no other try was
        noted, and no other execution has taken it over. Raises DeliveryChanged, Contention.
        """
        writes = [_put_next(before, after)]
        if attempt is not None:
            writes.append(put(_try_item(after, attempt)))
        try:
            self._table.write(*writes)
        except ConditionFailed:
            raise DeliveryChanged from None

    def tries(self, delivery_id: str) -> list[Attempt]:
        """Return the delivery's last tries, in order."""
        items, _ = self._table.query(
            f"DELIVERY#{delivery_id}", newest_first=True, limit=TRIES_SHOWN
        )
        return [Attempt.model_validate(item) for item in reversed(items)]

    def due_before(self, moment: int) -> Iterator[Delivery]:
        """Yield the deliveries whose next try was due before `moment` (as the index knows)."""
        limit = to_text(moment)
        for shard in range(DUE_SHARDS):
            for item in self._table.query_all(f"DUE#{shard}", index=LIVE):
                if item["live_order"] >= limit:
                    break
                yield _to_delivery(item)

    def page(
        self,
        endpoint_id: str,
        *,
        state: DeliveryState | None,
        limit: int,
        after: Item | None,
    ) -> tuple[list[Delivery], Item | None]:
        """Return up to `limit` of an endpoint's deliveries, newest first, and the key to go on
        after.

        A filter is applied to what was read: a page may be short, even empty, and still go on.
        """
        found: list[Item] = []
        for _ in range(MAX_READS if state else 1):
            items, after = self._table.query(
                f"ENDPOINT#{endpoint_id}#DELIVERIES",
                index=LISTING,
                newest_first=True,
                limit=FILTERED_READ if state else limit,
                after=after,
                where="#state = :state" if state else None,
                names={"#state": "state"} if state else None,
                values={":state": state.value} if state else None,
            )
            found += items
            if after is None or len(found) >= limit:
                break
        if len(found) > limit:
            found = found[:limit]
            after = {name: found[-1][name] for name in ("pk", "sk", "listing", "listing_order")}
        return [_to_delivery(item) for item in found], after


def _put_next(before: Delivery, after: Delivery) -> Write:
    return put(
        _to_item(after),
        "#attempts = :attempts AND #run = :run AND #state = :state",
        {"#attempts": "attempts", "#run": "run", "#state": "state"},
        {":attempts": before.attempts, ":run": before.run, ":state": before.state.value},
    )


def _to_item(delivery: Delivery) -> Item:
    item: Item = {
        "pk": f"ENDPOINT#{delivery.endpoint_id}",
        "sk": f"DELIVERY#{delivery.delivery_id}",
        "listing": f"ENDPOINT#{delivery.endpoint_id}#DELIVERIES",
        "listing_order": f"{to_text(delivery.created_at)}#{delivery.delivery_id}",
        **delivery.model_dump(mode="json", exclude_none=True),
    }
    if delivery.next_at is not None:
        item["live"] = f"DUE#{zlib.crc32(delivery.delivery_id.encode()) % DUE_SHARDS}"
        item["live_order"] = f"{to_text(delivery.next_at)}#{delivery.delivery_id}"
    return item


def _to_delivery(item: Item) -> Delivery:
    given = {k: v for k, v in item.items() if k not in _KEY_ATTRIBUTES}
    return Delivery.model_validate({"next_at": None, **given})


def _try_item(delivery: Delivery, attempt: Attempt) -> Item:
    return {
        "pk": f"DELIVERY#{delivery.delivery_id}",
        "sk": f"TRY#{attempt.number:06d}",
        "expires_at": delivery.expires_at,
        **attempt.model_dump(mode="json"),
    }
