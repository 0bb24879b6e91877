"""Events in the table: written to an outbox with what they tell of, read from a numbered inbox.

| item | pk | sk |
|---|---|---|
| written, not yet numbered | `ACCOUNT#<id>#OUTBOX` | `<at>#<event id>` |
| numbered | `ACCOUNT#<id>#EVENTS` | `<sequence, 12 digits>` |
| last number given | `ACCOUNT#<id>` | `EVENT_COUNTER` |

A transition cannot number its event itself: the counter would make every call of an account wait
for every other. So whoever reads numbers what is waiting, in one transaction per batch that holds
only if the counter is still as read. Numbers are dense and visible in order: a reader that has seen
n has been able to see everything below n, however many readers and writers there are.
"""

from __future__ import annotations

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
    """The write that puts an event into its account's outbox."""
    return put(
        {
            "pk": f"ACCOUNT#{event.account_id}#OUTBOX",
            "sk": f"{to_text(event.at)}#{event.event_id}",
            "event": event.model_dump(mode="json", exclude_none=True),
            "expires_at": event.at // 1000 + RETENTION_S,
        }
    )


class EventStore:
    """The reader's side."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def after(self, account_id: str, sequence: int, limit: int) -> list[tuple[int, Event]]:
        """Numbered events above `sequence`, in order, with their numbers."""
        items, _ = self._table.query(
            f"ACCOUNT#{account_id}#EVENTS", sk_above=f"{sequence:012d}", limit=limit
        )
        return [(int(item["sk"]), Event.model_validate(item["event"])) for item in items]

    def last_number(self, account_id: str) -> int:
        """The highest number given so far; 0 before the first."""
        counter = self._table.get(f"ACCOUNT#{account_id}", "EVENT_COUNTER")
        return 0 if counter is None else int(counter["last_number"])

    def number_waiting(self, account_id: str) -> int:
        """Number what waits in the outbox (one batch). How many; 0 also if another reader did."""
        waiting = self._waiting(account_id)
        if not waiting:
            return 0
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
        try:
            self._table.write(*writes)
        except (ConditionFailed, Contention):
            return 0
        return len(waiting)

    def _waiting(self, account_id: str) -> list[Item]:
        """A batch of the outbox in order, in which no event of a call precedes an earlier one.

        One page is not a snapshot: it may hold a call's second event and have passed the place of
        its first just before that was written. Read once more, the first is there; a later event
        that only now came up may itself have come so, and waits for the next batch.
        """
        pk = f"ACCOUNT#{account_id}#OUTBOX"
        page, _ = self._table.query(pk, limit=BATCH)
        if all(item["event"].get("version", 1) == 1 for item in page):
            return page
        known = {item["sk"] for item in page}
        page, _ = self._table.query(pk, limit=BATCH)
        batch, held_back = [], set()
        for item in page:
            call_id = item["event"].get("call_id")
            new = item["sk"] not in known and item["event"].get("version", 1) > 1
            if new or call_id in held_back:
                held_back.add(call_id)
            else:
                batch.append(item)
        return batch
