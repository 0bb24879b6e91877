"""Concealment of lost audio: the last pitch period goes on, fading out, until audio is there again.

In the spirit of ITU-T G.711 Appendix I, without its delay of 3.75 ms and with one period instead of
up to three. The first 10 ms keep their level, the next 50 ms fade to nothing, then it is silent.
Where audio comes back it is faded in over what went on. Nothing is computed while nothing is lost.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from gateway.rtp.g711 import ULAW_SILENCE, Samples, from_linear, to_linear

SHORTEST, LONGEST = 40, 120
"""Pitch periods that are looked for, in samples: 200 to 66 Hz."""
WINDOW = 160
"""Samples that are compared with those of a period before."""
HELD_LEVEL = 80
SILENT_AFTER = 480
"""Samples after which the fading begins, and ends (10 and 60 ms)."""
LONGEST_BLEND = 80
_SPLICE = 40
_PIECES = 8


class Concealment:
    """The substitute for missing audio. All audio of a stream goes through it, in order."""

    __slots__ = ("_at", "_heard", "_period")

    def __init__(self) -> None:
        self._heard: deque[bytes] = deque(maxlen=_PIECES)
        self._period: Samples | None = None
        self._at = 0

    def hear(self, ulaw: bytes) -> bytes:
        """Return audio that came, faded in if some before it was missing. Hot path."""
        if self._at:
            ulaw = self._rejoin(ulaw)
        self._heard.append(ulaw)
        return ulaw

    def conceal(self, samples: int) -> bytes:
        """Return so many samples, mu-law, in place of audio that is missing."""
        if self._at == 0:
            self._period = _last_period(to_linear(b"".join(self._heard)))
        if self._period is None or self._at >= SILENT_AFTER:
            ulaw = ULAW_SILENCE * samples
        else:
            ulaw = from_linear(self._continued(self._period, samples))
        self._at += samples
        self._heard.append(ulaw)
        return ulaw

    def rest(self, samples: int) -> bytes:
        """Return silence in place of audio that was never sent: the far end pauses."""
        self._heard.clear()
        self._period, self._at = None, 0
        return ULAW_SILENCE * samples

    def splice(self, left_out: bytes, ulaw: bytes) -> bytes:
        """Return `ulaw`, faded in over the beginning of what was left out before it."""
        spliced = _cross_faded(to_linear(left_out[:_SPLICE]), ulaw)
        self._heard.append(spliced)
        return spliced

    def _continued(self, period: Samples, samples: int) -> Samples:
        places = np.arange(self._at, self._at + samples)
        gain = np.clip((SILENT_AFTER - places) / (SILENT_AFTER - HELD_LEVEL), 0, 1)
        return (period[places % len(period)] * gain).astype(np.float32)

    def _rejoin(self, ulaw: bytes) -> bytes:
        period, missing = self._period, self._at
        length = LONGEST_BLEND if period is None else len(period) // 4 + 32 * (missing // 80)
        length = min(length, LONGEST_BLEND, len(ulaw))
        going_on = np.zeros(length, np.float32)
        if period is not None:
            going_on = self._continued(period, length)
        self._period, self._at = None, 0
        return _cross_faded(going_on, ulaw)


def _cross_faded(before: Samples, ulaw: bytes) -> bytes:
    """Return `ulaw` with its first samples faded in while those before fade out."""
    length = min(len(before), len(ulaw))
    rising = (np.arange(length, dtype=np.float32) + 1) / (length + 1)
    blended = before[:length] * (1 - rising) + to_linear(ulaw[:length]) * rising
    return from_linear(blended.astype(np.float32)) + ulaw[length:]


def _last_period(heard: Samples) -> Samples | None:
    """Return the last pitch period so that it can be repeated without a click at its seams.

    Returns None if too little was heard, or nothing but silence.
    """
    if len(heard) < WINDOW + LONGEST + LONGEST // 4 or not heard.any():
        return None
    length = _pitch(heard)
    quarter = length // 4
    period = heard[-length:].copy()
    rising = (np.arange(quarter, dtype=np.float32) + 1) / (quarter + 1)
    before = heard[-length - quarter : -length]
    period[-quarter:] = period[-quarter:] * (1 - rising) + before * rising
    return period


def _pitch(heard: Samples) -> int:
    """Return the lag, in samples, at which what was heard last resembles itself most."""
    last = heard[-WINDOW:]
    earlier = heard[-WINDOW - LONGEST : -SHORTEST]
    alike = np.correlate(earlier, last, "valid")
    power = np.concatenate(([0.0], np.cumsum(earlier.astype(np.float64) ** 2)))
    power = power[WINDOW:] - power[:-WINDOW]
    return LONGEST - int(np.argmax(alike / np.sqrt(power + 1)))
