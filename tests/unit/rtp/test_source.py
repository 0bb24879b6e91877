"""Tests of a source's sequence numbers: restarts, loss and jitter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rtp.source import DROPOUT, MISORDER, Source, Verdict


def heard(*sequences):
    source = Source(1, sequences[0])
    return source, [source.received(each) for each in sequences]


def test_numbers_in_order_are_valid_and_nothing_is_lost():
    source, verdicts = heard(*range(100))
    assert set(verdicts) == {Verdict.VALID}
    assert (source.expected, source.lost) == (100, 0)


def test_numbers_wrap():
    source, verdicts = heard(0xFFFE, 0xFFFF, 0, 1)
    assert set(verdicts) == {Verdict.VALID}
    assert source.extended_highest == 0x10001
    assert source.lost == 0


def test_two_in_sequence_after_a_jump_begin_anew():
    _, verdicts = heard(21000, 21001, 5, 6, 7)
    assert verdicts == [
        Verdict.VALID,
        Verdict.VALID,
        Verdict.INVALID,
        Verdict.RESTARTED,
        Verdict.VALID,
    ]


def test_one_stray_number_changes_nothing():
    _, verdicts = heard(100, 101, 40000, 102, 103)
    assert verdicts.count(Verdict.INVALID) == 1
    assert verdicts[-2:] == [Verdict.VALID, Verdict.VALID]


@pytest.mark.parametrize(
    ("step", "verdict"),
    [
        (DROPOUT - 1, Verdict.VALID),
        (DROPOUT, Verdict.INVALID),
        (1 - MISORDER, Verdict.VALID),
        (-MISORDER, Verdict.INVALID),
    ],
)
def test_bounds_of_a_step_are_those_of_the_rfc(step, verdict):
    _, verdicts = heard(30000, 30000 + step)
    assert verdicts[-1] is verdict


def test_the_fraction_lost_is_of_the_time_since_the_last_report():
    source, _ = heard(*(each for each in range(100) if each % 4 != 1))
    assert source.take_fraction_lost() == pytest.approx(64, abs=1)
    for each in range(100, 150):
        source.received(each)
    assert source.take_fraction_lost() == 0
    assert source.take_fraction_lost() == 0


def test_more_doubled_than_lost_is_negative_and_no_fraction():
    source, _ = heard(1, 2, 2, 2)
    assert source.lost == -2
    assert source.take_fraction_lost() == 0


def test_steady_arrival_has_no_jitter_and_unsteady_has():
    steady, unsteady = Source(1, 0), Source(2, 0)
    for each in range(200):
        steady.timed(each * 160, each * 0.02)
        unsteady.timed(each * 160, each * 0.02 + (each % 2) * 0.01)
    assert steady.jitter == pytest.approx(0, abs=0.01)
    assert unsteady.jitter == pytest.approx(80, rel=0.05)  # 10 ms


def test_a_timestamp_that_wraps_is_no_jitter():
    source = Source(1, 0)
    for each in range(10):
        source.timed((0xFFFFFFFF - 480 + each * 160) & 0xFFFFFFFF, each * 0.02)
    assert source.jitter < 1


@given(st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=200))
def test_any_numbers_leave_counts_that_fit_into_a_report(sequences):
    source, _ = heard(*sequences)
    assert -0x800000 <= source.lost <= 0x7FFFFF
    assert 0 <= source.take_fraction_lost() <= 255
    assert 0 <= source.extended_highest <= 0xFFFFFFFF
