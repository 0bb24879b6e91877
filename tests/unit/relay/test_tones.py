"""Tones: each key's two frequencies and no other, for long enough."""

from __future__ import annotations

import numpy as np
import pytest

from common import g711
from relay.protocol import tones


@pytest.mark.parametrize("key", "0123456789*#ABCD")
def test_each_key_sounds_its_two_frequencies(key: str) -> None:
    sound = np.frombuffer(g711.decode(tones.dtmf(key)), "<i2").astype(float)
    on = sound[: tones.TONE_MS * 8]
    spectrum = np.abs(np.fft.rfft(on * np.hanning(len(on)), 8000))
    low = int(np.argmax(spectrum[600:1050])) + 600
    high = int(np.argmax(spectrum[1050:1800])) + 1050
    assert (low, high) == pytest.approx(tones.PAIRS[key], abs=4)
    assert not sound[tones.TONE_MS * 8 :].any()
    assert np.abs(sound).max() < 20000


def test_tones_gaps_and_pauses_have_their_durations() -> None:
    assert tones.TONE_MS >= 100
    assert tones.GAP_MS >= 60
    assert len(tones.dtmf("12")) == 2 * 8 * (tones.TONE_MS + tones.GAP_MS)
    assert tones.dtmf("w") == bytes([g711.SILENCE]) * 4000


def test_other_keys_raise_an_error() -> None:
    with pytest.raises(KeyError):
        tones.dtmf("E")
