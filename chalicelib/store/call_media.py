"""The media of calls in the table: the relay that holds the provider's stream of a call.

| item | pk | sk |
|---|---|---|
| who holds a call's media | `CALL#<id>` | `MEDIA` |

It is an item of its own, as it changes without a transition.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.event import Event
from chalicelib.domain.instant import from_text, to_text
from chalicelib.store.contention import tries
from chalicelib.store.events import outbox_put
from chalicelib.store.table import ConditionFailed, Contention, Table, Write, update


@dataclass(frozen=True)
class Relay:
    """A relay process: its name, the base URL at which other relays reach it, and that of its
    control door.
    """

    name: str
    url: str | None = None
    door_url: str | None = None


@dataclass(frozen=True)
class Media:
    """The media of a call: the relay that holds the provider's stream, its URL for other relays and
    its door's, since when (epoch ms); how many streams were handed out that did not last; whether
    only a poll can still bring the provider its stream; whether keys wait for an event
    (`keypads.py`).
    """

    relay: str | None = None
    relay_url: str | None = None
    attached_at: int | None = None
    streams: int = 0
    left_to_polls: bool = False
    keys_wait: bool = False
    door_url: str | None = None


class MediaStore:
    """Reads and writes of calls' media."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, call_id: str) -> Media:
        """Return which relay holds the call's media."""
        item = self._table.get(f"CALL#{call_id}", "MEDIA") or {}
        return Media(
            relay=item.get("relay"),
            relay_url=item.get("relay_url"),
            attached_at=from_text(item["attached_at"]) if "attached_at" in item else None,
            streams=item.get("streams", 0),
            left_to_polls=item.get("left_to_polls", False),
            keys_wait="keys_waiting" in item,
            door_url=item.get("door_url"),
        )

    def take(self, call_id: str, relay: Relay, now: int, expires: int, moved: Event) -> str | None:
        """Make the relay that attached last the owner of the call. If another one was, write the
        event `moved` with it, and return that relay's name. `expires`: epoch s, when the item may
        go. Raises Contention.
        """
        given: dict[str, Any] = {"relay": relay.name, "relay_url": relay.url}
        given["door_url"] = relay.door_url
        given |= {"attached_at": to_text(now), "expires_at": expires}
        unmoved = "attribute_not_exists(#relay) OR #relay = :relay"
        for _ in tries():
            try:
                self._table.write(_update(call_id, given, unmoved))
                return None
            except ConditionFailed as lost:
                former = (lost.items[0] or {}).get("relay")
            from_former = _update(call_id, given, "#relay = :former", {":former": former})
            with contextlib.suppress(ConditionFailed, Contention):
                self._table.write(from_former, outbox_put(moved))
                return str(former)
        raise Contention

    def leave_to_polls(self, call_id: str, expires: int) -> None:
        """Note that the provider did not take the accept's redirect, so that its next poll brings
        the stream.
        """
        self._set(call_id, expires, left_to_polls=True)

    def count_stream(self, call_id: str, expires: int, *, afresh: bool) -> int:
        """Note that another stream was handed out; return how many by now. `afresh` begins at
        one.
        """
        streams = 1 if afresh else self.get(call_id).streams + 1
        self._set(call_id, expires, streams=streams)
        return streams

    def _set(self, call_id: str, expires: int, **attributes: Any) -> None:
        self._table.write(_update(call_id, {**attributes, "expires_at": expires}))


def _update(
    call_id: str,
    given: dict[str, Any],
    condition: str | None = None,
    more: dict[str, Any] | None = None,
) -> Write:
    """Make the update of a call's `MEDIA` item that sets the given attributes."""
    return update(
        f"CALL#{call_id}",
        "MEDIA",
        "SET " + ", ".join(f"#{name} = :{name}" for name in given),
        condition=condition,
        names={f"#{name}": name for name in given},
        values={f":{name}": value for name, value in given.items()} | (more or {}),
    )
