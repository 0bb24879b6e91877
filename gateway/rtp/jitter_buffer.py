"""The jitter buffer: packets come as they like, and each tick takes out one frame of 20 ms.

Everything is counted in samples of the sender's clock. The play-out has an *offset*: the time of a
tick, minus the place that is played. A packet is in time if its transit (`timeline.py`) is not
above the offset, so the offset that is wanted is the highest transit of late. While the offset is
more than a frame too large, quiet frames are left out, and at length loud ones. While nothing is
there to be played, the play-out stands still, and the offset grows; it also does where a frame is
missing and the offset is too small. All this follows a sender's clock, too, that is too fast or too
slow.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from gateway.rtp.concealment import SILENT_AFTER, Concealment
from gateway.rtp.g711 import FRAME, SAMPLES_PER_S, ULAW_VALUES
from gateway.rtp.ledger import Ledger
from gateway.rtp.timeline import Timeline

MAX_HELD = 4800
"""Samples that are held, and a packet; of more, the oldest are dropped (600 ms)."""
MAX_PACKETS = 128
"""Packets that are held; of more, the oldest are dropped."""
MARGIN = 40
"""Samples that a talk spurt begins later than wanted (5 ms)."""
EXCESS = MARGIN + FRAME + 40
"""Samples above the wanted offset from which a frame is left out (30 ms)."""
_QUIET = bytes(code for code, value in enumerate(ULAW_VALUES) if abs(value) <= 256)
_SHORTEN_S = 1.0
"""Seconds between two frames that are left out though they are loud; less if much is too much."""
_LEAST_SHORTEN_S = 0.1


class _Held(NamedTuple):
    place: int
    number: int
    payload: bytes


class JitterBuffer:
    """The audio of one stream, mu-law. Push packets as they come; pop a frame every 20 ms."""

    __slots__ = (
        "_concealment", "_dry", "_filling", "_held", "_ledger", "_overtaken", "_play",
        "_resting_from", "_shorten_at", "_size", "_started", "_timeline", "_uneven", "concealed",
        "dropped", "late",
    )  # fmt: skip

    def __init__(self) -> None:
        self._timeline = Timeline()
        self._ledger = Ledger()
        self._concealment = Concealment()
        self._held: deque[_Held] = deque()
        self._started = False
        self._play = 0
        """The place that is played next, once it is started."""
        self._filling = True
        """True until a talk spurt begins: its first packet waits as long as is wanted."""
        self._dry = 0
        """Samples that were made up while the play-out stood still."""
        self._overtaken = False
        """True if a packet came after its turn, and the offset has not grown since."""
        self._resting_from: int | None = None
        """The place from which the far end said that it is silent."""
        self._shorten_at = 0.0
        self._size, self._uneven = FRAME, 0
        """The samples of a packet, and those by which frames need packets that begin within them.
        """
        self.late = 0
        """Packets that came after their time, twice, or with a timestamp that cannot be."""
        self.dropped = 0
        """Frames left out to shorten the delay, or since there was too much."""
        self.concealed = 0
        """Frames that were made up, wholly or in part, up to the silence that follows."""

    @property
    def lost(self) -> int:
        """Return the packets that were missing when it was their turn."""
        return self._ledger.lost

    @property
    def bursts(self) -> int:
        """Return the runs of such packets."""
        return self._ledger.bursts

    @property
    def held(self) -> int:
        """Return the samples from the one that is played next to the newest one."""
        if not self._held:
            return 0
        first = self._held[0].place
        return self._timeline.end - (max(first, self._play) if self._started else first)

    @property
    def spread(self) -> float:
        """Return the jitter that is allowed for at present, in samples."""
        return max(0.0, self._timeline.wanted - self._timeline.least)

    def restart(self) -> None:
        """Take the next packet as the continuation, whatever its sequence number and timestamp."""
        self._timeline.anew = True

    def push(self, sequence: int, timestamp: int, payload: bytes, now: float) -> None:
        """Add a packet of audio. Hot path."""
        line, size = self._timeline, len(payload)
        arrived = now * SAMPLES_PER_S
        if self._started and size == self._size:
            place = line.follow(sequence, timestamp, size)
            if place is not None:
                line.measure(arrived - place, size)
                self._resting_from = None
                self._held.append(_Held(place, line.newest, payload))
                if line.end - self._held[0].place > MAX_HELD or len(self._held) > MAX_PACKETS:
                    self._trim()
                return
        self._push_other(sequence, timestamp, payload, arrived)

    def _push_other(self, sequence: int, timestamp: int, payload: bytes, arrived: float) -> None:
        """Add a packet that is not simply the next one."""
        line = self._timeline
        number, size = line.number(sequence), len(payload)
        if number > line.newest:
            if line.anew:
                self._begin_numbering(number)
            place = line.advance(number, timestamp, size, arrived, self._play)
            line.measure(arrived - place, size)
            self._resting_from = None
        else:
            place = line.place(timestamp)
            if not line.is_possible(place) or self._is_known(number):
                self.late += 1
                return
            line.measure(arrived - place, size)
            if self._started and place + size <= self._play:
                self.late += 1
                self._overtaken = True
                return
        if size:
            if size != self._size:
                self._size, self._uneven = size, FRAME - math.gcd(size, FRAME)
            self._insert(_Held(place, number, payload))

    def skip(self, sequence: int) -> None:
        """Note a packet of the stream that carries no audio: it is not lost audio."""
        line = self._timeline
        if line.anew:
            return
        number = line.number(sequence)
        line.newest = max(line.newest, number)
        self._ledger.skip(number)

    def rest(self, sequence: int, timestamp: int) -> None:
        """Note comfort noise: from here on the far end is silent, nothing is lost (RFC 3389)."""
        line = self._timeline
        if line.anew:
            return
        if line.number(sequence) > line.newest:
            place = line.place(timestamp)
            self._resting_from = min(max(place, line.end), line.end + MAX_HELD)
        self.skip(sequence)

    def pop(self, now: float) -> bytes | None:
        """Return the next 160 bytes; None before the first audio. `now` is when they are due. Hot
        path."""
        held = self._held
        if held and not self._filling:
            place, number, payload = held[0]
            if (
                place == self._play
                and len(payload) == FRAME
                and 0 <= now * SAMPLES_PER_S - place - self._timeline.enough < EXCESS
            ):
                held.popleft()
                self._play = place + FRAME
                self._ledger.play(number)
                self._dry = 0
                return self._concealment.hear(payload)
        return self._pop_otherwise(now)

    # What comes.

    def _begin_numbering(self, first: int) -> None:
        """Give what is held the numbers before `first`: nothing was lost in between."""
        numbers = range(first - len(self._held), first)
        self._ledger.begin(numbers.start)
        renumbered = [each._replace(number=n) for n, each in zip(numbers, self._held, strict=True)]
        self._held = deque(renumbered)

    def _is_known(self, number: int) -> bool:
        """Return whether a packet came before: it is held, or was played."""
        if self._started and self._ledger.has_played(number):
            return True
        return any(each.number == number for each in self._held)

    def _insert(self, new: _Held) -> None:
        held, line = self._held, self._timeline
        if not held or new.place >= held[-1].place:
            held.append(new)
        else:
            held.insert(sum(each.place <= new.place for each in held), new)
        line.end = max(line.end, new.place + len(new.payload))
        if not self._started:
            self._ledger.expected = min(self._ledger.expected, new.number)
        self._trim()

    def _trim(self) -> None:
        """Drop the oldest packets if there are too many."""
        held, line = self._held, self._timeline
        while len(held) > 1 and (line.end - held[0].place > MAX_HELD or len(held) > MAX_PACKETS):
            gone = held.popleft()
            self._ledger.play(gone.number)
            self.dropped += max(1, len(gone.payload) // FRAME)
            if self._started:
                self._play = max(self._play, held[0].place)

    # What goes.

    def _pop_otherwise(self, now: float) -> bytes | None:
        """Return the frame where something is special: a pause, a gap, packets of other sizes."""
        due = now * SAMPLES_PER_S
        if self._filling and not self._begins(due):
            return self._dry_frame() if self._started else None
        if not self._held:
            return self._dry_frame()
        offset = due - self._play - self._uneven
        if self._stands_still(offset):
            self._overtaken = False
            return self._dry_frame()
        frame = self._take()
        if offset - self._timeline.enough < EXCESS or self._timeline.end - self._play < FRAME:
            return frame
        return self._shortened(frame, offset, now)

    def _stands_still(self, offset: float) -> bool:
        """Return whether a frame is missing and the offset too small: what is missing may come."""
        if self._held[0].place <= self._play:
            return False
        return self._overtaken or offset < self._timeline.wanted

    def _shortened(self, frame: bytes, offset: float, now: float) -> bytes:
        """Return the frame after this one if this one is quiet, or if it has been long enough."""
        if not frame.translate(None, _QUIET):
            self.dropped += 1
            return self._take()
        slack = offset - self._timeline.wanted
        if slack < EXCESS or now < self._shorten_at:
            return frame
        self._shorten_at = now + max(_LEAST_SHORTEN_S, _SHORTEN_S * FRAME / slack)
        self.dropped += 1
        return self._concealment.splice(frame, self._take())

    def _begins(self, due: float) -> bool:
        """Begin a talk spurt if its time has come."""
        if not self._held:
            return False
        first = self._held[0].place
        if due - first < self._timeline.enough + MARGIN + self._uneven:
            return False
        self._filling, self._started = False, True
        self._play = first
        return True

    def _dry_frame(self) -> bytes:
        self._dry += FRAME
        if self._dry >= SILENT_AFTER:
            self._filling = True
        if self._rests():
            return self._concealment.rest(FRAME)
        if self._dry <= SILENT_AFTER:
            self.concealed += 1
        return self._concealment.conceal(FRAME)

    def _rests(self) -> bool:
        return self._resting_from is not None and self._play >= self._resting_from

    def _take(self) -> bytes:
        """Take the next 160 samples out of packets of any size, with what is missing made up."""
        held = self._held
        if held and held[0].place > self._play:
            self._play += min(self._dry, held[0].place - self._play)  # has been made up already
        self._dry = 0
        pieces: list[bytes] = []
        need = FRAME
        while need:
            if not held:
                pieces.append(self._missing(need, lost=not self._rests()))
                self._dry = need
                break
            piece = self._piece(held[0], need)
            pieces.append(piece)
            self._play += len(piece)
            need -= len(piece)
        return b"".join(pieces)

    def _piece(self, first: _Held, need: int) -> bytes:
        """Return up to `need` samples, of the first packet or of the gap before it."""
        place, number, payload = first
        if place > self._play:
            return self._missing(min(need, place - self._play), lost=self._ledger.lacks(number))
        self._ledger.play(number)
        piece = payload[self._play - place : self._play - place + need]
        if self._play + len(piece) >= place + len(payload):
            self._held.popleft()
        return self._concealment.hear(piece) if piece else piece

    def _missing(self, samples: int, *, lost: bool) -> bytes:
        if not lost:
            return self._concealment.rest(samples)
        self.concealed += 1
        return self._concealment.conceal(samples)
