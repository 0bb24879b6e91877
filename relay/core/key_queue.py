"""The keys of one call that wait to be reported, in order. The times are passed in."""

from __future__ import annotations

EVERY_S = 1.0
"""Between the beginnings of two reports: keys pressed meanwhile go together in the next."""
MAX_WAITING = 256
"""Keys that wait; those beyond are dropped and counted."""
AT_ONCE = 64
"""Keys in one report."""


class KeyQueue:
    """A bounded queue of keys, which is emptied by one report a second at most."""

    def __init__(self) -> None:
        self._waiting = ""
        self._dropped = 0
        self._sequence = 0
        self._next_at = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, digit: str) -> bool:
        """Queue a key. Return False, and drop it, if the queue is full."""
        if len(self._waiting) >= MAX_WAITING:
            self._dropped += 1
            return False
        self._waiting += digit
        return True

    def wait(self, now: float) -> float:
        """Return the seconds until the next report may begin; none left if it is negative."""
        return self._next_at - now

    def take(self, now: float, wall_ms: int) -> tuple[str, int]:
        """Return the digits of the next report and its sequence number.

        The number is the wall clock's milliseconds, so that it also rises when another relay goes
        on with the call.
        """
        self._next_at = now + EVERY_S
        digits, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
        self._sequence = max(self._sequence + 1, wall_ms)
        return digits, self._sequence

    def take_dropped(self) -> int:
        """Return how many keys were dropped since last asked."""
        dropped, self._dropped = self._dropped, 0
        return dropped
