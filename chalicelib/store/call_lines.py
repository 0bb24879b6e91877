"""Changes of calls' lines, each in one transaction with its events.

A line is on its call's item. A change is written under the condition that the call is as it was
read, as a transition is, and a transition names the line that it has read. So neither overwrites
the other, and of two changes of one call one reads again.
"""

from __future__ import annotations

from chalicelib.domain.call import Call, LineChange, Transition
from chalicelib.domain.dial_rules import RecentDials
from chalicelib.store import dialling
from chalicelib.store.call_condition import unchanged
from chalicelib.store.calls import AlreadyThere, DialConflict, Stale, to_call, to_item
from chalicelib.store.events import outbox_put
from chalicelib.store.table import ConditionFailed, Contention, Table, Write, put


class CallLineStore:
    """Conditional writes of lines."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def change(self, now: int, *changes: tuple[Call, LineChange]) -> None:
        """Write all changes, each given with its call as it was read, or none. Raises Stale if one
        of the calls has changed since.
        """
        try:
            self._table.write(*(write for each in changes for write in _writes(now, *each)))
        except (ConditionFailed, Contention):
            raise Stale(None) from None

    def dial(
        self, now: int, new: Transition, before: RecentDials, parent: Call, started: LineChange
    ) -> None:
        """Write the new call to the third party of a transfer, count it as `CallStore.dial` does,
        and note the transfer in the call that is transferred: all or nothing. Raises as that does,
        and Stale if the transferred call has changed.
        """
        try:
            self._table.write(
                put(to_item(new.call), "attribute_not_exists(pk)"),
                dialling.begin(new.call, before),
                outbox_put(new.event),
                *_writes(now, parent, started),
            )
        except ConditionFailed as lost:
            if lost.failed[0] and lost.items[0]:
                raise AlreadyThere(to_call(lost.items[0])) from None
            raise (DialConflict if lost.failed[1] else Stale(None)) from None

    def refer(self, now: int, before: RecentDials, parent: Call, started: LineChange) -> None:
        """Note a transfer by REFER in its call, and count it among the account's dials: both or
        neither. Raises DialConflict if another dial came since `before`, Stale if the call has
        changed, Contention.
        """
        counted = dialling.begin_referred(parent.account_id, before, now)
        try:
            self._table.write(counted, *_writes(now, parent, started))
        except ConditionFailed as lost:
            raise (DialConflict if lost.failed[0] else Stale(None)) from None


def _writes(now: int, before: Call, change: LineChange) -> list[Write]:
    condition, names, values = unchanged(before, change.call, now)
    item = put(to_item(change.call), condition, names, values)
    return [item, *map(outbox_put, change.events)]
