"""How much of something one may use: so much at once, and so much a second for ever.

A leaking bucket. Pure: told the time, keeps none.
"""

from __future__ import annotations

MAX_WAIT_S = 5.0


class Budget:
    """One allowance."""

    def __init__(self, at_once: float, a_second: float) -> None:
        self._at_once, self._a_second = at_once, a_second
        self._used = 0.0
        self._when = 0.0

    def spend(self, amount: float, now: float) -> float:
        """Use `amount`. 0, or if that was too much: seconds until it no longer is."""
        left = self._used - (now - self._when) * self._a_second
        used = (left if left > 0 else 0.0) + amount
        wait = (used - self._at_once) / self._a_second
        if wait > MAX_WAIT_S:
            # Or one excess would be atoned for long after it ended.
            wait, used = MAX_WAIT_S, self._at_once + MAX_WAIT_S * self._a_second
        self._used, self._when = used, now
        return wait if wait > 0 else 0.0
