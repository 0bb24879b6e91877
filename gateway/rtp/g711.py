"""G.711: from A-law to mu-law and back, and mu-law to linear samples and back, by tables.

Between the laws, each code becomes the other law's code with the nearest value, by
`bytes.translate`. Linear samples (16 bits) are needed only where audio is missing.
Source: ITU-T G.711, tables 1a to 2b.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SAMPLES_PER_S = 8000
FRAME = 160
"""Bytes, and samples, of a frame of 20 ms."""

Samples = npt.NDArray[np.float32]


def _ulaw_value(code: int) -> int:
    inverted = ~code & 0xFF
    magnitude = ((((inverted & 0x0F) << 3) + 132) << (inverted >> 4 & 0x07)) - 132
    return -magnitude if inverted & 0x80 else magnitude


def _alaw_value(code: int) -> int:
    toggled = code ^ 0x55
    segment, step = toggled >> 4 & 0x07, (toggled & 0x0F) << 4
    magnitude = step + 8 if segment == 0 else (step + 0x108) << (segment - 1)
    return magnitude if toggled & 0x80 else -magnitude


ULAW_VALUES = tuple(_ulaw_value(code) for code in range(256))
"""The 16-bit sample of each mu-law code."""
ALAW_VALUES = tuple(_alaw_value(code) for code in range(256))
"""The 16-bit sample of each A-law code."""

_NEGATIVE_ZERO = 0x7F


def _nearest(value: int, values: tuple[int, ...]) -> int:
    """Return the code whose value is nearest, the positive one of the two zeros."""
    return min(range(256), key=lambda code: (abs(values[code] - value), code == _NEGATIVE_ZERO))


ALAW_TO_ULAW = bytes(_nearest(value, ULAW_VALUES) for value in ALAW_VALUES)
ULAW_TO_ALAW = bytes(_nearest(value, ALAW_VALUES) for value in ULAW_VALUES)
"""Tables for `bytes.translate`."""

ULAW_SILENCE = b"\xff"
"""The mu-law code of a zero sample, as one byte."""
SILENT_FRAME = ULAW_SILENCE * FRAME

_DECODED = np.array(ULAW_VALUES, np.float32)


def _encoded() -> npt.NDArray[np.uint8]:
    """Return the mu-law code of each 14-bit sample, as unsigned index."""
    linear = np.arange(1 << 14, dtype=np.int32)
    linear -= (linear >= 1 << 13) * (1 << 14)
    magnitude = np.minimum(np.abs(linear), 8158) + 33
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 5
    code = segment << 4 | magnitude >> segment + 1 & 0x0F
    codes: npt.NDArray[np.uint8] = np.where(linear < 0, 0x7F ^ code, 0xFF ^ code).astype(np.uint8)
    return codes


_ENCODED = _encoded()


def to_linear(ulaw: bytes) -> Samples:
    """Return the samples of mu-law, each from -32124 to 32124."""
    return _DECODED[np.frombuffer(ulaw, np.uint8)]


def from_linear(samples: Samples) -> bytes:
    """Return the mu-law of samples; what is beyond 16 bits is clipped."""
    clipped = np.clip(samples, -32768, 32767).astype(np.int32)
    ulaw: bytes = _ENCODED[clipped >> 2 & 0x3FFF].tobytes()
    return ulaw
