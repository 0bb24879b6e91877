"""Tests of reading WAVs: the audio after it, and what is said about those that cannot be used."""

from __future__ import annotations

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.clip import BadClip
from chalicelib.domain.wav import ulaw_of
from common import g711


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def form(rate=8000, channels=1, kind=1, bits=16, more=b"") -> bytes:
    frame = channels * bits // 8
    return struct.pack("<HHIIHH", kind, channels, rate, rate * frame, frame, bits) + more


def wav(data: bytes, *, before: bytes = b"", **given) -> bytes:
    content = b"WAVE" + before + chunk(b"fmt ", form(**given)) + chunk(b"data", data)
    return chunk(b"RIFF", content)


def tone(rate: int, hz: int = 1000, seconds: float = 0.5) -> np.ndarray:
    return 8000 * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)


def pcm(samples) -> bytes:
    return np.asarray(samples).round().astype("<i2").tobytes()


def heard(ulaw: bytes) -> np.ndarray:
    return g711.DECODE_TABLE[np.frombuffer(ulaw, np.uint8)].astype(float)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000])
def test_a_tone_is_the_same_tone_at_8_khz(rate):
    got = heard(ulaw_of(wav(pcm(tone(rate)), rate=rate)))
    wanted = tone(8000)[: len(got)]
    assert abs(len(got) - 4000) <= 1
    error = (got - wanted)[50:-50]
    assert np.sqrt(np.mean(error**2)) < 0.02 * 8000


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_what_a_telephone_cannot_carry_does_not_come_back_as_another_tone(rate):
    got = heard(ulaw_of(wav(pcm(tone(rate, hz=5500)), rate=rate)))
    assert np.abs(got[50:-50]).max() < 0.05 * 8000


def test_mu_law_at_8_khz_stays_as_it_is():
    said = bytes(range(256))
    assert ulaw_of(wav(said, kind=7, bits=8)) == said


def test_pcm_at_8_khz_becomes_the_mu_law_of_g711():
    samples = pcm(np.arange(-32768, 32768, 7))
    assert ulaw_of(wav(samples)) == g711.encode(samples)


def test_a_law_is_read_as_g711_says():
    # ITU-T G.711: 0xD5 and 0x55 are the smallest values, 0xAA and 0x2A the greatest.
    got = heard(ulaw_of(wav(bytes([0xD5, 0x55, 0xAA, 0x2A]), kind=6, bits=8)))
    assert np.allclose(got, [8, -8, 32256, -32256], atol=600)
    assert got[0] >= 0 >= got[1]


def test_stereo_becomes_the_mean_of_both():
    left, right = tone(8000), np.zeros(4000)
    both = np.stack([left, right], axis=1).ravel()
    got = heard(ulaw_of(wav(pcm(both), channels=2)))
    assert np.allclose(got, left / 2, atol=200)


def test_other_chunks_are_passed_over_and_padding_too():
    before = chunk(b"LIST", b"odd") + chunk(b"junk", b"even")
    said = pcm(tone(8000))
    assert ulaw_of(wav(said, before=before)) == g711.encode(said)


def test_the_extensible_format_is_read():
    more = struct.pack("<HHI", 22, 16, 4) + struct.pack("<H", 1) + b"\0" * 14
    said = pcm(tone(8000))
    assert ulaw_of(wav(said, kind=0xFFFE, more=more)) == g711.encode(said)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"ID3", "no WAV"),
        (chunk(b"RIFF", b"AVI "), "no WAV"),
        (chunk(b"RIFF", b"WAVE"), "no chunk `fmt `"),
        (chunk(b"RIFF", b"WAVE" + chunk(b"fmt ", form())), "no chunk `data`"),
        (chunk(b"RIFF", b"WAVE" + chunk(b"fmt ", b"short")), "cut off"),
        (chunk(b"RIFF", b"WAVE" + chunk(b"data", b"12")), "before its `fmt `"),
        (wav(b""), "no audio"),
        (wav(b"12", kind=3, bits=32), "format 3"),
        (wav(b"12", bits=24), "24 bits"),
        (wav(b"12" * 9, channels=3), "3 channels"),
        (wav(b"12", rate=96000), "96000 Hz"),
        (wav(bytes(2 * 8000 * 40 + 2)), "longer than 40 s"),
    ],
)
def test_a_wav_that_cannot_be_used_says_why(given, said):
    with pytest.raises(BadClip, match=said):
        ulaw_of(given)


@given(st.binary(max_size=200), st.integers(0, 60))
def test_no_bytes_raise_anything_else(rest, cut):
    good = wav(pcm(tone(8000, seconds=0.01)))
    for each in (rest, good[:cut] + rest, good[: len(good) - cut]):
        with contextlib.suppress(BadClip):
            ulaw_of(each)
