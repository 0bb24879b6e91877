"""A limit of so many a second: whatever comes faster, beyond a burst, is refused."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """An allowance of `a_second` credits a second, of which at most `burst` are kept."""

    def __init__(
        self, a_second: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._a_second, self._burst, self._clock = a_second, burst, clock
        self._credit, self._at = burst, clock()

    def take(self) -> bool:
        """Return whether another one is within the limit, and count it if so."""
        now = self._clock()
        self._credit = min(self._burst, self._credit + (now - self._at) * self._a_second)
        self._at = now
        if self._credit < 1:
            return False
        self._credit -= 1
        return True
