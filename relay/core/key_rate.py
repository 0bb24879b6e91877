"""Keys that a caller presses, as many as a telephone can press. The time is passed in."""

from __future__ import annotations

from common.budget import Budget
from relay.core.counters import Counters

KEYS = frozenset("0123456789*#ABCD")
PRESSED = 32.0, 20.0
"""Keys at once and each second. Telephones that dial by themselves press twelve a second; a stream
that claims more is not believed."""


class KeyRate:
    """The keypad of one call's caller."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._budget = Budget(*PRESSED)

    def accepts(self, digit: str, now: float) -> bool:
        """Return whether a provider's `dtmf` message is a key that can have been pressed."""
        if digit not in KEYS:
            return False
        if self._budget.take(1, now):
            return True
        self._counters.dropped["to_agent", "too_many_keys"] += 1
        return False
