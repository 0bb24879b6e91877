"""The places of a voice host: each call takes one, and a reservation keeps one for a call that is
about to come. The time is passed in, in seconds.
"""

from __future__ import annotations

HELD_S = 90.0
"""A reservation whose socket does not come ends after this."""


class Places:
    """The places of one host, and how many of them one account may have."""

    def __init__(self, capacity: int, per_account: int | None = None) -> None:
        self.capacity = capacity
        self._per_account = per_account or capacity
        self.closed = False
        """True once the host takes no more calls."""
        self._reserved: dict[str, float] = {}
        self._taken: set[str] = set()
        self._accounts: dict[str, str] = {}
        """Call -> its account, for calls that have a place and whose account is known."""

    @property
    def calls(self) -> int:
        """Return how many calls have a place."""
        return len(self._taken)

    def free(self, now: float) -> int:
        """Return how many places are free."""
        for call_id in [each for each, until in self._reserved.items() if until <= now]:
            self.release(call_id)
        return 0 if self.closed else max(0, self.capacity - self.calls - len(self._reserved))

    def reserve(self, call_id: str, now: float, account: str = "") -> bool:
        """Keep a place for a call. Return False if none is free, or its account has as many as it
        may; a call that has one keeps it.
        """
        if self.closed:
            return False
        if call_id in self._taken:
            return True
        if not self.free(now) and call_id not in self._reserved:
            return False
        if call_id not in self._reserved and account:
            if list(self._accounts.values()).count(account) >= self._per_account:
                return False
            self._accounts[call_id] = account
        self._reserved[call_id] = now + HELD_S
        return True

    def release(self, call_id: str) -> None:
        """Give up a reservation, if there is one."""
        if self._reserved.pop(call_id, None) is not None:
            self._accounts.pop(call_id, None)

    def take(self, call_id: str, now: float) -> bool:
        """Let a call in, with or without a reservation. Return False if no place is free."""
        if not self.reserve(call_id, now):
            return False
        self._reserved.pop(call_id, None)
        self._taken.add(call_id)
        return True

    def leave(self, call_id: str) -> None:
        """Free the place of a call that is over."""
        self._taken.discard(call_id)
        if call_id not in self._reserved:
            self._accounts.pop(call_id, None)
