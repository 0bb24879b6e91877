"""The times of a call: ms since its answer, for moments and for places in the caller's audio.

Audio may come in a burst (what was said before this host was connected) or with gaps. So a frame's
time is its place in the audio, not its arrival, and the frame with the least delay tells when the
audio began.
"""

from __future__ import annotations

GAP_MS = 500.0
"""Audio that comes later than expected by this has a gap before it."""


class CallClock:
    """The clock of one call. `now` is in seconds."""

    def __init__(self, answered_at: int | None, wall_ms: int, now: float) -> None:
        """`answered_at`, `wall_ms`: epoch in ms of the answer (None: it is now) and of now."""
        self._begun = now
        self._offset_ms = 0 if answered_at is None else max(0, wall_ms - answered_at)
        self._audio_began_ms: float | None = None

    def ms(self, now: float) -> int:
        """Return the ms since the answer."""
        return self._offset_ms + round((now - self._begun) * 1000)

    def heard(self, place_ms: int, now: float) -> bool:
        """Note that the audio up to `place_ms` has come. Return whether a gap was before it."""
        began = self.ms(now) - place_ms
        gap = self._audio_began_ms is not None and began > self._audio_began_ms + GAP_MS
        if self._audio_began_ms is None or gap or began < self._audio_began_ms:
            self._audio_began_ms = began
        return gap

    def of_audio(self, place_ms: int) -> int:
        """Return the ms since the answer at which this place of the audio was spoken."""
        return max(0, round((self._audio_began_ms or 0) + place_ms))


class Numbering:
    """The numbers of a transcript's entries. None is below the ms since the answer, so that they
    also rise from one host of a call to the next.
    """

    def __init__(self) -> None:
        self.last = 0

    def next(self, call_ms: int) -> int:
        """Return the next number."""
        self.last = max(self.last + 1, call_ms)
        return self.last
