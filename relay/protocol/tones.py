"""DTMF tones (ITU-T Q.23), the ringing tone and the beep of a recording, as mu-law at 8 kHz.

Tones are only made, not recognized: keys that a caller presses come from the provider as messages.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from common import g711

TONE_MS = 100
GAP_MS = 80
WAIT_MS = 500
"""The pause that a `w` among the digits stands for."""
_SAMPLES_PER_MS = 8
_LEVEL = 8000.0
"""The peak of each of the two sines: about -9 dBm0, and no clipping when they add up."""
_RAMP_MS = 2
BEEP_HZ, BEEP_MS = 1000, 200
"""The beep that tells a caller that a recording begins."""

_LOW = (697, 770, 852, 941)
_HIGH = (1209, 1336, 1477, 1633)
_KEYPAD = ("123A", "456B", "789C", "*0#D")
PAIRS = {
    key: (_LOW[row], _HIGH[column])
    for row, keys in enumerate(_KEYPAD)
    for column, key in enumerate(keys)
}
"""Key -> its two frequencies in Hz."""


def dtmf(digits: str) -> bytes:
    """Return the tones of keys `0-9*#A-D`, and silence for `w`. KeyError for other keys."""
    return b"".join(map(_key, digits))


def duration_ms(digits: str) -> int:
    """Return the duration of the tones of `digits`, in ms."""
    waits = digits.count("w")
    return waits * WAIT_MS + (len(digits) - waits) * (TONE_MS + GAP_MS)


_RINGING = {
    "": ((425,), 1000, 4000),
    "US": ((440, 480), 2000, 4000),
    "CA": ((440, 480), 2000, 4000),
}
"""Country -> frequencies in Hz, ms on and ms off (ITU-T E.180, supplement 2); "": any other."""


@cache
def _ringback(plan: tuple[tuple[int, ...], int, int]) -> bytes:
    frequencies, on_ms, off_ms = plan
    return _tone(frequencies, on_ms) + silence(off_ms)


def ringback(country: str = "") -> bytes:
    """Return one period of the ringing tone of a country (ISO 3166-1)."""
    return _ringback(_RINGING.get(country) or _RINGING[""])


def silence(ms: int) -> bytes:
    """Return so much silence as mu-law."""
    return bytes([g711.SILENCE]) * (ms * _SAMPLES_PER_MS)


@cache
def beep() -> bytes:
    """Return the beep that tells a caller that a recording begins."""
    return _tone((BEEP_HZ,), BEEP_MS)


@cache
def _key(key: str) -> bytes:
    if key == "w":
        return silence(WAIT_MS)
    return _tone(PAIRS[key], TONE_MS) + silence(GAP_MS)


def _tone(frequencies: tuple[int, ...], ms: int) -> bytes:
    t = np.arange(ms * _SAMPLES_PER_MS) / 8000
    wave = sum(np.sin(2 * np.pi * hz * t) for hz in frequencies) * _LEVEL
    # A hard edge clicks, and some detectors take a click for speech.
    ramp = np.minimum(1, np.arange(len(t)) / (_RAMP_MS * _SAMPLES_PER_MS))
    shaped = wave * ramp * ramp[::-1]
    return g711.encode(shaped.astype("<i2").tobytes())
