"""Counters of one relay process.

Plain integers, incremented in place: the hot path adds one and nothing else. Labels are few and
fixed; nothing here names a call.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """Counts since the process began; `calls`, `legs`, `draining`, `segments_waiting`: of now."""

    to_agent: int = 0
    """Audio messages sent to agents."""
    to_caller: int = 0
    """Audio messages sent to callers."""
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(direction, why) -> audio messages and keys that were dropped."""
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(leg, code) -> sockets that were refused."""
    unreached: Counter[str] = field(default_factory=Counter)
    """why -> dials to agents that failed."""
    door: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(method, answer) -> commands that came through the door; `ok` is an answer."""
    segments: Counter[str] = field(default_factory=Counter)
    """outcome -> segments of recordings: `stored`, `dropped` for want of room, `lost`."""
    segments_waiting: int = 0
    """Segments of recordings that wait for their upload."""
    unanswered: int = 0
    """Reports given up after their retries."""
    calls: int = 0
    legs: Counter[str] = field(default_factory=Counter)
    draining: bool = False
