"""Audio and keys of the time before a stream is open: the last audio and all keys, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

EARLY = 100
"""Frames of audio that are kept: the last two seconds."""
EARLY_KEYS = 64
"""Keys that are kept, whenever they were pressed; those beyond are dropped."""


class EarlyMedia:
    """Frames and keys that wait for a stream."""

    def __init__(self) -> None:
        self._items: deque[bytes | str] = deque()
        self._keys = 0

    def keep_frame(self, frame: bytes) -> None:
        """Keep 20 ms of mu-law. The oldest frame is dropped if there are too many."""
        self._items.append(frame)
        if len(self._items) - self._keys > EARLY:
            oldest = next(at for at, item in enumerate(self._items) if isinstance(item, bytes))
            del self._items[oldest]

    def keep_key(self, digit: str) -> bool:
        """Keep a key behind the audio so far. Return False, and drop it, if there are too many."""
        if self._keys >= EARLY_KEYS:
            return False
        self._items.append(digit)
        self._keys += 1
        return True

    def take(self) -> Iterator[bytes | str]:
        """Empty it. Return frames (bytes) and keys (text), in order."""
        items, self._items, self._keys = self._items, deque(), 0
        return iter(items)
