"""Divide phonemes into stretches that are spoken one a job: so no job takes its worker for long.

How long a text is to be spoken cannot be told from its letters: 200 characters are twelve seconds
of words, and two minutes of `W%W%`. Its phonemes tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

STRETCH_MS = 10_000
"""Speech of one job, about: a model makes it in a tenth of a second."""
_PHONEME_MS = 65
"""Speech of one character of phonemes, at speed 1; marks of stress and spaces count."""
_PAUSE = re.compile(r"[,;:.!?\u2026\u2014]\s+")


def stretches(sentences: Iterable[str], speed: float) -> list[str]:
    """Return sentences, each as it is or divided into stretches of at most about `STRETCH_MS`."""
    most = max(1, int(STRETCH_MS / _PHONEME_MS * speed))
    return [stretch for sentence in sentences for stretch in _divided(sentence.strip(), most)]


def _divided(phonemes: str, most: int) -> list[str]:
    found = []
    while len(phonemes) > most:
        end = _division(phonemes, most)
        found.append(phonemes[:end].rstrip())
        phonemes = phonemes[end:].lstrip()
    return [*found, phonemes] if phonemes else found


def _division(phonemes: str, most: int) -> int:
    """Return the best place to divide: behind the last pause, else between words."""
    pauses = [pause.end() for pause in _PAUSE.finditer(phonemes, 0, most)]
    if pauses and pauses[-1] >= most // 4:
        return pauses[-1]
    space = phonemes.rfind(" ", 1, most)
    return space + 1 if space > 0 else most
