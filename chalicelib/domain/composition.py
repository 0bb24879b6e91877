"""The file of a recording: WAV with mu-law in stereo, composed from segments by their times.

Segments of several relays may overlap a little, or leave gaps. Each sample is written once, and
what is missing is silence, so that places in the file are times since the recording began.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

RATE, CHANNELS = 8000, 2
PER_MS = RATE // 1000
SILENCE = b"\xff"
MAX_SEGMENT = 80_000
"""Bytes of a segment: five seconds. A longer one is left out."""
_WAVE_FORMAT_MULAW = 7
MIN_GAP_MS = 100
"""Less than this between two segments is no gap: relays' clocks differ a little."""
MIN_EDGE_MS = 3000
"""The same before the first segment and after the last: a stream comes a moment after the answer,
and is gone a moment before the end."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A segment in the storage: its key, when it begins, and its bytes."""

    key: str
    start_ms: int
    size: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the file: bytes of a segment, or of silence if `key` is None."""

    key: str | None
    skip: int
    size: int


@dataclass(frozen=True, slots=True)
class Composition:
    """The parts of a file in order, and what is missing of the recording."""

    pieces: tuple[Piece, ...]
    samples: int
    gaps: int
    lost_ms: int

    @property
    def duration_ms(self) -> int:
        """Return the duration of the file."""
        return self.samples // PER_MS

    @property
    def size(self) -> int:
        """Return the bytes of the file."""
        return len(header(self.samples)) + self.samples * CHANNELS


def plan(segments: Iterable[Stored], length_ms: int) -> Composition:
    """Return the file of a recording that was `length_ms` long."""
    pieces: list[Piece] = []
    place, missing = 0, []
    usable = [each for each in segments if 0 < each.size <= MAX_SEGMENT]
    for each in sorted(usable, key=lambda each: (each.start_ms, each.key)):
        start, samples = each.start_ms * PER_MS, each.size // CHANNELS
        if start > place:
            pieces.append(Piece(None, 0, (start - place) * CHANNELS))
            missing.append((start - place, MIN_GAP_MS if place else MIN_EDGE_MS))
            place = start
        skip = place - start
        if skip < samples:
            pieces.append(Piece(each.key, skip * CHANNELS, (samples - skip) * CHANNELS))
            place += samples - skip
    left = length_ms * PER_MS - place
    if place and left > MIN_EDGE_MS * PER_MS:
        pieces.append(Piece(None, 0, left * CHANNELS))
        missing.append((left, MIN_EDGE_MS))
        place += left
    gaps = [samples for samples, least_ms in missing if samples >= least_ms * PER_MS]
    return Composition(tuple(pieces), place, len(gaps), sum(gaps) // PER_MS)


def header(samples: int) -> bytes:
    """Return the head of a WAV file with so many samples in each channel: RIFF with the chunks
    `fmt `, `fact` (which formats other than PCM have) and the begin of `data`.
    """
    size = samples * CHANNELS
    fmt = struct.pack(
        "<HHIIHHH", _WAVE_FORMAT_MULAW, CHANNELS, RATE, RATE * CHANNELS, CHANNELS, 8, 0
    )
    chunks = (
        _chunk(b"fmt ", fmt) + _chunk(b"fact", struct.pack("<I", samples)) + b"data"
    ) + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks) + size) + b"WAVE" + chunks


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content
