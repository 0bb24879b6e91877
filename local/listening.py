"""Was what one side played heard by the other? Compares audio, not packet counts.

The recording is searched for the played signal (FFT cross-correlation finds where it begins, to the
sample), then each stretch of 100 ms is compared at that very place. Works across mu-law and across
resampling; a lost, repeated or shifted frame shows as stretches that do not match.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

RATE = 8000
STRETCH = RATE // 10
ALIKE = 0.97
"""Correlation of a stretch above which it is the same sound; mu-law alone leaves 0.999."""
HEARD = 0.98
"""Share of the stretches that must be the same for the whole to count as heard."""
_QUIET = 200.0
"""RMS (of 32767) of a stretch below which there is nothing to compare."""


@dataclass(frozen=True)
class Match:
    """`share` of the played sound found in the recording, beginning `at_ms` into it. `heard` is
    the verdict."""

    at_ms: float
    share: float

    @property
    def heard(self) -> bool:
        """True if the played sound arrived whole."""
        return self.share >= HEARD


def find(played: Samples, recorded: Samples) -> Match:
    """Where and how well `played` (8 kHz) is in `recorded` (8 kHz)."""
    if len(played) == 0 or len(recorded) == 0:
        return Match(0.0, 0.0)
    start = _best_offset(played.astype(np.float64), recorded.astype(np.float64))
    there = np.zeros(len(played), np.int16)
    first, last = max(0, start), min(len(recorded), start + len(played))
    if last > first:
        there[first - start : last - start] = recorded[first:last]
    return Match(start * 1000 / RATE, _share(played, there))


def _best_offset(played: npt.NDArray[np.float64], recorded: npt.NDArray[np.float64]) -> int:
    size = 1 << int(np.ceil(np.log2(len(played) + len(recorded))))
    spectrum = np.fft.rfft(recorded, size) * np.conj(np.fft.rfft(played, size))
    correlation = np.fft.irfft(spectrum, size)
    best = int(np.argmax(correlation))
    return best if best < len(recorded) else best - size


def _share(played: Samples, there: Samples) -> float:
    alike = total = 0
    for at in range(0, len(played) - STRETCH + 1, STRETCH):
        mine = played[at : at + STRETCH].astype(np.float64)
        theirs = there[at : at + STRETCH].astype(np.float64)
        if np.sqrt(np.mean(mine**2)) < _QUIET:
            continue
        total += 1
        norm = np.linalg.norm(mine) * np.linalg.norm(theirs)
        alike += bool(norm > 0 and float(mine @ theirs) / norm >= ALIKE)
    return alike / total if total else 0.0
