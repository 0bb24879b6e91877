"""Transcoders: any chunking gives the same samples, filters filter, and clear forgets."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common import g711
from relay.protocol.agent import AudioFormat
from relay.protocol.pcm import Downsampler, Transcoder, Upsampler, transcoders
from relay.protocol.rate_filters import REACH

RATES = (8000, 16000, 24000)


def up(rate: int) -> Transcoder:
    transcoder, _ = transcoders(AudioFormat("pcm_s16le", rate))
    assert transcoder is not None
    return transcoder


def down(rate: int) -> Transcoder:
    _, transcoder = transcoders(AudioFormat("pcm_s16le", rate))
    assert transcoder is not None
    return transcoder


def in_chunks(transcoder: Transcoder, sound: bytes, cuts: list[int]) -> bytes:
    edges = [0, *sorted(cut % (len(sound) + 1) for cut in cuts), len(sound)]
    return b"".join(transcoder(memoryview(sound)[a:b]) for a, b in pairwise(edges))


def sine(rate: int, hz: float, peak: float = 8000) -> bytes:
    return (np.sin(2 * np.pi * hz * np.arange(rate) / rate) * peak).astype("<i2").tobytes()


def level(pcm: bytes, rate: int, hz: float) -> float:
    """dB of the component at `hz`, relative to a peak of 8000, settling time left out."""
    samples = np.frombuffer(pcm, "<i2")[400:].astype(float)
    window = np.hanning(len(samples))
    turn = np.exp(-2j * np.pi * hz * np.arange(len(samples)) / rate)
    return 20 * np.log10(2 * abs(np.sum(samples * window * turn)) / window.sum() / 8000 + 1e-9)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("direction", [up, down])
@settings(max_examples=60, deadline=None)
@given(sound=st.binary(max_size=3000), cuts=st.lists(st.integers(0, 3000), max_size=40))
def test_any_chunking_gives_the_same_samples(
    rate: int, direction: Callable[[int], Transcoder], sound: bytes, cuts: list[int]
) -> None:
    assert in_chunks(direction(rate), sound, cuts) == direction(rate)(sound)


@pytest.mark.parametrize("rate", RATES)
@settings(max_examples=30, deadline=None)
@given(sound=st.binary(max_size=3001))
def test_output_lengths_follow_from_the_rates(rate: int, sound: bytes) -> None:
    assert len(up(rate)(sound)) == len(sound) * rate // 8000 * 2
    assert len(down(rate)(sound)) == len(sound) // (rate // 8000 * 2)


@pytest.mark.parametrize("rate", RATES)
def test_more_than_a_block_at_once_is_the_same_as_frames(rate: int) -> None:
    noise = np.random.default_rng(3).integers(0, 256, 200_003, np.uint8).tobytes()
    frame = rate // 50 * 2
    cuts = list(range(frame, len(noise), frame))
    assert down(rate)(noise) == in_chunks(down(rate), noise, cuts)
    assert up(rate)(noise[:20_000]) == in_chunks(up(rate), noise[:20_000], [160, 4096, 9000])


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("direction", [up, down])
def test_a_cleared_transcoder_works_like_a_new_one(
    rate: int, direction: Callable[[int], Transcoder]
) -> None:
    transcoder = direction(rate)
    transcoder(sine(8000, 500) + b"\x01")
    transcoder.clear()
    assert transcoder(sine(8000, 900)) == direction(rate)(sine(8000, 900))


@pytest.mark.parametrize("rate", [16000, 24000])
@pytest.mark.parametrize("hz", [300, 1000, 2500, 3000, 3400])
def test_speech_band_is_flat(rate: int, hz: int) -> None:
    assert level(up(rate)(g711.encode(sine(8000, hz))), rate, hz) == pytest.approx(0, abs=0.3)
    assert level(g711.decode(down(rate)(sine(rate, hz))), 8000, hz) == pytest.approx(0, abs=0.3)


@pytest.mark.parametrize("rate", [16000, 24000])
@pytest.mark.parametrize("hz", [1000, 2000, 3000, 3390])
def test_images_are_forty_decibels_down(rate: int, hz: int) -> None:
    upward = up(rate)(g711.encode(sine(8000, hz)))
    images = [8000 - hz] + ([8000 + hz] if rate == 24000 else [])
    assert max(level(upward, rate, image) for image in images) < -40


@pytest.mark.parametrize("rate", [16000, 24000])
@pytest.mark.parametrize("hz", [4610, 5000, 6000, 7000, 7700])
def test_aliases_are_forty_decibels_down(rate: int, hz: int) -> None:
    assert level(g711.decode(down(rate)(sine(rate, hz))), 8000, 8000 - hz) < -40


@pytest.mark.parametrize("rate", [16000, 24000])
def test_delay_is_about_a_millisecond(rate: int) -> None:
    click = bytearray([g711.SILENCE]) * 800
    click[400] = 0x80
    heard = np.frombuffer(up(rate)(bytes(click)), "<i2")
    late_ms = (int(np.argmax(heard)) / rate - 400 / 8000) * 1000
    assert late_ms == pytest.approx(REACH / 8)
    assert late_ms < 1.5


@pytest.mark.parametrize("rate", [16000, 24000])
def test_silence_stays_silent_and_full_scale_does_not_wrap(rate: int) -> None:
    assert up(rate)(bytes([g711.SILENCE]) * 320) == bytes(320 * rate // 8000 * 2)
    assert down(rate)(bytes(3200)) == bytes([g711.SILENCE]) * (3200 // (rate // 8000 * 2))
    square = np.repeat(np.array([32767, -32768] * 40, "<i2"), rate // 100)
    there = np.frombuffer(g711.decode(down(rate)(square.tobytes())), "<i2")
    assert np.abs(there.astype(int)).max() > 32000
    ulaw = g711.encode(np.repeat(np.array([32767, -32768] * 40, "<i2"), 80).tobytes())
    back = np.frombuffer(up(rate)(ulaw), "<i2").astype(int)
    middles = back[rate // 200 + REACH * rate // 8000 :: rate // 100]
    assert list(np.sign(middles)) == [1, -1] * 40


def test_mulaw_needs_no_transcoder() -> None:
    assert transcoders(AudioFormat("mulaw", 8000)) == (None, None)


def test_rates_above_eight_kilohertz_are_filtered() -> None:
    for rate in (16000, 24000):
        assert isinstance(up(rate), Upsampler)
        assert isinstance(down(rate), Downsampler)
