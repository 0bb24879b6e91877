"""The segments of one call that wait for their upload, in order.

Each process has room for a number of segments; a call has its own part of it. So storage that does
not answer costs recordings, and not the memory of a relay.
"""

from __future__ import annotations

from collections import deque

from relay.core.counters import Counters
from relay.core.recorder import Segment

MAX_WAITING = 12
"""Segments of a call that wait: 48 seconds. Beyond them the oldest is dropped."""
MAX_WAITING_ALL = 1200
"""Segments of all calls that wait, of 64 kB: 77 MB."""


class SegmentQueue:
    """Segments to upload, and ids of recordings of which no more comes, behind their segments."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._waiting: deque[Segment | str] = deque()
        self._segments = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, segment: Segment) -> None:
        """Queue a segment. The oldest of the call is dropped if there is no room, or this one if it
        is the only one.
        """
        if self._segments >= MAX_WAITING or (
            self._segments and self._counters.segments_waiting >= MAX_WAITING_ALL
        ):
            self._drop_oldest()
        if self._counters.segments_waiting >= MAX_WAITING_ALL:
            self._counters.segments["dropped"] += 1
            return
        self._waiting.append(segment)
        self._segments += 1
        self._counters.segments_waiting += 1

    def add_over(self, recording_id: str) -> None:
        """Queue, behind its segments, that no more of a recording comes."""
        self._waiting.append(recording_id)

    def first(self) -> Segment | str | None:
        """Return what is next; None: nothing waits."""
        return self._waiting[0] if self._waiting else None

    def done(self, item: Segment | str, outcome: str) -> None:
        """Remove what was handled, unless it was dropped meanwhile; `outcome` is counted for a
        segment.
        """
        if self.first() is not item:
            return
        self._waiting.popleft()
        if isinstance(item, Segment):
            self._forget(outcome)

    def _drop_oldest(self) -> None:
        for index, item in enumerate(self._waiting):
            if isinstance(item, Segment):
                del self._waiting[index]
                self._forget("dropped")
                return

    def _forget(self, outcome: str) -> None:
        self._segments -= 1
        self._counters.segments_waiting -= 1
        self._counters.segments[outcome] += 1
