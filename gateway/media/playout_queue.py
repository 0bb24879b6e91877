"""The playout of a media stream to the caller: queued mu-law, cut into frames, with marks.

It has no clock and no socket: bytes and marks go in, and each tick takes out one 20 ms frame. A
mark comes back when the last byte before it has been *played*, not when it was queued.
Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from common.g711 import SILENCE

FRAME = 160
"""Bytes in a frame: 20 ms of mu-law at 8 kHz."""

SILENT_FRAME = bytes([SILENCE]) * FRAME

LIMIT = 10 * 60 * 8000
"""Limit of the queued bytes: ten minutes, as Twilio allows (31931)."""

MARKS_LIMIT = 10_000


class Key(NamedTuple):
    """A key to be pressed when playout reaches it."""

    digit: str


Marker = str | Key
"""A mark's name, or a key."""


class PlayoutQueue:
    """A stream's queue. Call `tick` every 20 ms, and the other methods when a message comes."""

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
        """Return the number of bytes that wait to be played."""
        return len(self._queue)

    def enqueue(self, ulaw: bytes) -> int:
        """Queue mu-law of any length.

        Return the number of bytes that were dropped because of the limit.
        """
        room = self._limit - len(self._queue)
        kept = ulaw if len(ulaw) <= room else ulaw[:room]
        self._queue += kept
        self._queued_total += len(kept)
        return len(ulaw) - len(kept)

    def mark(self, marker: Marker) -> bool:
        """Set a mark (or a key) after everything queued so far.

        Returns whether it counts as played at once because nothing is queued; else a later `tick`
        or `clear` returns it. Raises ValueError if too many marks are outstanding already.
        """
        if not self._queue and not self._marks:
            return True
        if len(self._marks) >= MARKS_LIMIT:
            raise ValueError(f"more than {MARKS_LIMIT} marks outstanding")
        self._marks.append((self._queued_total, marker))
        return False

    def clear(self) -> list[str]:
        """Drop what is queued, keys too.

        Return the outstanding marks, which Twilio echoes at once.
        """
        names = [marker for _, marker in self._marks if isinstance(marker, str)]
        self._marks.clear()
        self._queue.clear()
        self._played_total = self._queued_total
        self._talking = self._waited = False
        return names

    def tick(self) -> tuple[bytes, list[Marker]]:
        """Return the frame of the next 20 ms (silence if there is none), and the marks reached
        before it."""
        passed = self._passed() if self._marks else []
        size = len(self._queue)
        if size >= FRAME:
            frame = bytes(self._queue[:FRAME])
            del self._queue[:FRAME]
            self._played_total += FRAME
            self._talking, self._waited = True, False
            return frame, passed
        # Less than a frame. It waits one tick, since more may follow: padding would cut up a stream
        # of odd-sized payloads. If nothing follows, it is sent padded.
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
