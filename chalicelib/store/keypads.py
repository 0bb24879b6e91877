"""Keys that were pressed in calls, in the table: those without an event yet, and the budget of
events.

They are attributes of the item `CALL#<id>` / `MEDIA`, which `calls.py` describes.
"""

from __future__ import annotations

from chalicelib.domain.event import Event
from chalicelib.domain.keypad import Keypad
from chalicelib.store.events import outbox_put
from chalicelib.store.table import ConditionFailed, Table, update

_NAMES = {
    "last_report": "keys_heard", "waiting": "keys_waiting", "lost": "keys_lost", "due": "keys_due",
    "events": "keys_events",
}  # fmt: skip


class KeypadChanged(Exception):
    """Other keys were reported, or an event was written, since the keypad was read."""


class KeypadStore:
    """Reads and conditional writes of keypads."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, call_id: str) -> Keypad:
        """Return the call's keypad as it is now."""
        item = self._table.get(f"CALL#{call_id}", "MEDIA") or {}
        return Keypad(**{name: item[key] for name, key in _NAMES.items() if key in item})

    def change(
        self, call_id: str, before: Keypad, after: Keypad, expires: int, event: Event | None = None
    ) -> None:
        """Put a keypad, with the event about its keys, if it is as `before`. `expires`: epoch s.
        Raises KeypadChanged, Contention.
        """
        condition = " AND ".join(
            f"#{name} = :was_{name}" if getattr(before, name) else f"attribute_not_exists(#{name})"
            for name in ("last_report", "due")
        )
        kept = {name: value for name in _NAMES if (value := getattr(after, name))}
        gone = [f"#{name}" for name in _NAMES if name not in kept]
        expression = "SET #expires = :expires, " + ", ".join(f"#{n} = :{n}" for n in kept)
        write = update(
            f"CALL#{call_id}",
            "MEDIA",
            expression + (f" REMOVE {', '.join(gone)}" if gone else ""),
            condition=condition,
            names={f"#{name}": key for name, key in _NAMES.items()} | {"#expires": "expires_at"},
            values={":expires": expires}
            | {f":{name}": value for name, value in kept.items()}
            | {
                f":was_{name}": value
                for name in ("last_report", "due")
                if (value := getattr(before, name))
            },
        )
        try:
            self._table.write(write, *([] if event is None else [outbox_put(event)]))
        except ConditionFailed:
            raise KeypadChanged from None
