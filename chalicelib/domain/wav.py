"""Read a WAV and return mu-law at 8 kHz, without a library: Lambda functions have no numpy.

The grammar is that of RIFF: chunks of four letters, a length, and content padded to an even length.
`fmt ` has to be linear PCM of 16 bits, mu-law or A-law (also as WAVE_FORMAT_EXTENSIBLE), with one
or two channels. The rate is changed by a windowed sinc, whose taps are computed once for each
phase: 40 s at 48 kHz take about a second. The tables of G.711 are as in `common/g711.py`.
"""

from __future__ import annotations

import functools
import math
import struct
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul

from chalicelib.domain.clip import MAX_CLIP_MS, BadClip

RATE = 8000
LEAST_RATE, MOST_RATE = 8000, 48_000
_PCM, _ALAW, _ULAW, _EXTENSIBLE = 1, 6, 7, 0xFFFE
_BITS = {_PCM: 16, _ALAW: 8, _ULAW: 8}
_CROSSINGS = 6
"""Zero crossings of the filter on each side: 72 taps at 48 kHz."""
_PASS = 0.9
"""The filter's cut-off, of the lower of the two half rates."""


@dataclass(frozen=True)
class _Format:
    kind: int
    channels: int
    rate: int

    @property
    def frame(self) -> int:
        return self.channels * _BITS[self.kind] // 8


def ulaw_of(wav: bytes) -> bytes:
    """Return the audio of a WAV as mu-law. Raises BadClip, which says what is wrong."""
    form, data = _chunks(wav)
    frames = len(data) // form.frame
    if frames == 0:
        raise BadClip("The WAV holds no audio.")
    if frames * 1000 > MAX_CLIP_MS * form.rate:
        raise BadClip(f"The WAV is longer than {MAX_CLIP_MS // 1000} s.")
    data = data[: frames * form.frame]
    if form.kind == _ULAW and form.channels == 1 and form.rate == RATE:
        return data
    return _encoded(_at_8000(_mono(_linear(data, form.kind), form.channels), form.rate))


def _chunks(wav: bytes) -> tuple[_Format, bytes]:
    """Return the format of a WAV, and the content of its `data`."""
    if len(wav) < 12 or wav[:4] != b"RIFF" or wav[8:12] != b"WAVE":
        raise BadClip("This is no WAV: it does not begin with RIFF and WAVE.")
    at, form = 12, None
    while at + 8 <= len(wav):
        name, length = wav[at : at + 4], struct.unpack_from("<I", wav, at + 4)[0]
        content = wav[at + 8 : at + 8 + length]
        if name == b"fmt ":
            form = _format(content)
        elif name == b"data":
            if form is None:
                raise BadClip("The WAV's `data` comes before its `fmt `.")
            return form, content
        at += 8 + length + length % 2
    raise BadClip("The WAV has no chunk `data`." if form else "The WAV has no chunk `fmt `.")


def _format(content: bytes) -> _Format:
    if len(content) < 16:
        raise BadClip("The WAV's chunk `fmt ` is cut off.")
    kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", content)
    if kind == _EXTENSIBLE and len(content) >= 26:
        kind = struct.unpack_from("<H", content, 24)[0]
    if kind not in _BITS:
        raise BadClip(f"The WAV has format {kind}: 1 (PCM), 6 (A-law) and 7 (mu-law) can be used.")
    if bits != _BITS[kind]:
        raise BadClip(f"The WAV has {bits} bits a sample: 16 can be used, 8 with G.711.")
    if channels not in (1, 2):
        raise BadClip(f"The WAV has {channels} channels: one or two can be used.")
    if not LEAST_RATE <= rate <= MOST_RATE:
        raise BadClip(f"The WAV has {rate} Hz: {LEAST_RATE} to {MOST_RATE} can be used.")
    return _Format(kind, channels, rate)


def _linear(data: bytes, kind: int) -> Sequence[int]:
    if kind != _PCM:
        table = _alaw_table() if kind == _ALAW else _ulaw_table()
        return [table[byte] for byte in data]
    samples = array("h")
    samples.frombytes(data)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def _mono(samples: Sequence[int], channels: int) -> Sequence[int]:
    if channels == 1:
        return samples
    return [(left + right) >> 1 for left, right in zip(samples[::2], samples[1::2], strict=True)]


def _at_8000(samples: Sequence[int], rate: int) -> Sequence[int]:
    """Return the samples at 8 kHz."""
    if rate == RATE:
        return samples
    half = math.ceil(_CROSSINGS * rate / RATE)
    padded = [0] * half + list(samples) + [0] * (half + 1)
    taps: dict[int, list[float]] = {}
    out = []
    for place in range(len(samples) * RATE // rate):
        at, phase = divmod(place * rate, RATE)
        if phase not in taps:
            taps[phase] = _taps(phase / RATE, half, rate)
        value = sum(map(mul, padded[at + 1 : at + 1 + 2 * half], taps[phase]))
        out.append(max(-32768, min(32767, round(value))))
    return out


def _taps(phase: float, half: int, rate: int) -> list[float]:
    """Return the taps for a place `phase` of a sample behind the middle; their sum is 1."""
    cut = _PASS * RATE / rate
    made = []
    for number in range(-half + 1, half + 1):
        x = number - phase
        sinc = cut if x == 0 else math.sin(math.pi * cut * x) / (math.pi * x)
        made.append(sinc * (0.5 + 0.5 * math.cos(math.pi * x / (half + 1))))
    total = sum(made)
    return [each / total for each in made]


def _encoded(samples: Sequence[int]) -> bytes:
    table = _encoding()
    return bytes([table[sample & 0xFFFF] for sample in samples])


@functools.cache
def _encoding() -> bytes:
    return bytes(_ulaw_byte(code - 65536 if code > 32767 else code) for code in range(65536))


def _ulaw_byte(sample: int) -> int:
    magnitude = min(abs(sample >> 2), 8158) + 33
    segment = magnitude.bit_length() - 6
    code = (segment << 4) | ((magnitude >> (segment + 1)) & 0xF)
    return (0x7F if sample < 0 else 0xFF) ^ code


@functools.cache
def _ulaw_table() -> list[int]:
    levels = []
    for byte in range(256):
        code = ~byte & 0xFF
        level = ((((code & 15) << 3) + 132) << ((code >> 4) & 7)) - 132
        levels.append(-level if code & 0x80 else level)
    return levels


@functools.cache
def _alaw_table() -> list[int]:
    levels = []
    for byte in range(256):
        code = byte ^ 0x55
        segment, step = (code >> 4) & 7, code & 15
        level = (step << 4) + 8 if segment == 0 else ((step << 4) + 0x108) << (segment - 1)
        levels.append(level if code & 0x80 else -level)
    return levels
