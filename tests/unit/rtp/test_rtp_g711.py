"""Tests of the tables between the laws of G.711, and of linear samples."""

from __future__ import annotations

import numpy as np

from common import g711 as reference
from gateway.rtp import g711


def test_mu_law_has_the_values_that_the_rest_of_the_project_has():
    assert list(reference.DECODE_TABLE) == list(g711.ULAW_VALUES)
    samples = np.arange(-32768, 32768)
    ours = g711.from_linear(samples.astype(np.float32))
    assert ours == reference.encode(samples.astype("<i2").tobytes())


def test_a_law_has_the_values_of_the_recommendation():
    # G.711 table 1a: first and last interval of each sign, in 16 bits.
    assert [g711.ALAW_VALUES[code] for code in (0xD5, 0x55, 0xAA, 0x2A)] == [8, -8, 32256, -32256]
    assert len(set(g711.ALAW_VALUES)) == 256


def test_each_code_becomes_the_nearest_of_the_other_law():
    for table, values, others in (
        (g711.ALAW_TO_ULAW, g711.ALAW_VALUES, g711.ULAW_VALUES),
        (g711.ULAW_TO_ALAW, g711.ULAW_VALUES, g711.ALAW_VALUES),
    ):
        for code, value in enumerate(values):
            best = min(abs(other - value) for other in others)
            assert abs(others[table[code]] - value) == best


def test_silence_of_one_law_is_silence_of_the_other():
    assert g711.ULAW_SILENCE.translate(g711.ULAW_TO_ALAW) in (b"\xd5", b"\x55")
    assert abs(g711.ULAW_VALUES[g711.ALAW_TO_ULAW[0xD5]]) <= 8


def test_what_is_beyond_16_bits_is_clipped():
    assert g711.from_linear(np.array([1e6, -1e6], np.float32)) == b"\x80\x00"
