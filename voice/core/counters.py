"""Counts of one host: plain numbers, which become metrics when they are asked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """The counts since the process started."""

    happened: Counter[str] = field(default_factory=Counter)
    """finished and interrupted utterances, final texts, barge-ins, errors, by name."""
    took_ms: Counter[str] = field(default_factory=Counter)
    """Their times together, for those that take time."""
    draining: bool = False

    def count(self, what: str, ms: float = 0.0) -> None:
        """Count something that happened, and how long it took."""
        self.happened[what] += 1
        if ms:
            self.took_ms[what] += round(ms)
