"""Recordings in the table.

| item | pk | sk |
|---|---|---|
| a recording | `CALL#<id>` | `RECORDING#<number, 2 digits>` |
| bytes of an account that are deleted on a day | `ACCOUNT#<id>#RECORDED` | `<date>` |

A recording's item is written by the transaction that begins or ends it in its call. Index `live`
(sparse): recordings that are to be composed, by when that is due.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chalicelib.domain.call import Call
from chalicelib.domain.call_transitions import CallState
from chalicelib.domain.event import Event
from chalicelib.domain.instant import to_text
from chalicelib.domain.recording import LATE_MS, Recording, call_of
from chalicelib.store.events import outbox_put
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

LIVE = ("live", "live", "live_order")
_DUE = "RECORDINGS"
CLAIM_MS = 16 * 60_000
"""Time that a function has to compose a recording: no other one begins before."""
_SEPARATE = frozenset({"pk", "sk", "live", "live_order", "expires_at"})
_DAY_MS = 24 * 3600 * 1000


class RecordingMoved(Exception):
    """The recording, or the call's, is in another state than the one that was read."""


def recording_writes(before: Call | None, after: Call, now: int) -> list[Write]:
    """Return the writes by which recordings begin and end with a change of their call."""
    was = None if before is None else before.recordings.current
    now_is = after.recordings.current
    if (was and was.recording_id) == (now_is and now_is.recording_id):
        return []
    writes = []
    if was is not None:
        writes.append(_stop(was.recording_id, now))
    if now_is is not None:
        made = Recording(
            recording_id=now_is.recording_id,
            call_id=after.call_id,
            account_id=after.account_id,
            started_at=now_is.since,
        )
        writes.append(put(_to_item(made), "attribute_not_exists(pk)"))
    return writes


class RecordingStore:
    """Reads and conditional writes of recordings."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, recording_id: str) -> Recording | None:
        """Return a recording as it is now."""
        if call_of(recording_id) is None:
            return None
        item = self._table.get(*_key(recording_id))
        return None if item is None else _to_recording(item)

    def change_call(self, before: Call, after: Call, events: Iterable[Event], now: int) -> None:
        """Write a change of an active call's recordings with its events. Raises RecordingMoved if
        the call is not active any more, or its recordings have changed.

        This is no transition: transitions name the number of these changes that they have read.
        """
        was = before.recordings.number
        names = {"#recordings": "recordings", "#number": "recording_number", "#state": "state"}
        values: dict[str, Any] = {
            ":after": after.recordings.model_dump(mode="json", exclude_none=True),
            ":number": after.recordings.number,
            ":state": CallState.ACTIVE.value,
        }
        if was:
            values[":before"] = was
        unchanged = "#number = :before" if was else "attribute_not_exists(#number)"
        change = update(
            f"CALL#{before.call_id}",
            "CALL",
            "SET #recordings = :after, #number = :number",
            condition=f"#state = :state AND {unchanged}",
            names=names,
            values=values,
        )
        begun_and_ended = recording_writes(before, after, now)
        try:
            self._table.write(change, *map(outbox_put, events), *begun_and_ended)
        except (ConditionFailed, Contention):
            raise RecordingMoved from None

    def of_call(self, call_id: str) -> list[Recording]:
        """Return the recordings of a call, in order."""
        items = self._table.query_all(f"CALL#{call_id}", sk_begins="RECORDING#")
        return [_to_recording(item) for item in items]

    def due(self, now: int, limit: int) -> list[Recording]:
        """Return recordings that are to be composed by now, the oldest first."""
        items, _ = self._table.query(_DUE, index=LIVE, limit=limit)
        found = [_to_recording(item) for item in items]
        return [each for each in found if each.due is not None and each.due <= now]

    def change(self, before: Recording, after: Recording, *events: Event) -> None:
        """Write a recording, if it is still in the state that was read, together with events and
        what the account has recorded. Raises RecordingMoved.
        """
        try:
            self._table.write(
                put(
                    _to_item(after),
                    "#state = :state AND #tries = :tries",
                    {"#state": "state", "#tries": "tries"},
                    {":state": before.state, ":tries": before.tries},
                ),
                *map(outbox_put, events),
                *_recorded(before, after),
            )
        except ConditionFailed:
            raise RecordingMoved from None

    def delete(self, recording: Recording, now: int) -> None:
        """Delete a recording that is over, and count its bytes no more. Raises RecordingMoved."""
        gone = recording.model_copy(update={"bytes": 0, "deleted_at": now})
        pk, sk = _key(recording.recording_id)
        try:
            self._table.write(
                delete(pk, sk, "#state = :state", {"#state": "state"}, {":state": recording.state}),
                *_recorded(recording, gone),
            )
        except ConditionFailed:
            raise RecordingMoved from None

    def recorded_bytes(self, account_id: str, now: int) -> int:
        """Return how many bytes of an account's recordings are kept."""
        days = self._table.query_all(f"ACCOUNT#{account_id}#RECORDED")
        # Items of days that are over stay for a while (TTL).
        return sum(day["bytes"] for day in days if day.get("expires_at", 0) > now // 1000)


def _stop(recording_id: str, now: int) -> Write:
    pk, sk = _key(recording_id)
    return update(
        pk,
        sk,
        "SET #state = :stopped, #at = :at, #due = :due, #live = :live, #order = :due",
        names={
            "#state": "state",
            "#at": "stopped_at",
            "#due": "due",
            "#live": "live",
            "#order": "live_order",
        },
        values={
            ":stopped": "stopped",
            ":at": to_text(now),
            ":due": to_text(now + LATE_MS),
            ":live": _DUE,
        },
    )


def _recorded(before: Recording, after: Recording) -> list[Write]:
    """Return the write that counts the bytes of a recording on the day on which it will be
    deleted.
    """
    more = (after.bytes or 0) - (before.bytes or 0)
    deleted_at = before.deleted_at or after.deleted_at
    if not more or deleted_at is None:
        return []
    end_of_day = (deleted_at // _DAY_MS + 1) * _DAY_MS
    return [
        update(
            f"ACCOUNT#{after.account_id}#RECORDED",
            to_text(end_of_day)[:10],
            "SET #expires = :expires ADD #bytes :more",
            names={"#bytes": "bytes", "#expires": "expires_at"},
            values={":more": more, ":expires": end_of_day // 1000},
        )
    ]


def _key(recording_id: str) -> tuple[str, str]:
    call_id, number = call_of(recording_id) or ("", 0)
    return f"CALL#{call_id}", f"RECORDING#{number:02d}"


def _to_item(recording: Recording) -> Item:
    pk, sk = _key(recording.recording_id)
    shown = recording.model_dump(mode="json", exclude_none=True)
    item: Item = {"pk": pk, "sk": sk, **shown}
    if recording.due is not None:
        item |= {"live": _DUE, "live_order": to_text(recording.due)}
    if recording.deleted_at is not None:
        item["expires_at"] = recording.deleted_at // 1000
    return item


def _to_recording(item: dict[str, Any]) -> Recording:
    return Recording.model_validate({k: v for k, v in item.items() if k not in _SEPARATE})
