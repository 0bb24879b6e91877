"""The place of each packet: sequence numbers and timestamps without wrapping, and who is late.

A packet's *number* is its sequence number, its *place* its timestamp in samples, both unwrapped and
unbroken: where a sender begins a numbering anew, they go on. Its *transit* is when it arrived minus
its place, in samples. The highest transit of late is what the play-out has to wait for.
Source: RFC 3550 6.4.1 (transit). R. Ramjee et al., INFOCOM 1994 (spikes).
"""

from __future__ import annotations

_FAR = 4800
"""Samples by which one packet may be later than another, or its timestamp off (600 ms)."""
MAX_SPREAD = 2560
"""Samples of jitter that are allowed for; of packets that come later still, some are lost (320 ms).
"""
_JUMP = 320
"""Samples by which no network is faster than ever before: then timestamps jumped (40 ms)."""
_SNAP = 80
"""Samples by which consecutive packets may overlap or leave a gap that is none (10 ms)."""
_SINKING = 64
"""The wanted offset sinks by one part in so many of the audio that comes: 15 ms a second."""
_SINKING_FAST = 8
"""The offset that is enough sinks so: 125 ms a second."""
_RISING = 1024
"""The least transit rises by one part in so many: a clock may be so much slower than ours."""


class Timeline:
    """The numbers and places of one stream's packets."""

    __slots__ = (
        "_newest_place", "_newest_timestamp", "anew", "end", "enough", "least", "newest",
        "wanted",
    )  # fmt: skip

    def __init__(self) -> None:
        self.newest = -1
        """The highest number; -1 before the first packet."""
        self._newest_timestamp = self._newest_place = 0
        self.anew = True
        """True if the next packet may have any sequence number and timestamp."""
        self.end = 0
        """The place behind all audio that came."""
        self.wanted = 0.0
        """The highest transit of late, sinking slowly: nobody wants to lose speech for less."""
        self.enough = 0.0
        """The same, sinking fast: in silence, this is enough."""
        self.least = 0.0
        """The lowest transit of late, rising."""

    def number(self, sequence: int) -> int:
        """Return a packet's number. Hot path."""
        if self.newest < 0:
            return sequence + 0x10000  # room for packets that were sent before
        if self.anew:
            return self.newest + 1 + (sequence - self.newest - 1 & 0xFFFF)
        return self.newest + _signed(sequence - self.newest, 16)

    def place(self, timestamp: int) -> int:
        """Return where a packet belongs by its timestamp alone."""
        return self._newest_place + _signed(timestamp - self._newest_timestamp, 32)

    def is_possible(self, place: int) -> bool:
        """Return whether a packet that was overtaken may belong there."""
        return abs(place - self._newest_place) < _FAR

    def follow(self, sequence: int, timestamp: int, size: int) -> int | None:
        """Return the place of a packet that follows the newest one as usual; None for others.

        It says what `advance` says of such a packet, at a part of the cost. Hot path.
        """
        number, end = self.newest + 1, self.end
        if (
            self.anew
            or sequence != number & 0xFFFF
            or timestamp - self._newest_timestamp != size
            or end - self._newest_place != size
        ):
            return None
        self.newest, self._newest_timestamp, self._newest_place = number, timestamp, end
        self.end = end + size
        return end

    def advance(self, number: int, timestamp: int, size: int, arrived: float, played: int) -> int:
        """Return the place of a packet that is newer than all others. Hot path.

        `played` is the place up to which all was played. If the timestamps began anew, or jumped
        without a pause, the packet goes where the audio ends.
        """
        between = number - self.newest - 1
        place = self._newest_place + _signed(timestamp - self._newest_timestamp, 32)
        if not between and abs(place - self.end) < _SNAP and not self.anew:
            place = self.end
        elif self.anew or not self._is_plausible(place, arrived, between * size):
            place = max(self.end, played)
            self.wanted = self.enough = self.least = arrived - place
        self.anew = False
        self.newest, self._newest_timestamp, self._newest_place = number, timestamp, place
        self.end = place + size
        return place

    def _is_plausible(self, place: int, arrived: float, between: int) -> bool:
        """Return whether a packet may belong there, with so many samples before it on their way."""
        faster_by = self.least - (arrived - place)
        return place >= self.end and (faster_by <= _JUMP or place <= self.end + between)

    def measure(self, transit: float, size: int) -> None:
        """Take a packet's transit into account. Hot path.

        One that is later by far is how it is from now on: timestamps stood still in a pause.
        """
        if transit > self.least + _FAR:
            self.least = self.wanted = self.enough = transit
        # Comparisons instead of min and max, which cost three times as much.
        risen, sunk = self.least + size / _RISING, self.wanted - size / _SINKING
        sunk_fast = self.enough - size / _SINKING_FAST
        least = transit if transit < risen else risen
        wanted = transit if transit > sunk else sunk
        enough = transit if transit > sunk_fast else sunk_fast
        most = least + MAX_SPREAD
        self.least = least
        self.wanted = wanted if wanted < most else most
        self.enough = enough if enough < most else most


def _signed(difference: int, bits: int) -> int:
    """Return a difference of two numbers that wrap at so many bits, with its sign."""
    half = 1 << bits - 1
    return (difference + half & (1 << bits) - 1) - half
