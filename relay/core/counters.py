"""Counters of one relay process.

Plain integers, incremented in place: the hot path adds one and nothing else. Labels are few and
fixed; nothing here names a call.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from common.call_facts import ADDED_LATENCY_MS, CLEAR_TO_SILENCE_MS, GAP_MS
from relay.core.histogram import Histogram


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
    added_latency: Histogram = field(default_factory=lambda: Histogram(ADDED_LATENCY_MS))
    """Time from reading a message of audio to writing it, in ms; a sample of ten a second."""
    clear_to_silence: Histogram = field(default_factory=lambda: Histogram(CLEAR_TO_SILENCE_MS))
    """Time from `clear` to the echo of a mark that it cleared, in ms."""
    gaps: Histogram = field(default_factory=lambda: Histogram(GAP_MS))
    """Pauses in which nothing came from a caller, in ms."""
    calls: int = 0
    legs: Counter[str] = field(default_factory=Counter)
    draining: bool = False
