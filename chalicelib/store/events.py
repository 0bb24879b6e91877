"""Events in the table: written to an outbox with the change that they tell of, read from a numbered
inbox.

| item | pk | sk |
|---|---|---|
| written, not yet numbered | `ACCOUNT#<id>#OUTBOX` | `<at>#<event id>` |
| numbered | `ACCOUNT#<id>#EVENTS` | `<sequence, 12 digits>` |
| last number given | `ACCOUNT#<id>` | `EVENT_COUNTER` |

A transition cannot number its event itself: the counter would make every call of an account wait
for every other. So the readers number the waiting events, a batch in one transaction, which fails
if the counter has changed since it was read. Numbers are dense and visible in order: a reader that
has read n could read everything below n, however many readers and writers there are.

The event itself is JSON in one attribute: it is moved and posted, never changed, and as a map it
took ten times as long to read and write.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chalicelib.domain.event import RETENTION_S, Event
from chalicelib.domain.instant import to_text
from chalicelib.store.table import (
    ConditionFailed,
    Contention,
    Item,
    Table,
    Write,
    delete,
    put,
    update,
)

BATCH = 40
"""Events numbered in one transaction: two writes each and the counter; DynamoDB allows 100."""


def outbox_put(event: Event) -> Write:
    """Return the write that puts an event into its account's outbox."""
    return put(
        {
            "pk": f"ACCOUNT#{event.account_id}#OUTBOX",
            "sk": f"{to_text(event.at)}#{event.event_id}",
            "event": event.model_dump_json(exclude_none=True),
            "call_id": event.call_id,
            "version": event.version,
            "expires_at": event.at // 1000 + RETENTION_S,
        }
    )


class EventStore:
    """Reads events, and numbers those that wait."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def streamed(self, record: Mapping[str, Any]) -> Event:
        """Return the event of an outbox item in a record of the table's stream (`dynamodb` of a
        record).
        """
        return _to_event(self._table.from_image(record["NewImage"]))

    def after(self, account_id: str, sequence: int, limit: int) -> list[tuple[int, Event]]:
        """Return the numbered events above `sequence`, in order, with their numbers."""
        items, _ = self._table.query(
            f"ACCOUNT#{account_id}#EVENTS", sk_above=f"{sequence:012d}", limit=limit
        )
        return [(int(item["sk"]), _to_event(item)) for item in items]

    def of_call(self, account_id: str, call_id: str) -> Iterator[tuple[int | None, Event]]:
        """Yield a call's events in order, numbered ones first. Reads all events of the account, so
        it is for operators only.
        """
        for what in ("EVENTS", "OUTBOX"):
            for item in self._table.query_all(f"ACCOUNT#{account_id}#{what}"):
                if item.get("call_id") == call_id:
                    yield int(item["sk"]) if what == "EVENTS" else None, _to_event(item)

    def numbers_of(self, account_id: str, events: Iterable[Event], within: int) -> list[int]:
        """Return the numbers of those of the events that are among the last so many."""
        wanted = {event.event_id for event in events}
        items, _ = self._table.query(
            f"ACCOUNT#{account_id}#EVENTS", newest_first=True, limit=within
        )
        return [int(item["sk"]) for item in items if _to_event(item).event_id in wanted]

    def last_number(self, account_id: str) -> int:
        """Return the highest number given so far; 0 before the first."""
        counter = self._table.get(f"ACCOUNT#{account_id}", "EVENT_COUNTER")
        return 0 if counter is None else int(counter["last_number"])

    def number_waiting(self, account_id: str) -> bool:
        """Number the events that wait in the outbox (one batch). Return False if none waits; True
        also if another reader was faster, or if they cannot be put in order yet.
        """
        waiting, held_back = self._waiting(account_id)
        if not waiting:
            return held_back
        last = self.last_number(account_id)
        writes = [
            update(
                f"ACCOUNT#{account_id}",
                "EVENT_COUNTER",
                "SET #n = :new",
                condition="#n = :old" if last else "attribute_not_exists(#n)",
                names={"#n": "last_number"},
                values={":new": last + len(waiting), **({":old": last} if last else {})},
            )
        ]
        for number, item in enumerate(waiting, start=last + 1):
            writes.append(delete(item["pk"], item["sk"], "attribute_exists(pk)"))
            writes.append(
                put({**item, "pk": f"ACCOUNT#{account_id}#EVENTS", "sk": f"{number:012d}"})
            )
        with contextlib.suppress(ConditionFailed, Contention):
            self._table.write(*writes)
        return True

    def _waiting(self, account_id: str) -> tuple[list[Item], bool]:
        """Return a batch of the outbox in order, in which no event of a call precedes an earlier
        one; and whether some were held back for that.

        One page is not a snapshot: it may hold a call's second event without the first, which was
        written just after the page had passed its place. A second read holds the first event. A
        later event that only the second read holds may lack its predecessor in the same way, so it
        waits for the next batch.
        """
        pk = f"ACCOUNT#{account_id}#OUTBOX"
        page, _ = self._table.query(pk, limit=BATCH)
        if all(_first_of_its_call(item) for item in page):
            return page, False
        known = {item["sk"] for item in page}
        page, _ = self._table.query(pk, limit=BATCH)
        batch, held_back = [], set()
        for item in page:
            call_id = item["call_id"]
            new = item["sk"] not in known and not _first_of_its_call(item)
            if new or call_id in held_back:
                held_back.add(call_id)
            else:
                batch.append(item)
        return batch, bool(held_back)


def _first_of_its_call(item: Item) -> bool:
    """Return whether no event can precede this one: it is a call's first, or no call's at all."""
    return item["call_id"] is None or item["version"] == 1


def _to_event(item: Item) -> Event:
    return Event.model_validate_json(item["event"])
