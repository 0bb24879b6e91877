"""A source's sequence numbers: which packets belong to the stream, how many were lost, its jitter.

Source: RFC 3550 A.1 (validity), A.3 (loss), A.8 (jitter).
"""

from __future__ import annotations

import enum

from gateway.rtp.g711 import SAMPLES_PER_S

DROPOUT = 3000
"""Packets that may be missing in a row; a larger step is another numbering."""
MISORDER = 100
"""Packets by which one may come too late; a larger step back is another numbering."""
_CYCLE = 1 << 16
_NONE = _CYCLE + 1
"""A sequence number that none is equal to."""
_LOST_RANGE = -0x800000, 0x7FFFFF


class Verdict(enum.Enum):
    """The judgements about a packet's sequence number."""

    VALID = "belongs to the stream"
    RESTARTED = "begins another numbering of the same source"
    INVALID = "is far from all others; if the next one follows it, the numbering began anew"


VALID = Verdict.VALID
"""A name of its own: to look it up in the enumeration takes as long as the whole judgement."""


class Source:
    """The sequence numbers and timestamps of one SSRC. Call `received` with each of its packets."""

    __slots__ = (
        "_bad", "_base", "_cycles", "_expected_prior", "_highest", "_received_prior", "_transit",
        "jitter", "received_packets", "ssrc",
    )  # fmt: skip

    def __init__(self, ssrc: int, sequence: int) -> None:
        self.ssrc = ssrc
        self.jitter = 0.0
        """The interarrival jitter in samples (RFC 3550 6.4.1)."""
        self._begin(sequence)

    def _begin(self, sequence: int) -> None:
        self._base = self._highest = sequence
        self._cycles = 0
        self._bad = _NONE
        self.received_packets = 0
        self._expected_prior = self._received_prior = 0
        self._transit: float | None = None

    def received(self, sequence: int) -> Verdict:
        """Judge a packet's sequence number, and count the packet unless it is invalid. Hot path."""
        ahead = sequence - self._highest & 0xFFFF
        if ahead < DROPOUT:
            if sequence < self._highest:
                self._cycles += _CYCLE
            self._highest = sequence
        elif ahead <= _CYCLE - MISORDER:
            if sequence != self._bad:
                self._bad = sequence + 1 & 0xFFFF
                return Verdict.INVALID
            self._begin(sequence)
            self.received_packets = 1
            return Verdict.RESTARTED
        self.received_packets += 1
        return VALID

    def timed(self, timestamp: int, now: float) -> None:
        """Measure the jitter with a packet of audio. Hot path.

        Packets of keys are left out: the timestamp stands still in them (RFC 4733 2.5.1.2).
        """
        transit = now * SAMPLES_PER_S - timestamp
        before, self._transit = self._transit, transit
        if before is not None:
            difference = abs(transit - before)
            if difference < SAMPLES_PER_S:  # more is a timestamp that wrapped or began anew
                self.jitter += (difference - self.jitter) / 16

    @property
    def extended_highest(self) -> int:
        """Return the highest sequence number, with its cycles in the upper 16 bits."""
        return self._cycles + self._highest & 0xFFFFFFFF

    @property
    def expected(self) -> int:
        """Return the number of packets sent, as far as the sequence numbers tell."""
        return self._cycles + self._highest - self._base + 1

    @property
    def lost(self) -> int:
        """Return the packets lost since the numbering began, within 24 bits and their sign.

        It is negative if more were doubled than lost.
        """
        lowest, highest = _LOST_RANGE
        return max(lowest, min(highest, self.expected - self.received_packets))

    def take_fraction_lost(self) -> int:
        """Return the loss since this was last called, in 1/256 (0 to 255)."""
        expected = self.expected - self._expected_prior
        received = self.received_packets - self._received_prior
        self._expected_prior, self._received_prior = self.expected, self.received_packets
        lost = expected - received
        return min(255, lost * 256 // expected) if expected > 0 and lost > 0 else 0
