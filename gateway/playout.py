"""What the caller shall hear of a media stream: queued mu-law, cut into frames, with marks.

A pure object: bytes and marks in, one 20 ms frame a tick out, no clock and no socket. It counts
what was *played*, so a mark comes back when the last byte before it has gone through the earpiece,
not when it was queued. Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from wire.g711 import SILENCE

FRAME = 160
"""Bytes in a frame: 20 ms of mu-law at 8 kHz."""

SILENT_FRAME = bytes([SILENCE]) * FRAME

LIMIT = 10 * 60 * 8000
"""Bytes that may be queued: ten minutes, as Twilio allows (31931)."""

MARKS_LIMIT = 10_000


class Key(NamedTuple):
    """A key to be pressed when playout gets to it."""

    digit: str


Marker = str | Key
"""A mark's name, or a key."""


class Playout:
    """One stream's queue. Call `tick` every 20 ms; everything else whenever a message comes."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._queue = bytearray()
        self._queued_total = 0
        self._played_total = 0
        self._marks: deque[tuple[int, Marker]] = deque()
        self._talking = False
        self._waited = False

    @property
    def queued(self) -> int:
        """Bytes that wait to be played."""
        return len(self._queue)

    def enqueue(self, ulaw: bytes) -> int:
        """Queues mu-law of any length. Returns how many bytes were dropped for want of room."""
        room = self._limit - len(self._queue)
        kept = ulaw if len(ulaw) <= room else ulaw[:room]
        self._queue += kept
        self._queued_total += len(kept)
        return len(ulaw) - len(kept)

    def mark(self, marker: Marker) -> bool:
        """Sets a mark (or a key) after everything queued so far.

        Returns whether it counts as played at once because nothing is queued; else a later `tick`
        or `clear` gives it back. ValueError: too many marks are outstanding already.
        """
        if not self._queue and not self._marks:
            return True
        if len(self._marks) >= MARKS_LIMIT:
            raise ValueError(f"more than {MARKS_LIMIT} marks outstanding")
        self._marks.append((self._queued_total, marker))
        return False

    def clear(self) -> list[str]:
        """Forgets what is queued, keys too. Returns the outstanding marks, which Twilio echoes at
        once."""
        names = [marker for _, marker in self._marks if isinstance(marker, str)]
        self._marks.clear()
        self._queue.clear()
        self._played_total = self._queued_total
        self._talking = self._waited = False
        return names

    def tick(self) -> tuple[bytes, list[Marker]]:
        """20 ms are over: the next frame (silence if none), and the marks passed until now."""
        passed = self._passed() if self._marks else []
        size = len(self._queue)
        if size >= FRAME:
            frame = bytes(self._queue[:FRAME])
            del self._queue[:FRAME]
            self._played_total += FRAME
            self._talking, self._waited = True, False
            return frame, passed
        # Less than a frame. As the beginning of something it waits one tick for the rest, else a
        # stream of odd-sized payloads would be chopped by padding; as the end it goes out padded.
        if size and (self._talking or self._waited):
            frame = bytes(self._queue) + SILENT_FRAME[size:]
            self._queue.clear()
            self._played_total += size
            self._talking = self._waited = False
            return frame, passed
        self._waited = size > 0
        self._talking = False
        return SILENT_FRAME, passed

    def _passed(self) -> list[Marker]:
        passed = []
        while self._marks and self._marks[0][0] <= self._played_total:
            passed.append(self._marks.popleft()[1])
        return passed
