"""The places of a voice host: each call takes one, and a reservation keeps one for a call that is
about to come. The time is passed in, in seconds.
"""

from __future__ import annotations

HELD_S = 90.0
"""A reservation whose socket does not come ends after this."""


class Places:
    """The places of one host."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.closed = False
        """True once the host takes no more calls."""
        self._reserved: dict[str, float] = {}
        self._taken: set[str] = set()

    @property
    def calls(self) -> int:
        """Return how many calls have a place."""
        return len(self._taken)

    def free(self, now: float) -> int:
        """Return how many places are free."""
        for call_id in [each for each, until in self._reserved.items() if until <= now]:
            del self._reserved[call_id]
        return 0 if self.closed else max(0, self.capacity - self.calls - len(self._reserved))

    def reserve(self, call_id: str, now: float) -> bool:
        """Keep a place for a call. Return False if none is free; a call that has one keeps it."""
        if self.closed:
            return False
        if call_id in self._taken:
            return True
        if call_id not in self._reserved and not self.free(now):
            return False
        self._reserved[call_id] = now + HELD_S
        return True

    def release(self, call_id: str) -> None:
        """Give up a reservation, if there is one."""
        self._reserved.pop(call_id, None)

    def take(self, call_id: str, now: float) -> bool:
        """Let a call in, with or without a reservation. Return False if no place is free."""
        if not self.reserve(call_id, now):
            return False
        self.release(call_id)
        self._taken.add(call_id)
        return True

    def leave(self, call_id: str) -> None:
        """Free the place of a call that is over."""
        self._taken.discard(call_id)
