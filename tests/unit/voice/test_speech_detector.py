"""Turns in recordings of speech, as telephones carry them, with noise of the line."""

from __future__ import annotations

import numpy as np
import pytest

from common import g711
from tests.support.clips import clip, samples
from voice.core.speech_detector import SpeechDetector
from voice.core.turn_taking import FRAME_BYTES, Change, TurnTaking

RECORDINGS = ("caller.wav", "goodbye.wav", "greeting.wav")
QUIET = np.zeros(8000)


def turns(audio: np.ndarray) -> list[tuple[int, int]]:
    """Begin and end of each turn in ms, after the audio has passed a telephone."""
    pcm = g711.decode(g711.encode(np.clip(audio, -32000, 32000).astype("<i2").tobytes()))
    taking, found = TurnTaking(SpeechDetector()), []
    for at in range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES):
        for change, turn in taking.frame(pcm[at : at + FRAME_BYTES]):
            if change is Change.ENDED:
                found.append((turn.started_ms, turn.ended_ms))
    return found


def noise(kind: str, rms: float, length: int) -> np.ndarray:
    hiss = np.random.default_rng(7).normal(0, 1, length)
    hum = 1.4 * np.sin(2 * np.pi * 100 * np.arange(length) / 8000)
    return rms * (hiss if kind == "hiss" else hum + hiss / 4)


@pytest.mark.parametrize("kind", ["hiss", "hum"])
@pytest.mark.parametrize("rms", [0, 40, 150])
def test_turns_are_found_where_the_speech_is(kind: str, rms: float):
    parts, wanted, at = [QUIET], [], 1000.0
    for name in RECORDINGS:
        speech = samples(clip(name, 60)).astype(float)
        loud = np.flatnonzero(np.abs(speech) > 600)
        wanted.append((at + loud[0] / 8, at + loud[-1] / 8))
        parts += [speech, QUIET]
        at += len(speech) / 8 + 1000
    audio = np.concatenate(parts)
    found = turns(audio + noise(kind, rms, len(audio)))
    assert len(found) == len(wanted)
    for (start, end), (first, last) in zip(found, wanted, strict=True):
        assert abs(start - first) < 120
        assert abs(end - last) < 120


@pytest.mark.parametrize(("kind", "rms"), [("hiss", 100), ("hum", 40), ("hum", 0)])
def test_noise_alone_is_no_turn(kind: str, rms: float):
    assert turns(noise(kind, rms, 80_000)) == []


def test_a_quiet_caller_is_heard_after_a_loud_one():
    loud, quiet = samples(clip("caller.wav")).astype(float), samples(clip("goodbye.wav")) * 0.15
    assert len(turns(np.concatenate([QUIET, loud, QUIET, quiet, QUIET]))) == 2
