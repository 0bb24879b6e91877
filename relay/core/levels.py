"""The loudness of one direction of a call, a level for each 100 ms. The time is passed in.

A level is made of every thirteenth sample of the first frame in its 100 ms: thirteen has no divisor
in common with the periods of usual tones, and all 800 samples would cost as much as the rest of a
frame's way. Levels are 0 to 15, 3 dB a step: the upper four bits of mu-law's magnitude.
"""

from __future__ import annotations

from common.call_facts import MAX_STEPS, STEP_MS

_STEP_S = STEP_MS / 1000
_A_LITTLE_S = 1e-4
_A_SECOND = 8000
_LOOKED_AT = 160
_EVERY = 13
_LEVEL = bytes((~code & 0x7F) >> 3 for code in range(256))
"""mu-law -> its level. The code's bits are inverted; three of segment and four within it."""


class LevelBand:
    """The levels since the beginning, without those that were taken."""

    __slots__ = ("_began", "_first", "_levels", "due")

    def __init__(self, began: float) -> None:
        self._began = began
        self._first = 0
        """The step of the oldest level that is kept."""
        self._levels = bytearray()
        self.due = began
        """The time from which on audio makes a new level."""

    def add(self, ulaw: bytes | memoryview, start: float) -> None:
        """Take audio that is heard from `start` on, and reaches beyond `due`: any length."""
        end = start + len(ulaw) / _A_SECOND
        at = self.due if self.due > start else start
        while at < end:
            # A tenth of a millisecond more: 0.3 / 0.1 is less than 3.
            step = int((at - self._began + _A_LITTLE_S) / _STEP_S)
            if step >= MAX_STEPS:
                self.due = float("inf")
                return
            offset = int((at - start) * _A_SECOND)
            looked_at = ulaw[offset : offset + _LOOKED_AT : _EVERY]
            level = max(bytes(looked_at).translate(_LEVEL)) if looked_at else 0
            if step - self._first == len(self._levels):
                self._levels.append(level)
            else:
                self._put(step, level)
            at = self.due = self._began + (step + 1) * _STEP_S

    def cut(self, at: float) -> None:
        """Forget what would have been heard after this moment."""
        step = self._step(at) + 1
        kept = step - self._first
        if 0 <= kept < len(self._levels):
            del self._levels[kept:]
            self.due = self._began + step * _STEP_S

    def take(self, step: int) -> bytes:
        """Return the levels before this step, silence where there are none, and forget them."""
        count = max(0, min(step, MAX_STEPS) - self._first)
        taken = bytes(self._levels[:count])
        del self._levels[:count]
        self._first += count
        return taken.ljust(count, b"\0")

    def _put(self, step: int, level: int) -> None:
        place = step - self._first
        if place < 0:
            return  # it was taken already
        levels = self._levels
        if place > len(levels):
            levels.extend(bytes(place - len(levels)))
        if place == len(levels):
            levels.append(level)
        else:
            levels[place] = max(levels[place], level)

    def _step(self, at: float) -> int:
        return int((at - self._began + _A_LITTLE_S) / _STEP_S)
