"""Calls in the table.

| item | pk | sk |
|---|---|---|
| the call | `CALL#<id>` | `CALL` |

Index `listing`: an account's calls by age. Index `live` (sparse): calls that are not over, so that
a sweep reads only those. The relay that holds a call is an item of its own (`call_media.py`).
"""

from __future__ import annotations

import contextlib
import functools
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from chalicelib.domain.answered import NOT_DETECTED
from chalicelib.domain.call import Call, Route, Transition
from chalicelib.domain.call_transitions import CallState
from chalicelib.domain.dial_rules import RecentDials
from chalicelib.domain.event import Event
from chalicelib.domain.instant import to_text
from chalicelib.domain.recording import NOT_RECORDED
from chalicelib.store import dialling
from chalicelib.store.call_condition import unchanged
from chalicelib.store.events import outbox_put
from chalicelib.store.recordings import recording_writes
from chalicelib.store.table import ConditionFailed, Contention, Item, Table, put, update

if TYPE_CHECKING:
    from chalicelib.store.call_facts import FactsStore
    from chalicelib.store.detections import DetectionStore

LISTING = ("listing", "listing", "listing_order")
LIVE = ("live", "live", "live_order")
LIVE_SHARDS = 8
"""Partitions of the `live` index: one would cap the whole installation at 1,000 writes/s."""

FILTERED_READ, MAX_READS = 100, 5
"""Items read in one query where a filter applies, and queries for one page of an answer."""

_KEY_ATTRIBUTES = frozenset(
    ("pk", "sk", "listing", "listing_order", "live", "live_order", "line_number",
     "recording_number", "detection_step")
)  # fmt: skip


class AlreadyThere(Exception):
    """The call exists already; `call` is its present state."""

    def __init__(self, call: Call) -> None:
        super().__init__(call.call_id)
        self.call = call


class Stale(Exception):
    """The call has changed since it was read; `call` is its present state (None: read it again)."""

    def __init__(self, call: Call | None) -> None:
        super().__init__("the call has changed")
        self.call = call


class DialConflict(Exception):
    """Another dial of the account came in between: read what it is dialling and decide again."""


class BoundElsewhere(Exception):
    """The call has the id of another call of the provider's."""


class CallStore:
    """Reads and conditional writes of calls."""

    def __init__(self, table: Table) -> None:
        self._table = table

    @functools.cached_property
    def facts(self) -> FactsStore:
        """Return the store of facts about the audio of calls, loaded when it is needed."""
        from chalicelib.store.call_facts import FactsStore

        return FactsStore(self._table)

    @functools.cached_property
    def detections(self) -> DetectionStore:
        """Return the store of what was found out about answers, loaded when it is needed."""
        from chalicelib.store.detections import DetectionStore

        return DetectionStore(self._table)

    def get(self, call_id: str) -> Call | None:
        """Return the call as it is now."""
        item = self._table.get(f"CALL#{call_id}", "CALL")
        return None if item is None else to_call(item)

    def create(self, new: Transition) -> None:
        """Write a new call with its event. Raises AlreadyThere if it exists: its webhook came
        twice.
        """
        try:
            self._table.write(
                put(to_item(new.call), "attribute_not_exists(pk)"), outbox_put(new.event)
            )
        except ConditionFailed as lost:
            item = lost.items[0]
            existing = to_call(item) if item else self.get(new.call.call_id)
            if existing is None:
                raise Contention from None
            raise AlreadyThere(existing) from None
        except Contention:
            existing = self.get(new.call.call_id)
            if existing is None:
                raise
            raise AlreadyThere(existing) from None

    def dial(self, new: Transition, before: RecentDials) -> None:
        """Write a new outbound call with its event, and count it among those the account is
        dialling: all or nothing. Raises AlreadyThere for a call id that is taken, DialConflict if
        another dial came since `before`, Contention.
        """
        try:
            self._table.write(
                put(to_item(new.call), "attribute_not_exists(pk)"),
                dialling.begin(new.call, before),
                outbox_put(new.event),
            )
        except ConditionFailed as lost:
            if lost.failed[0] and lost.items[0]:
                raise AlreadyThere(to_call(lost.items[0])) from None
            raise DialConflict from None

    def bind(self, call_id: str, provider_call_id: str) -> Call:
        """Note the provider's id of an outbound call; return the call as it is now. Raises
        BoundElsewhere if it has another id, Contention.

        This is no transition: the version stays. But `move` names the id that it has read, so a
        transition that read the call before loses, reads again and does not overwrite the id.
        """
        try:
            self._table.write(
                update(
                    f"CALL#{call_id}",
                    "CALL",
                    "SET #id = :id",
                    condition="attribute_exists(pk) AND (attribute_not_exists(#id) OR #id = :id)",
                    names={"#id": "provider_call_id"},
                    values={":id": provider_call_id},
                )
            )
        except ConditionFailed:
            raise BoundElsewhere(call_id) from None
        bound = self.get(call_id)
        if bound is None:
            raise BoundElsewhere(call_id)
        return bound

    def note_route(self, call: Call, route: Route) -> Call:
        """Note the trunk that a call has gone on to, with the number that it calls as there; return
        the call as it is now. Raises Contention.

        This is no transition, as with `bind`: `move` names what it has read.
        """
        values = {
            "trunk_id": route.trunk_id,
            "trunk": route.trunk,
            "from": route.caller_id,
            "line": route.caller_id,
        }
        with contextlib.suppress(ConditionFailed):
            self._table.write(
                update(
                    f"CALL#{call.call_id}",
                    "CALL",
                    "SET " + ", ".join(f"#{name} = :{name}" for name in values),
                    condition="#trunk_id = :before",
                    names={f"#{name}": name for name in values},
                    values={f":{name}": value for name, value in values.items()}
                    | {":before": call.trunk_id},
                )
            )
        return self.get(call.call_id) or call

    def note_agent(self, call: Call, detail: str | None) -> Call:
        """Note why the agent of an active call was not reached (None: it was); return the call as
        it is now, unchanged if it is over.
        """
        return self._note(call, CallState.ACTIVE, "agent_detail", detail)

    def note_voice(self, call: Call, detail: str) -> Call:
        """Note why a ringing call was not answered at once; return the call as it is now, unchanged
        if it does not ring any more.
        """
        return self._note(call, CallState.RINGING, "voice_detail", detail)

    def _note(self, call: Call, state: CallState, name: str, detail: str | None) -> Call:
        """Set a detail of a call that is in `state`; return the call as it is now.

        This is no transition, as with `bind`: `move` names what it has read.
        """
        try:
            self._table.write(
                update(
                    f"CALL#{call.call_id}",
                    "CALL",
                    "SET #detail = :detail" if detail else "REMOVE #detail",
                    condition="#state = :state",
                    names={"#detail": name, "#state": "state"},
                    values={":state": state.value} | ({":detail": detail} if detail else {}),
                )
            )
        except ConditionFailed:
            return self.get(call.call_id) or call
        return call.model_copy(update={name: detail})

    def note_far_end_hold(self, call: Call, held: bool, sequence: int, event: Event | None) -> Call:
        """Note whether the far end holds a call, with the event about it; return the call after it.
        Raises Stale if it has changed since it was read, Contention.

        This is no transition, as with `bind`: `move` names what it has read.
        """
        first = call.far_end_hold_sequence is None
        condition = "#state = :state AND #version = :version AND "
        condition += "attribute_not_exists(#sequence)" if first else "#sequence = :before"
        values: dict[str, Any] = {
            ":held": held,
            ":sequence": sequence,
            ":before": call.far_end_hold_sequence,
        }
        values |= {":state": call.state.value, ":version": call.version}
        names = {"#held": "far_end_held", "#sequence": "far_end_hold_sequence"}
        try:
            self._table.write(
                update(
                    f"CALL#{call.call_id}",
                    "CALL",
                    "SET #held = :held, #sequence = :sequence",
                    condition=condition,
                    names={**names, "#state": "state", "#version": "version"},
                    values={name: value for name, value in values.items() if value is not None},
                ),
                *([] if event is None else [outbox_put(event)]),
            )
        except ConditionFailed:
            raise Stale(None) from None
        return call.model_copy(update={"far_end_held": held, "far_end_hold_sequence": sequence})

    def move(self, before: Call, moved: Transition, now: int) -> None:
        """Write one transition with its event, if the call is still as `before` says. Raises Stale
        otherwise. The end of an outbound call takes it out of those that its account is dialling.
        """
        condition, names, values = unchanged(before, moved.call, now)
        try:
            self._table.write(
                put(to_item(moved.call), condition, names, values),
                *map(outbox_put, (*moved.earlier, moved.event, *moved.later)),
                *dialling.end(moved.call),
                *recording_writes(before, moved.call, moved.call.updated_at),
            )
        except ConditionFailed as lost:
            item = lost.items[0]
            raise Stale(to_call(item) if item else None) from None
        except Contention:
            raise Stale(None) from None

    def page(
        self,
        account_id: str,
        *,
        state: str | None,
        direction: str | None,
        limit: int,
        after: Item | None,
    ) -> tuple[list[Call], Item | None]:
        """Return up to `limit` of an account's calls, newest first, and the key to go on after.

        A filter is applied to what was read: a page may be short, even empty, and still go on.
        """
        filters = {"state": state, "direction": direction}
        wanted = {name: value for name, value in filters.items() if value is not None}
        found: list[Item] = []
        for _ in range(MAX_READS if wanted else 1):
            items, after = self._table.query(
                f"ACCOUNT#{account_id}#CALLS",
                index=LISTING,
                newest_first=True,
                limit=FILTERED_READ if wanted else limit,
                after=after,
                where=" AND ".join(f"#{name} = :{name}" for name in wanted) or None,
                names={f"#{name}": name for name in wanted},
                values={f":{name}": value for name, value in wanted.items()},
            )
            found += items
            if after is None or len(found) >= limit:
                break
        if len(found) > limit:
            found = found[:limit]
            after = {name: found[-1][name] for name in ("pk", "sk", "listing", "listing_order")}
        return [to_call(item) for item in found], after

    def live(self) -> Iterator[Call]:
        """Yield every call that is not over (as the index knows, which may lag by moments)."""
        for shard in range(LIVE_SHARDS):
            for item in self._table.query_all(f"LIVE#{shard}", index=LIVE):
                yield to_call(item)


def to_item(call: Call) -> Item:
    """Return a call as the table has it."""
    line = call.media_line.number
    usual = {
        "routes": not call.routes,
        "voice": call.voice == "own",
        "media_line": line == 0,
        "recordings": call.recordings == NOT_RECORDED,
        "far_end_held": not call.far_end_held,
        "detection": call.detection == NOT_DETECTED,
    }
    absent = {name for name, is_usual in usual.items() if is_usual}
    item: Item = {
        "pk": f"CALL#{call.call_id}",
        "sk": "CALL",
        "listing": f"ACCOUNT#{call.account_id}#CALLS",
        "listing_order": f"{to_text(call.created_at)}#{call.call_id}",
        **{k: v for k, v in call.model_dump(mode="json", exclude=absent).items() if v is not None},
    }
    if call.recordings.number:
        item["recording_number"] = call.recordings.number
    if line:
        item["line_number"] = line
    if call.detection.step:
        item["detection_step"] = call.detection.step
    if not call.state.final:
        item["live"] = f"LIVE#{zlib.crc32(call.call_id.encode()) % LIVE_SHARDS}"
        item["live_order"] = f"{call.state.value}#{to_text(call.ring_deadline)}"
    return item


def to_call(item: dict[str, Any]) -> Call:
    """Return the call of an item."""
    return Call.model_validate({k: v for k, v in item.items() if k not in _KEY_ATTRIBUTES})
