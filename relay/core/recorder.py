"""Records one call: what the caller said and what the caller heard, on one time line.

What the caller heard is the audio that playout has come to: audio that a `clear` cut is not in it.
The time line begins with the recording, also for a relay that takes the call over later; so the
segments of several relays fit together by their starts. A pause is silence in both tracks: places
in the recording are times of the call. The time is passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from relay.core.recording_tracks import SAMPLE_RATE, LiveTrack, Track
from relay.protocol.recording import WantedRecording

SEGMENT_S = 4.0
"""Of a segment: 64 kB. With `GRACE_S`, a relay that is killed loses less than five seconds."""
GRACE_S = 0.5
"""Time after the end of a segment in which its last audio may come."""
STALL_S = 1.0
"""Time for which a caller's audio may stop and then come late. After that it is a gap."""
BEEP_WITHIN_S = 5.0
"""Time after the begin of a recording in which it is told with a beep: a relay that takes the call
over later does not tell it again."""
_SEGMENT, _GRACE = int(SEGMENT_S * SAMPLE_RATE), int(GRACE_S * SAMPLE_RATE)
_PER_MS = SAMPLE_RATE // 1000
_SILENCE = b"\xff"


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a recording: mu-law, left what the caller said, right what the caller heard.

    `start_ms` counts from the begin of the recording.
    """

    recording_id: str
    start_ms: int
    stereo: bytes


class Recorder:
    """The recording of one call, which follows what the application wants.

    `on_segment` is called with each segment as it fills, `on_over` with the id of a recording of
    which no more comes from here.
    """

    def __init__(
        self, on_segment: Callable[[Segment], None], on_over: Callable[[str], None]
    ) -> None:
        self._on_segment, self._on_over = on_segment, on_over
        self._wanted: WantedRecording | None = None
        self._recording_id: str | None = None
        self._origin = 0.0
        self._said, self._heard = LiveTrack(0), Track(0)
        self._due = inf
        """The time at which the next segment is complete, on the clock of `now`."""
        self._latest = 0.0
        self._pauses: list[list[int]] = []
        """Begin and end of each pause that a segment to come may have; the last may go on."""
        self._beep = False

    @property
    def on(self) -> bool:
        """Return whether the call is recorded, or paused."""
        return self._recording_id is not None

    def follow(self, wanted: WantedRecording | None, origin: float, now: float) -> None:
        """Follow what the application wants; `origin`: when that recording began, on the clock of
        `now`. An answer that is older than the last one is ignored.
        """
        if wanted is None or (self._wanted and wanted.number <= self._wanted.number):
            return
        self._wanted = wanted
        if self._recording_id not in (None, wanted.recording_id) or wanted.state == "off":
            self.end(now)
        if wanted.state != "off":
            if self._recording_id is None:
                self._begin(wanted, origin, now)
            self._pause(now, paused=wanted.state == "paused")

    def take_beep(self) -> bool:
        """Return, once, whether the caller is to be told by a beep that the recording begins."""
        beep, self._beep = self._beep, False
        return beep and self._latest - self._origin < BEEP_WITHIN_S

    def said(self, ulaw: bytes, now: float) -> None:
        """Record mu-law that came from the caller. Hot path."""
        self._latest = now
        if now >= self._due + STALL_S:
            self._close_segments(now - STALL_S)
        self._said.receive(ulaw, self._place(now))
        if now >= self._due:
            self._close_segments(now)

    def plays(self, ulaw: bytes | memoryview, starts: float, now: float) -> None:
        """Record mu-law that the caller will begin to hear at `starts`. Hot path."""
        self._latest = now
        if now >= self._due:
            self._close_segments(now)
        self._heard.put(ulaw, self._place(starts))

    def cut(self, now: float) -> None:
        """Take out what the caller has not heard by now: it was dropped."""
        if self.on:
            self._heard.cut(self._place(now))

    def change_stream(self, now: float) -> None:
        """Note that the caller's stream ended, or another one began."""
        if self.on:
            self._heard.cut(self._place(now))
            self._said.begin_run()

    def end(self, now: float | None = None) -> None:
        """End the recording; None: when audio last passed."""
        recording_id = self._recording_id
        if recording_id is None:
            return
        now = self._latest if now is None else now
        end = max(self._place(now), self._said.start)
        self._close_segments(now)
        self._said.settle(end + SAMPLE_RATE)
        self._heard.cut(end)
        if end > self._said.start and (self._said or self._heard):
            self._close(end)
        self._recording_id, self._due = None, inf
        self._said, self._heard, self._pauses = LiveTrack(0), Track(0), []
        self._on_over(recording_id)

    def _begin(self, wanted: WantedRecording, origin: float, now: float) -> None:
        self._recording_id, self._origin, self._latest = wanted.recording_id, origin, now
        start = max(0, self._place(now) // _PER_MS * _PER_MS)
        self._said, self._heard = LiveTrack(start), Track(start)
        self._pauses, self._beep = [], wanted.beep
        self._set_due()

    def _pause(self, now: float, *, paused: bool) -> None:
        place, last = self._place(now), self._pauses[-1] if self._pauses else None
        goes_on = last is not None and last[1] < 0
        if paused and not goes_on:
            self._pauses.append([place, -1])
        elif not paused and last is not None and goes_on:
            last[1] = place

    def _place(self, at: float) -> int:
        return round((at - self._origin) * SAMPLE_RATE)

    def _set_due(self) -> None:
        end = self._said.start + _SEGMENT + _GRACE
        self._due = self._origin + end / SAMPLE_RATE

    def _close_segments(self, now: float) -> None:
        """Hand out the segments that are complete. Where no audio came for a whole one, there is
        none.
        """
        place = self._place(now)
        if not self._said.settle(place):
            return
        while place >= self._said.start + _SEGMENT + _GRACE:
            if self._said or self._heard:
                self._close(self._said.start + _SEGMENT)
            else:
                missing = (place - _GRACE - self._said.start) // _SEGMENT
                self._said.start += missing * _SEGMENT
                self._heard.start = self._said.start
        self._set_due()

    def _close(self, until: int) -> None:
        start = self._said.start
        said, heard = self._said.take(until), self._heard.take(until)
        for begin, end in self._pauses:
            first, last = max(begin - start, 0), (until if end < 0 else min(end, until)) - start
            if first < last:
                said[first:last] = heard[first:last] = _SILENCE * (last - first)
        self._pauses = [each for each in self._pauses if each[1] < 0 or each[1] > until]
        stereo = bytearray(2 * (until - start))
        stereo[0::2], stereo[1::2] = said, heard
        self._on_segment(Segment(str(self._recording_id), start // _PER_MS, bytes(stereo)))
