"""The two tracks of a recording: mu-law in its place on one time line of samples.

Places and times are numbers of samples at 8 kHz since the recording began. A track holds what no
segment has taken yet; what nothing was put at is silence.
"""

from __future__ import annotations

from common import g711, media_stream

SAMPLE_RATE = media_stream.SAMPLE_RATE
SLACK = 5 * SAMPLE_RATE // 1000
"""Samples by which audio may come off its place and is put behind the audio before it: tiny gaps
would click, and the place of each is known anew."""
JITTER = 15 * SAMPLE_RATE // 1000
"""Samples by which a caller's frame may be early or late while the audio is taken to go on."""
HOLD = SAMPLE_RATE // 2
"""Samples of time for which a caller's audio is held, to learn whether late audio comes in a burst
(it was only delayed), or goes on as late as it is (there is a gap before it)."""
MAX_HELD = 5 * SAMPLE_RATE
"""Samples of a caller's audio that are held."""
_SILENCE = bytes([g711.SILENCE])


class Track:
    """Audio whose place is known when it comes: what the caller hears."""

    def __init__(self, start: int) -> None:
        self.start = start
        """The place of the first sample that no segment has taken."""
        self._audio = bytearray()

    def __bool__(self) -> bool:
        return bool(self._audio)

    def put(self, ulaw: bytes | memoryview, at: int) -> None:
        """Put audio in its place. It replaces whatever was put there or later. Hot path."""
        behind = at - self.start - len(self._audio)
        if -SLACK <= behind <= SLACK:
            self._audio += ulaw
        else:
            self._put_elsewhere(ulaw, behind)

    def _put_elsewhere(self, ulaw: bytes | memoryview, behind: int) -> None:
        """Put audio so many samples behind the end of what is there."""
        if behind > 0:
            self._audio += _SILENCE * behind
            self._audio += ulaw
            return
        keep = len(self._audio) + behind
        del self._audio[max(0, keep) :]
        # What lies before the track's start was taken already.
        self._audio += ulaw[max(0, -keep) :]

    def cut(self, at: int) -> None:
        """Remove what was put at this place or later: it will not be heard."""
        del self._audio[max(0, at - self.start) :]

    def take(self, until: int) -> bytearray:
        """Take what is before a place, with silence where nothing is."""
        size = until - self.start
        taken = self._audio[:size]
        del self._audio[:size]
        taken += _SILENCE * (size - len(taken))
        self.start = until
        return taken


class LiveTrack(Track):
    """Audio that comes as it is spoken, from the network: what the caller says.

    Frames come with jitter, so their times of arrival are not their places. A run of audio is put
    so that none of its frames begins in the future, and as early as that allows.
    """

    def __init__(self, start: int) -> None:
        super().__init__(start)
        self._held: list[bytes] = []
        self._held_size = 0
        self._held_until: int | None = None
        """The time at which held audio is put; None: audio is put as it comes."""
        self._lag = 0
        """The least by which a held frame came later than its place behind the audio so far."""
        self._new_run = True

    def __bool__(self) -> bool:
        return bool(self._audio or self._held)

    def receive(self, ulaw: bytes, arrived: int) -> None:
        """Take a frame whose last sample was spoken when it arrived, or before. Hot path."""
        lag = arrived - self.start - len(self._audio) - len(ulaw)
        if self._held_until is None and -JITTER <= lag <= JITTER and not self._new_run:
            self._audio += ulaw
            return
        self._hold(ulaw, lag - self._held_size, arrived)

    def begin_run(self) -> None:
        """Take what comes from now on as another stream's: its place is not known."""
        self._settle()
        self._new_run = True

    def settle(self, now: int) -> bool:
        """Put what was held for long enough. Return whether nothing is held any more."""
        if self._held_until is not None and now >= self._held_until:
            self._settle()
        return self._held_until is None

    def take(self, until: int) -> bytearray:
        """Take what is before a place, with silence where nothing is."""
        self._settle()
        return super().take(until)

    def _hold(self, ulaw: bytes, lag: int, arrived: int) -> None:
        if self._held_until is None:
            self._held_until, self._lag, self._new_run = arrived + HOLD, lag, False
        self._held.append(ulaw)
        self._held_size += len(ulaw)
        self._lag = min(self._lag, lag)
        if arrived >= self._held_until or self._held_size > MAX_HELD:
            self._settle()

    def _settle(self) -> None:
        """Put what is held: behind the audio so far if it was only late, else in its place."""
        if self._held_until is None:
            return
        held, lag = b"".join(self._held), self._lag
        self._held, self._held_size, self._held_until = [], 0, None
        if lag > SLACK:
            self._audio += _SILENCE * lag
        elif lag < -JITTER:
            held = held[-lag:]
        self._audio += held
