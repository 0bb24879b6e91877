"""Check that the sound of one side was heard by the other, by comparing audio, not packet counts.

The recording is searched for the played signal (FFT cross-correlation finds its first sample), then
each stretch of 100 ms is compared at its expected place. Works across mu-law and across resampling;
a lost, repeated or shifted frame shows as stretches that do not match.

A jitter buffer may delay the sound when packets are late, so across SIP `follow` also looks for
each stretch a little before and after its place, and counts how often the sound slipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]
_Floats = npt.NDArray[np.float64]

RATE = 8000
STRETCH = RATE // 10
ALIKE = 0.97
"""Correlation of two stretches above which they are the same sound; after mu-law it is 0.999."""
HEARD = 0.98
"""Share of the stretches that must match for the whole to count as heard."""
HEARD_FOLLOWING = 0.95
"""The same share where the sound may slip: a stretch in which it slips never matches."""
SLIP = RATE // 2
"""Samples by which the sound may slip at a time: a listener would notice a longer gap."""
_QUIET = 200.0
"""RMS (of 32767) of a stretch below which there is nothing to compare."""


@dataclass(frozen=True)
class Match:
    """The result of a search: `share` of the played sound is in the recording, beginning at `at_ms`
    and slipping `slips` times. `heard` is the verdict."""

    at_ms: float
    share: float
    slips: int = 0
    enough: float = HEARD

    @property
    def heard(self) -> bool:
        """Return whether the whole played sound arrived."""
        return self.share >= self.enough


def find(played: Samples, recorded: Samples) -> Match:
    """Find `played` (8 kHz) in `recorded` (8 kHz); return its place, and how well it matches."""
    if len(played) == 0 or len(recorded) == 0:
        return Match(0.0, 0.0)
    mine, theirs = played.astype(np.float64), recorded.astype(np.float64)
    start = _best_offset(mine, theirs)
    there = _cut(theirs, start, len(played))
    loud = list(_loud_stretches(mine))
    alike = sum(_alike(mine[at : at + STRETCH], there[at : at + STRETCH]) for at in loud)
    return Match(start * 1000 / RATE, alike / len(loud) if loud else 0.0)


def follow(played: Samples, recorded: Samples) -> Match:
    """Find sound that may slip, and return the same as `find`. Searches for the stretches in their
    order, each up to `SLIP` samples from the place that follows from the one before it."""
    if len(played) == 0 or len(recorded) == 0:
        return Match(0.0, 0.0, enough=HEARD_FOLLOWING)
    mine, theirs = played.astype(np.float64), recorded.astype(np.float64)
    start = offset = _best_offset(mine, theirs)
    alike = total = slips = 0
    found = False
    for at in _loud_stretches(mine):
        total += 1
        stretch = mine[at : at + STRETCH]
        if not _alike(stretch, _cut(theirs, at + offset, STRETCH)):
            moved = _slipped(stretch, theirs, at + offset)
            if moved is None:
                continue
            offset += moved
            slips += found
        start = start if found else offset
        found = True
        alike += 1
    return Match(start * 1000 / RATE, alike / total if total else 0.0, slips, HEARD_FOLLOWING)


def _slipped(stretch: _Floats, recorded: _Floats, expected: int) -> int | None:
    """Return by how many samples the stretch is away from its expected place; None if it is not
    near."""
    around = _cut(recorded, expected - SLIP, STRETCH + 2 * SLIP)
    loudness = np.sqrt(np.convolve(around**2, np.ones(len(stretch)), "valid"))
    alike = np.correlate(around, stretch) / np.maximum(loudness, 1.0)
    moved = int(np.argmax(alike)) - SLIP
    return moved if _alike(stretch, _cut(recorded, expected + moved, STRETCH)) else None


def _best_offset(played: _Floats, recorded: _Floats) -> int:
    size = 1 << int(np.ceil(np.log2(len(played) + len(recorded))))
    spectrum = np.fft.rfft(recorded, size) * np.conj(np.fft.rfft(played, size))
    correlation = np.fft.irfft(spectrum, size)
    best = int(np.argmax(correlation))
    return best if best < len(recorded) else best - size


def _loud_stretches(played: _Floats) -> Iterator[int]:
    for at in range(0, len(played) - STRETCH + 1, STRETCH):
        if np.sqrt(np.mean(played[at : at + STRETCH] ** 2)) >= _QUIET:
            yield at


def _cut(samples: _Floats, start: int, length: int) -> _Floats:
    """Return `length` samples from `start`, with silence where the sound has none."""
    cut = np.zeros(length)
    first, last = max(0, start), min(len(samples), start + length)
    if last > first:
        cut[first - start : last - start] = samples[first:last]
    return cut


def _alike(mine: _Floats, theirs: _Floats) -> bool:
    norm = np.linalg.norm(mine) * np.linalg.norm(theirs)
    return bool(norm > 0 and float(mine @ theirs) / norm >= ALIKE)
