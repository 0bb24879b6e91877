"""Counts of one host: plain numbers, which become metrics when they are asked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """The counts since the process started."""

    happened: Counter[str] = field(default_factory=Counter)
    """Name -> how often it happened: finished and interrupted utterances, final texts, errors."""
    took_ms: Counter[str] = field(default_factory=Counter)
    """Name -> the time that it took in all, for what takes time."""
    draining: bool = False

    def count(self, what: str, ms: float = 0.0) -> None:
        """Count something that happened, and how long it took."""
        self.happened[what] += 1
        if ms:
            self.took_ms[what] += round(ms)
