"""G.711 mu-law, bit-exact with ITU-T G.711 (and with Python's former `audioop`), by table look-up.

PCM is signed 16-bit little-endian, mono; mu-law is one byte a sample. The sample rate does not
matter for the conversion.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SILENCE = 0xFF
"""The mu-law byte of a zero sample."""


def _build_tables() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int16]]:
    # Encoding works on the 14-bit magnitude with a bias of 33 (G.711 table 2a/2b).
    linear = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32) >> 2
    magnitude = np.minimum(np.abs(linear), 8158) + 33
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 5
    code = (segment << 4) | ((magnitude >> (segment + 1)) & 0xF)
    encode = (np.where(linear < 0, 0x7F, 0xFF) ^ code).astype(np.uint8)

    inverted = ~np.arange(256) & 0xFF
    level = ((((inverted & 15) << 3) + 132) << ((inverted >> 4) & 7)) - 132
    decode = np.where(inverted & 0x80, -level, level).astype(np.int16)
    return encode, decode


ENCODE_TABLE, DECODE_TABLE = _build_tables()
"""`ENCODE_TABLE[sample as uint16]` is the mu-law byte, `DECODE_TABLE[mu-law byte]` the int16
sample."""


def encode(pcm: bytes | bytearray | memoryview) -> bytes:
    """Convert PCM s16le to mu-law. Raises ValueError if `len(pcm)` is odd."""
    ulaw: bytes = ENCODE_TABLE[np.frombuffer(pcm, dtype="<u2")].tobytes()
    return ulaw


def decode(ulaw: bytes | bytearray | memoryview) -> bytes:
    """Convert mu-law to PCM s16le, two bytes for each one."""
    return DECODE_TABLE[np.frombuffer(ulaw, dtype=np.uint8)].tobytes()
