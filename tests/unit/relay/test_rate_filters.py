"""Tests of the filters that change the rate: the compiled ones and numpy's give the same samples,
and no sum overflows.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.protocol import rate_filters
from relay.protocol.rate_filters import (
    COMPILED,
    DECODE,
    ENCODE,
    HISTORY,
    downsample_in_numpy,
    downsampling_taps,
    upsample_in_numpy,
    upsampling_taps,
)

if COMPILED:
    import chamade_kernel

compiled = pytest.mark.skipif(not COMPILED, reason="no C compiler here: numpy filters")
RATIOS = (2, 3)


def binary(seed: int, size: int) -> bytes:
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8).tobytes()


@compiled
def test_the_compiled_filters_are_in_use_where_they_are_installed() -> None:
    assert rate_filters.upsample is chamade_kernel.upsample
    assert rate_filters.downsample is chamade_kernel.downsample


@compiled
@pytest.mark.parametrize("ratio", RATIOS)
@settings(max_examples=200, deadline=None)
@given(size=st.integers(0, 9000), seed=st.integers(0, 2**32))
def test_compiled_and_numpy_upsampling_give_the_same_samples(
    ratio: int, size: int, seed: int
) -> None:
    ulaw, history, taps = (
        binary(seed, size),
        binary(~seed & 0xFF, 2 * HISTORY),
        upsampling_taps(ratio),
    )
    one, other = bytearray(history), bytearray(history)
    heard = chamade_kernel.upsample(ulaw, one, taps, DECODE)
    assert heard == upsample_in_numpy(ulaw, other, taps, DECODE)
    assert one == other
    assert len(heard) == size * ratio * 2


@compiled
@pytest.mark.parametrize("ratio", RATIOS)
@settings(max_examples=200, deadline=None)
@given(size=st.integers(0, 9000), seed=st.integers(0, 2**32))
def test_compiled_and_numpy_downsampling_give_the_same_samples(
    ratio: int, size: int, seed: int
) -> None:
    pcm = binary(seed, size * ratio * 2)
    history, taps = binary(~seed & 0xFF, 2 * HISTORY * ratio), downsampling_taps(ratio)
    one, other = bytearray(history), bytearray(history)
    heard = chamade_kernel.downsample(pcm, one, taps, ENCODE)
    assert heard == downsample_in_numpy(pcm, other, taps, ENCODE)
    assert one == other
    assert len(heard) == size


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("highest", [True, False])
def test_the_loudest_input_of_any_phase_does_not_overflow(ratio: int, highest: bool) -> None:
    """Each sample as far from zero as it goes, with the sign of its tap: the largest sums."""
    taps = np.frombuffer(downsampling_taps(ratio), "<i2").reshape(ratio, 2 * rate_filters.REACH)
    high, low = (32767, -32768) if highest else (-32768, 32767)
    worst = np.where(taps >= 0, high, low).astype("<i2")
    pcm = worst.T.tobytes()
    history = bytearray(2 * HISTORY * ratio)
    heard = rate_filters.downsample(pcm, history, taps.astype("<i2").tobytes(), ENCODE)
    assert heard[-1] == ENCODE[32767 if highest else 32768]


def test_taps_whose_sums_might_overflow_are_refused() -> None:
    big = [np.full(18, 8000, np.int64)]
    with pytest.raises(ValueError, match="too large"):
        rate_filters._packed(big, summed=False)


@compiled
@pytest.mark.parametrize(
    ("chunk", "history", "taps", "table"),
    [
        (bytes(12), bytearray(34), upsampling_taps(2), bytes(511)),
        (bytes(12), bytearray(33), upsampling_taps(2), DECODE),
        (bytes(12), bytearray(34), bytes(70), DECODE),
    ],
)
def test_the_compiled_filters_refuse_buffers_of_other_lengths(
    chunk: bytes, history: bytearray, taps: bytes, table: bytes
) -> None:
    with pytest.raises(ValueError, match="other lengths"):
        chamade_kernel.upsample(chunk, history, taps, table)


@compiled
def test_the_compiled_filters_refuse_part_of_a_sample_and_what_is_no_buffer() -> None:
    history, taps = bytearray(2 * HISTORY * 2), downsampling_taps(2)
    with pytest.raises(ValueError, match="whole group"):
        chamade_kernel.downsample(bytes(7), history, taps, ENCODE)
    with pytest.raises(TypeError):
        chamade_kernel.downsample("text", history, taps, ENCODE)
    with pytest.raises(BufferError):
        chamade_kernel.downsample(bytes(8), bytes(history), taps, ENCODE)
    with pytest.raises(TypeError, match="takes a chunk"):
        chamade_kernel.downsample(bytes(8))
