"""Phonemes are divided into stretches that are spoken one a job."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.engines.local.phonemes import STRETCH_MS, stretches

MOST = STRETCH_MS // 65


def test_an_ordinary_sentence_is_spoken_as_a_whole() -> None:
    sentence = "h\u0259l\u02c8O \u00f0\u02c8\u025b\u0279."
    assert stretches([sentence, sentence], 1.0) == [sentence, sentence]


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
def test_a_slow_voice_has_fewer_phonemes_in_a_stretch(speed: float) -> None:
    found = stretches(["d\u02c8\u028cb\u0259lju " * 200], speed)
    assert max(map(len, found)) <= MOST * speed + 1
    assert min(map(len, found[:-1])) > MOST * speed - 10, "and not more stretches than it needs"


def test_a_long_sentence_is_divided_at_a_pause() -> None:
    found = stretches(["wen\u0259 k\u028cmz h\u02c8Om, " * 20], 1.0)
    assert len(found) > 1
    assert all(each.endswith(",") for each in found)


@given(st.text(alphabet=st.sampled_from("ab\u02c8, ."), max_size=900))
def test_no_phoneme_is_lost_and_no_stretch_is_too_long(phonemes: str) -> None:
    found = stretches([phonemes], 1.0)
    assert all(0 < len(each) <= MOST for each in found)
    assert "".join(found).replace(" ", "") == phonemes.replace(" ", "")
