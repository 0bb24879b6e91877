"""Tones that stand for speech: the caller's, which the tests' recogniser knows as words, and those
that the tests' synthesiser makes.
"""

from __future__ import annotations

import numpy as np

WORDS = {400: "hello", 600: "yes", 800: "goodbye"}
"""Hz -> what the caller says with it."""
RATE = 8000


def tone(hz: float, ms: int, level: float = 9000) -> bytes:
    """PCM s16le of a tone."""
    samples = np.sin(2 * np.pi * hz * np.arange(RATE * ms // 1000) / RATE) * level
    return samples.astype("<i2").tobytes()


def silence(ms: int) -> bytes:
    return bytes(ms * 16)


def loud(pcm: bytes) -> bool:
    """The speech detector of the tests."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    return bool(samples.size and np.sqrt(np.mean(samples**2)) > 500)


def pitch(pcm: bytes) -> int:
    """The loudest frequency in Hz, to 50 Hz; 0 for silence."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    if not loud(pcm):
        return 0
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    return round(float(np.argmax(spectrum)) * RATE / samples.size / 50) * 50


def word(pcm: bytes) -> str | None:
    """What the caller said with this tone."""
    return WORDS.get(pitch(pcm))
