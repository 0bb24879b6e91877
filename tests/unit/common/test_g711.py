"""Tests of the mu-law tables: the definition, and round trips."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import g711


def by_definition(sample: int) -> int:
    """G.711 encoding of one 16-bit sample, the textbook way."""
    value = sample >> 2
    sign, value = (0x7F, -value) if value < 0 else (0xFF, value)
    value = min(value, 8158) + 33
    segment = value.bit_length() - 6
    return sign ^ (segment << 4 | (value >> (segment + 1)) & 0xF)


def test_every_sample_encodes_as_defined() -> None:
    samples = np.arange(-32768, 32768, dtype=np.int16)
    expected = bytes(by_definition(int(sample)) for sample in samples)
    assert g711.encode(samples.astype("<i2").tobytes()) == expected


@given(st.binary(max_size=500))
def test_decoding_then_encoding_gives_the_same(ulaw: bytes) -> None:
    # 0x7F is the negative zero; its sample, 0, encodes as the positive one.
    assert g711.encode(g711.decode(ulaw)) == ulaw.replace(b"\x7f", b"\xff")


def test_known_values_decode_as_in_the_standard() -> None:
    assert g711.encode(b"\x00\x00") == bytes([g711.SILENCE])
    assert np.frombuffer(g711.decode(b"\x00\x80\xff\x7f"), "<i2").tolist() == [
        -32124,
        32124,
        0,
        0,
    ]


def test_half_a_sample_is_an_error() -> None:
    with pytest.raises(ValueError, match="buffer size"):
        g711.encode(b"\x00")


def test_memoryviews_are_accepted() -> None:
    assert g711.decode(memoryview(b"\xff")) == g711.decode(bytearray(b"\xff")) == b"\x00\x00"
