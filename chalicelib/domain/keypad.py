"""The pace at which the keys of a call become events, and how many keys one event holds.

Keys that come too fast are merged: they wait, and go into one event with later keys. Keys beyond
the number that can wait are lost; the next event counts them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from chalicelib.domain.rate_limit import Limit

EVERY_MS = 1000
"""Least mean time between the events of a call; relays do not report more often."""

BURST = 10
"""Events of a call that may come sooner than that, one after the other."""

KEYS_PER_EVENT = 64
"""Keys in one event."""

MAX_WAITING = 256
"""Keys of a call that may wait for an event."""

EVENTS_PER_CALL = 1000
"""Events about keys that a call may have. The last one says so; later keys get no event."""

EVENTS_PER_MINUTE = 600
ACCOUNT_LIMIT = Limit("keys", EVENTS_PER_MINUTE, 60)
"""The limit of events about keys of all calls of an account."""


@dataclass(frozen=True)
class Keypad:
    """The keys of a call that wait for an event, and its budget of events.

    `last_report`: the number of the last report; `waiting`: keys without an event yet; `lost`: how
    many were lost since the last event; `due`: when (epoch ms) the last event would have been due
    at one event every `EVERY_MS`; `events`: how many there were.
    """

    last_report: int = 0
    waiting: str = ""
    lost: int = 0
    due: int = 0
    events: int = 0

    @property
    def over(self) -> bool:
        """Return True if the call has had all its events about keys."""
        return self.events >= EVENTS_PER_CALL


def add_keys(before: Keypad, digits: str, sequence: int) -> Keypad:
    """Return the keypad after a report of keys."""
    waiting = before.waiting + digits
    lost = before.lost + max(0, len(waiting) - MAX_WAITING)
    return replace(before, last_report=sequence, waiting=waiting[:MAX_WAITING], lost=lost)


def may_tell(keypad: Keypad, now: int) -> bool:
    """Return whether keys wait and an event about them is within the call's budget."""
    if not keypad.waiting or keypad.over:
        return False
    return keypad.due - now <= (BURST - 1) * EVERY_MS


def take_keys(before: Keypad, now: int) -> Keypad:
    """Return the keypad after an event about its first `KEYS_PER_EVENT` keys."""
    rest, due = before.waiting[KEYS_PER_EVENT:], max(before.due, now) + EVERY_MS
    return replace(before, waiting=rest, lost=0, due=due, events=before.events + 1)
