"""Measures a far end's audio in blocks of 20 ms: speech over the line's noise, steady tones.

The noise floor is the quietest block of the last two seconds: speech has pauses of a block or two
within that time, noise has no louder and quieter blocks. So it follows a line's noise either way.

A block is a tone if x[n-1] + x[n+1] = 2 cos(w) x[n] holds for one w, which is true of a sine only.
A vowel may come near for a while. Therefore what looks like a tone for long enough is looked at
once more, by its spectrum. So is any sound without a pause: networks have tones of two frequencies
(ringing, busy), which are no speech either.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import acos, log10, pi

import numpy as np
import numpy.typing as npt

from common import g711

BLOCK_MS = 20
BLOCK = 160
"""Bytes of mu-law in a block."""
TONE_MS = 140
"""Steady sound for at least so long is a tone, if its spectrum says so, too."""
TONE_HZ = 400, 2300
OVER_NOISE_DB = 7.0
QUIETEST_DB = -45.0
"""dB of full scale: below this nothing is speech, whatever the noise."""
LOUDEST_NOISE_DB = -32.0
UNDER_SPEECH_DB = 14.0
"""Sound that is so far below the loudest speech is no speech: it is an echo, breath, or other
people in the room."""
FORGET_DB = 0.04
"""The loudest speech counts so much less with each block: it may have been a handset's clunk."""
NETWORK_MS = 300
"""Sound without a pause that is looked at for two frequencies."""
NETWORK_HZ = 700
_OF_TWO_TONES = 0.9
_FLOOR_BLOCKS, _FLOORS = 25, 4
_TONE_BLOCKS = TONE_MS // BLOCK_MS
_NETWORK_BLOCKS = NETWORK_MS // BLOCK_MS
_STEADY_HZ, _STEADY_DB = 25.0, 2.5
_RESIDUE = 0.12
"""Part of a block's power that may not be of its tone: noise at -15 dB, and mu-law's own."""
_OF_THE_TONE = 0.8
"""Part of a tone's power that lies within `_NEAR_HZ` of its peak."""
_NEAR_HZ = 30.0
_FULL_SCALE = 32768.0**2
_DECODE = g711.DECODE_TABLE.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Tone:
    """A steady tone that goes on: blocks so far, and Hz."""

    blocks: int
    hz: float


class SoundBlocks:
    """The sound of one far end. Each block is speech, a tone, quiet, or not yet decided."""

    __slots__ = (
        "_counted", "_floors", "_history", "_hz", "_level", "_loud", "_loudest", "_low",
        "_low_blocks", "_network", "_run", "tone", "undecided",
    )  # fmt: skip

    def __init__(self) -> None:
        self._floors: deque[float] = deque(maxlen=_FLOORS)
        self._low, self._low_blocks = 0.0, 0
        self._loudest = QUIETEST_DB
        self._run = 0
        self._hz = self._level = 0.0
        self._history: deque[bytes] = deque(maxlen=_TONE_BLOCKS)
        self._loud: list[bytes] = []
        self._counted = 0
        """Blocks of the sound without a pause that were told to be speech."""
        self._network = False
        """True while a tone of the network's goes on."""
        self.tone: Tone | None = None
        """The tone that the last block belongs to."""
        self.undecided = 0
        """Loud blocks at the end that may turn out to be a tone."""

    def add(self, ulaw: bytes) -> int:
        """Take a block. Return how many blocks are known to be speech by it: those that were
        undecided, too. A negative number: so many blocks before it were no speech after all.
        """
        samples = _DECODE[np.frombuffer(ulaw, np.uint8)]
        level = 10 * log10(float(samples @ samples) / (_FULL_SCALE * BLOCK) + 1e-9)
        hz = None
        speech = 0
        loud = level > self._threshold(level)
        if loud:
            hz = _tone_of(samples)
            if hz is None:
                speech = 1
                self._loudest = max(self._loudest, level)
        steady = (
            hz is not None
            and abs(hz - self._hz) < _STEADY_HZ
            and abs(level - self._level) < _STEADY_DB
        )
        if self._run and not steady:
            speech += self._end_run()
        if hz is not None:
            self._history.append(ulaw)
            speech += self._go_on(hz)
        self._level = level
        return self._without_network(ulaw, speech, loud=loud)

    def _without_network(self, ulaw: bytes, speech: int, *, loud: bool) -> int:
        """Return the blocks of speech without those that are a tone of the network's."""
        if not loud:
            self._loud.clear()
            self._counted, self._network = 0, False
            return speech
        if self._network:
            self.undecided = 0
            return 0
        self._loud.append(ulaw)
        self._counted += speech
        if len(self._loud) < _NETWORK_BLOCKS:
            return speech
        self._network = self.tone is None and _has_two_tones(b"".join(self._loud))
        self._loud.clear()
        if not self._network:
            return speech
        self.undecided = 0
        return speech - self._counted

    def _go_on(self, hz: float) -> int:
        """Take a block that may be of a tone. Return how many blocks turned out to be speech."""
        # Compared with the mean of the run, so that a slow glide is no tone.
        self._hz = (self._hz * self._run + hz) / (self._run + 1)
        self._run += 1
        self.undecided += 1
        if self._run < _TONE_BLOCKS:
            return 0
        if self.tone is None and not _is_pure(b"".join(self._history)):
            return self._end_run()
        self.undecided = 0
        self.tone = Tone(self._run, self._hz)
        return 0

    def _end_run(self) -> int:
        undecided, self.undecided, self._run, self.tone = self.undecided, 0, 0, None
        return undecided

    def _threshold(self, level: float) -> float:
        """Return the level in dB above which a block is loud; note the block's own."""
        if self._low_blocks == 0 or level < self._low:
            self._low = level
        self._low_blocks += 1
        if self._low_blocks == _FLOOR_BLOCKS:
            self._floors.append(self._low)
            self._low_blocks = 0
        self._loudest -= FORGET_DB
        floor = min(self._low, *self._floors) if self._floors else self._low
        floor = min(floor, LOUDEST_NOISE_DB)
        return max(floor + OVER_NOISE_DB, QUIETEST_DB, self._loudest - UNDER_SPEECH_DB)


def _tone_of(samples: npt.NDArray[np.float32]) -> float | None:
    """Return the frequency of a block that may be a single tone, in Hz."""
    inner = samples[1:-1]
    around = samples[:-2] + samples[2:]
    power = float(inner @ inner)
    both = float(inner @ around)
    cosine = both / (2 * power) if power else 1.0
    if not -0.25 < cosine < 0.96:  # 2,300 to 360 Hz
        return None
    residue = (float(around @ around) - both * both / power) / power
    if residue > _RESIDUE:
        return None
    hz = acos(cosine) * 8000 / (2 * pi)
    return hz if TONE_HZ[0] <= hz <= TONE_HZ[1] else None


def _has_two_tones(ulaw: bytes) -> bool:
    """Return whether nearly all of the sound's power is at two low frequencies, or one."""
    samples = _DECODE[np.frombuffer(ulaw, np.uint8)]
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    total, found = float(power.sum()), 0.0
    near = round(_NEAR_HZ * len(samples) / 8000)
    for _ in range(2):
        peak = int(power.argmax())
        if peak * 8000 / len(samples) > NETWORK_HZ:
            return False
        around = slice(max(0, peak - near), peak + near + 1)
        found += float(power[around].sum())
        power[around] = 0
    return found > _OF_TWO_TONES * total


def _is_pure(ulaw: bytes) -> bool:
    """Return whether nearly all of the sound's power is at one frequency."""
    samples = _DECODE[np.frombuffer(ulaw, np.uint8)]
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    peak = int(spectrum.argmax())
    near = max(2, round(_NEAR_HZ * len(samples) / 8000))
    return float(spectrum[max(0, peak - near) : peak + near + 1].sum()) > _OF_THE_TONE * float(
        spectrum.sum()
    )
