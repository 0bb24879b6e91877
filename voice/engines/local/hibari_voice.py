"""The voice inside the package hibari-tts: English, 24 kHz, sent at 8 kHz. In a worker only.

Its other voices would be downloaded, so they are not offered.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import soxr
from hibari import Hibari
from hibari.voices import DEFAULT

from voice.engines.base import SAMPLE_RATE
from voice.engines.local import messages
from voice.engines.local.phonemes import stretches

_GAIN = 2.0
"""The model speaks softly (peaks at -12 dBFS); with this it is as loud as people on telephones."""
_QUIET = 0.004
_LEAD, _TAIL = SAMPLE_RATE // 50, SAMPLE_RATE // 8
"""Samples of silence that are kept before and behind a sentence, of the model's 250 and 320 ms."""


class HibariVoice:
    """The voice, loaded and warm."""

    def __init__(self) -> None:
        self._model = Hibari()
        self.names = [DEFAULT]
        for _ in self.work(messages.Speak("I am ready, on the 3rd of May.", DEFAULT, 1.0)):
            pass

    def work(self, job: messages.Job) -> Iterator[messages.Answer]:
        """Do a job of `Speak` or `SpeakOn`: speak one stretch."""
        if isinstance(job, messages.Speak):
            wanted = self._phonemes(job.text, job.speed)
        elif isinstance(job, messages.SpeakOn):
            wanted = job.rest
        else:
            raise TypeError(f"it speaks only, and was to do {job}")
        if wanted and (pcm := self._speech(wanted[0], job.speed)):
            yield messages.Audio(pcm)
        yield messages.Done(wanted[1:])

    def _phonemes(self, text: str, speed: float) -> list[str]:
        """Return the phonemes of a text, stretch by stretch; none of mere punctuation."""
        if not any(map(str.isalnum, text)):
            return []
        return stretches(self._model.phonemize(text), speed)

    def _speech(self, phonemes: str, speed: float) -> bytes:
        wave = self._model.from_phonemes(phonemes, speed)
        if not len(wave):
            return b""
        narrow = soxr.resample(wave, self._model.sample_rate, SAMPLE_RATE, quality="HQ")
        speech = _trimmed(narrow) * (_GAIN * 32767)
        return bytes(np.clip(speech, -32768, 32767).astype("<i2").tobytes())


def _trimmed(wave: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    loud = np.flatnonzero(np.abs(wave) > _QUIET)
    if not len(loud):
        return wave[:0]
    return wave[max(0, loud[0] - _LEAD) : loud[-1] + _TAIL]
