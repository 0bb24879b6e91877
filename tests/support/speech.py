"""Sentences, spoken over a telephone by another synthesiser than ours (espeak-ng), and how many of
their words were understood.
"""

from __future__ import annotations

import io
import re
import subprocess
import wave
from pathlib import Path

import numpy as np
import soxr

from common import g711
from local.layout import ROOT
from voice.engines.base import SAMPLE_RATE

PYTHON = str(ROOT / ".venv" / "voice" / "bin" / "python")
"""The Python of the local models, which `make voice` installs."""

SENTENCES = (
    "Could you please tell me when you open tomorrow morning?",
    "I would like to book a table for six people on Friday evening.",
    "My daughter lost her jacket in your shop yesterday.",
    "Please connect me with the person who handles returns.",
    "The parcel that you sent me was broken when it arrived.",
    "I am calling because my internet has not worked since Monday.",
    "Can somebody come to look at the heating before it gets cold?",
    "My order number is four seven one two nine.",
    "We need a room with a view of the garden.",
    "Thank you very much for your help, and goodbye.",
)
_DIGITS = {
    str(n): word
    for n, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    )
}


def over_a_telephone(pcm: bytes) -> bytes:
    """Audio as mu-law leaves it."""
    return g711.decode(g711.encode(pcm))


def espeak(text: str, voice: str = "en-us", words_a_minute: int = 140) -> bytes:
    """`text` spoken by espeak-ng, as a telephone carries it: PCM s16le at 8000 Hz."""
    spoken = subprocess.run(
        ["espeak-ng", "--stdout", "-v", voice, "-s", str(words_a_minute), text],
        capture_output=True,
        check=True,
    ).stdout
    return over_a_telephone(telephone_rate(spoken))


def recording(path: Path) -> bytes:
    """A WAV file of PCM, as a telephone carries it."""
    return over_a_telephone(telephone_rate(path.read_bytes()))


def telephone_rate(content: bytes) -> bytes:
    """A WAV file of PCM as s16le at 8000 Hz."""
    with wave.open(io.BytesIO(content)) as file:
        rate = file.getframerate()
        # espeak-ng writes to a pipe and cannot know the length that its header has.
        samples = np.frombuffer(file.readframes(1 << 24), "<i2")
    return soxr.resample(samples, rate, SAMPLE_RATE, quality="HQ").astype("<i2").tobytes()


def words(text: str) -> list[str]:
    """The words of a text, digits as words, without punctuation and case."""
    spelled = "".join(f" {_DIGITS[each]} " if each in _DIGITS else each for each in text.lower())
    return re.sub(r"[^a-z ]", "", spelled.replace("-", " ")).split()


def mistakes(said: str, heard: str) -> int:
    """How many words must be put in, left out or replaced to get from one text to the other."""
    row = list(range(len(words(heard)) + 1))
    for n, mine in enumerate(words(said), 1):
        diagonal, row[0] = row[0], n
        for m, theirs in enumerate(words(heard), 1):
            diagonal, row[m] = (
                row[m],
                min(row[m] + 1, row[m - 1] + 1, diagonal + (mine != theirs)),
            )
    return row[-1]
