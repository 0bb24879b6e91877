"""The music that a caller on hold hears: made here, so that it is nobody else's.

Eight bars of broken chords in C major, as a soft electric piano plays them, with a bass note each
bar: 20 s as mu-law at 8 kHz. The end fades into the begin, so that the loop has no edge.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from common import g711

_RATE = 8000
_STEP = 2500
"""Samples of a note's place: eight of them are a bar of 2.5 s."""
_RING = 12_000
"""Samples until a note has died away."""
_BARS: Final = (
    (48, (60, 64, 67, 71)),
    (45, (60, 64, 69, 72)),
    (53, (60, 65, 69, 72)),
    (55, (59, 62, 67, 71)),
    (52, (59, 64, 67, 71)),
    (45, (60, 64, 69, 76)),
    (50, (60, 65, 69, 74)),
    (55, (59, 65, 67, 74)),
)
"""The bass and the chord of each bar, as MIDI notes."""
_ORDER: Final = (0, 1, 2, 3, 2, 1, 2, 1)
_PEAK = 6000.0
"""About -15 dBm0: below speech, as nobody wants to hear it loud for minutes."""


@cache
def _tone(note: int, level: float) -> npt.NDArray[np.float64]:
    hz = 440.0 * 2 ** ((note - 69) / 12)
    t = np.arange(_RING) / _RATE
    decay = np.exp(-3.2 * t) * np.minimum(1.0, t / 0.008) * np.minimum(1.0, (1.5 - t) / 0.1)
    overtone = 0.25 * np.exp(-6 * t) * np.sin(4 * np.pi * hz * t)
    wave: npt.NDArray[np.float64] = (np.sin(2 * np.pi * hz * t) + overtone) * decay * level
    return wave


def _compose() -> bytes:
    length = len(_BARS) * len(_ORDER) * _STEP
    wave = np.zeros(length + _RING)
    for bar, (bass, chord) in enumerate(_BARS):
        at = bar * len(_ORDER) * _STEP
        wave[at : at + _RING] += _tone(bass, 0.8)
        for place, which in enumerate(_ORDER):
            begin = at + place * _STEP
            wave[begin : begin + _RING] += _tone(chord[which], 0.6)
    # Notes that still sound at the end go on at the begin.
    wave[:_RING] += wave[length:]
    wave = wave[:length] * (_PEAK / np.abs(wave[:length]).max())
    return g711.encode(wave.astype("<i2").tobytes())


MUSIC: Final = _compose()
"""The loop as mu-law. Made when the process begins: it takes longer than a call may wait."""
