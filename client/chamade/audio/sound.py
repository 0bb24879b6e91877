"""WAV files and mu-law, in plain Python: enough for greetings and recordings.

Rates are changed by averaging and linear interpolation, which is good enough for a telephone; for
the best sound give files at the line's own rate.
"""

from __future__ import annotations

import array
import sys
import wave
from functools import cache
from pathlib import Path

from chamade.audio.line import Format
from chamade.closing import Closing

_BIAS, _CLIP = 33, 8158


def read_wav(path: str | Path, wanted: Format) -> bytes:
    """Read a WAV file (16 bit PCM, any rate, any channels) in the format of a line. Raises
    ValueError if it is none.
    """
    try:
        with wave.open(str(path), "rb") as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            raw = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as wrong:
        raise ValueError(f"{path} is no WAV file of 16 bit PCM: {wrong}") from None
    if width != 2:
        raise ValueError(f"{path} has samples of {8 * width} bits, 16 are wanted")
    samples = _samples(raw[: len(raw) // (2 * channels) * 2 * channels])
    mono = _mono(samples, channels)
    return encode(_bytes(resample(mono, rate, wanted.rate)), wanted)


def encode(pcm: bytes, wanted: Format) -> bytes:
    """Convert 16 bit PCM at the format's rate to that format."""
    if wanted.name != "mulaw":
        return pcm
    table = _to_mulaw()
    return bytes(table[sample] for sample in _samples(pcm))


def decode(audio: bytes, given: Format) -> bytes:
    """Convert audio of a format to 16 bit PCM."""
    if given.name != "mulaw":
        return audio
    table = _from_mulaw()
    return _bytes(array.array("h", (table[byte] for byte in audio)))


def resample(samples: array.array[int], rate: int, wanted: int) -> array.array[int]:
    """Convert sound to another rate."""
    if rate == wanted or not samples:
        return samples
    if rate > wanted:
        samples = _smooth(samples, round(rate / wanted))
    step, last = rate / wanted, len(samples) - 1
    out = array.array("h", bytes(2 * (len(samples) * wanted // rate)))
    for at in range(len(out)):
        place = at * step
        left = int(place)
        here, there = samples[left], samples[min(left + 1, last)]
        out[at] = int(here + (there - here) * (place - left))
    return out


class WavWriter(Closing):
    """A writer of recordings: takes audio in a line's format, writes 16 bit PCM to a WAV file. A
    context manager.
    """

    def __init__(self, path: str | Path, line_format: Format) -> None:
        self._format = line_format
        self._file = wave.open(str(path), "wb")  # noqa: SIM115 - closed by close()
        self._file.setnchannels(1)
        self._file.setsampwidth(2)
        self._file.setframerate(line_format.rate)
        self.seconds = 0.0

    def write(self, audio: bytes) -> None:
        """Write the next audio."""
        self._file.writeframesraw(decode(audio, self._format))
        self.seconds += len(audio) / self._format.bytes_per_s

    def close(self) -> None:
        """Complete the file."""
        self._file.close()


def _mono(samples: array.array[int], channels: int) -> array.array[int]:
    if channels == 1:
        return samples
    parts = [samples[channel::channels] for channel in range(channels)]
    return array.array("h", (sum(one) // channels for one in zip(*parts, strict=True)))


def _smooth(samples: array.array[int], width: int) -> array.array[int]:
    """Return the average around each sample: frequencies too high for the lower rate must not fold
    into it.
    """
    if width < 2:
        return samples
    total, out = 0, array.array("h", bytes(2 * len(samples)))
    for at, sample in enumerate(samples):
        total += sample - (samples[at - width] if at >= width else 0)
        out[max(0, at - width // 2)] = total // width
    return out


def _samples(pcm: bytes) -> array.array[int]:
    samples = array.array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def _bytes(samples: array.array[int]) -> bytes:
    if sys.byteorder == "big":
        samples = samples[:]
        samples.byteswap()
    return samples.tobytes()


@cache
def _from_mulaw() -> tuple[int, ...]:
    """Return the sample of each byte (ITU-T G.711)."""
    table = []
    for byte in range(256):
        code = ~byte & 0xFF
        size = (((code & 0x0F) << 1) + _BIAS) << (code >> 4 & 7)
        table.append(4 * (_BIAS - size if code & 0x80 else size - _BIAS))
    return tuple(table)


@cache
def _to_mulaw() -> dict[int, int]:
    """Return the byte of each sample (ITU-T G.711)."""
    return {sample: _mulaw(sample) for sample in range(-32768, 32768)}


def _mulaw(sample: int) -> int:
    sign = 0x80 if sample < 0 else 0
    size = min(abs(sample >> 2), _CLIP) + _BIAS  # of 14 bits
    exponent = size.bit_length() - 6
    return ~(sign | exponent << 4 | size >> (exponent + 1) & 0x0F) & 0xFF
