"""Reads and writes WAV files as the mu-law of a call. Only 8 kHz mono: there is no conversion.

Reads PCM16 and mu-law (the standard library's `wave` does not know mu-law), writes PCM16.
"""

from __future__ import annotations

import struct
import wave
from pathlib import Path

from common import g711

RATE = 8000
_PCM, _ULAW, _EXTENSIBLE = 1, 7, 0xFFFE


def read(path: Path) -> bytes:
    """Return the file as mu-law, one byte a sample.

    Raises ValueError with the reason if the file does not fit.
    """
    data = path.read_bytes()
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError(f"{path} is no WAV file")
    chunks = _chunks(data)
    if "fmt " not in chunks or "data" not in chunks or len(chunks["fmt "]) < 16:
        raise ValueError(f"{path} has no format or no audio")
    kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunks["fmt "])
    if kind == _EXTENSIBLE and len(chunks["fmt "]) >= 26:
        (kind,) = struct.unpack_from("<H", chunks["fmt "], 24)
    if rate != RATE or channels != 1:
        raise ValueError(
            f"{path} has {rate} Hz and {channels} channel(s); calls need 8000 Hz mono "
            f"(sox {path.name} -r 8000 -c 1 -b 16 out.wav)"
        )
    audio = chunks["data"]
    if kind == _PCM and bits == 16:
        return g711.encode(audio[: len(audio) & ~1])
    if kind == _ULAW and bits == 8:
        return audio
    raise ValueError(f"{path} is neither 16-bit PCM nor mu-law")


def write(path: Path, ulaw: bytes) -> None:
    """Write mu-law as a PCM16 WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(g711.decode(ulaw))


def _chunks(data: bytes) -> dict[str, bytes]:
    chunks: dict[str, bytes] = {}
    at = 12
    while at + 8 <= len(data):
        name = data[at : at + 4].decode("latin-1")
        (size,) = struct.unpack_from("<I", data, at + 4)
        # Streamed files do not state their true size; the slice then ends with the file.
        chunks.setdefault(name, data[at + 8 : at + 8 + size])
        at += 8 + size + (size & 1)
    return chunks
