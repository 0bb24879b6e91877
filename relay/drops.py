"""Audio that was thrown away, summed so that it can be said at most once a second.

Keeps sums, sends nothing.
"""

from __future__ import annotations

from math import inf

SAY_EVERY_S = 1.0


class Drops:
    """Sums for one call."""

    def __init__(self) -> None:
        self._ms: dict[tuple[str, str], float] = {}
        self._next = -inf

    def add(self, direction: str, why: str, ms: float, now: float) -> float:
        """`ms` of audio went; the answer is when that may be said."""
        key = direction, why
        self._ms[key] = self._ms.get(key, 0.0) + ms
        return max(now, self._next)

    def take(self, now: float) -> list[tuple[str, str, int]]:
        """(direction, why, ms) of what is to be said now. Sums start anew."""
        said = [(direction, why, round(ms)) for (direction, why), ms in self._ms.items()]
        if said:
            self._ms.clear()
            self._next = now + SAY_EVERY_S
        return said

    def forget(self) -> None:
        """Nobody is left who wants to hear of it."""
        self._ms.clear()
