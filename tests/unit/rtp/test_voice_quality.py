"""Tests of the estimate of quality: the recommendation's own values, and when a call is poor."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rtp.voice_quality import Packets, QualityWatch, mos, rating
from tests.unit.rtp.test_leg import both, hear


@pytest.mark.parametrize(
    ("r", "score"), [(90, 4.34), (80, 4.02), (70, 3.60), (60, 3.10), (50, 2.58), (93.2, 4.41)]
)
def test_the_scores_of_the_recommendations_table(r, score):
    assert mos(r) == pytest.approx(score, abs=0.01)


@pytest.mark.parametrize(
    ("loss", "impairment"), [(0, 0), (1, 3.64), (2, 7.01), (5, 15.78), (10, 27.07), (20, 42.13)]
)
def test_the_impairment_of_random_loss_of_g711_with_concealment(loss, impairment):
    assert 93.2 - rating(loss) == pytest.approx(impairment, abs=0.01)


def test_loss_in_bursts_is_worse_than_the_same_loss_at_random():
    assert rating(5, burst_ratio=3) < rating(5) - 1


def test_delay_costs_little_up_to_177_ms_and_more_beyond():
    assert 93.2 - rating(0, one_way_ms=100) == pytest.approx(2.4)
    assert 93.2 - rating(0, one_way_ms=300) == pytest.approx(7.2 + 0.11 * 122.7)


@given(st.floats(0, 100), st.floats(0, 100), st.floats(1, 4), st.floats(0, 2000))
def test_more_loss_is_never_better_and_scores_stay_within_their_scale(one, two, burst, delay):
    less, more = sorted((one, two))
    good, bad = mos(rating(less, burst, delay)), mos(rating(more, burst, delay))
    assert 1 <= bad <= good + 1e-9
    assert good <= 4.5


def test_random_loss_has_a_burst_ratio_of_about_one_and_bursts_more():
    chance = random.Random(4)
    lost = [chance.random() < 0.1 for _ in range(20_000)]
    runs = sum(now and not before for before, now in zip([False, *lost], lost, strict=False))
    at_random = Packets(len(lost) - sum(lost), sum(lost), runs)
    assert at_random.burst_ratio == pytest.approx(1, abs=0.05)
    assert Packets(900, 100, 25).burst_ratio == pytest.approx(3.6)


def test_a_leg_counts_lost_packets_and_their_bursts():
    wire = both()
    leg = wire.here.leg
    hear(leg, [n for n in range(100) if n not in {20, 40, 41, 42, 60, 61}], now=1.0)
    packets = leg.stats().packets
    assert (packets.lost, packets.bursts) == (6, 3)


def told(watch, seconds, loss, state):
    """Watch a call for so long, of which so much is lost; return the changes."""
    changes = []
    for _ in range(seconds):
        state["now"] += 1
        state["received"] += round(50 * (1 - loss))
        state["lost"] += round(50 * loss)
        state["bursts"] += round(50 * loss)
        packets = Packets(state["received"], state["lost"], state["bursts"])
        change = watch.note(packets, 40.0, state["now"])
        if change is not None:
            changes.append((change.quality, state["now"]))
    return changes


def test_a_call_is_poor_after_ten_bad_seconds_and_good_after_ten_good_ones_once_each():
    watch, state = QualityWatch(), {"now": 0, "received": 0, "lost": 0, "bursts": 0}
    assert told(watch, 30, 0.0, state) == []
    poor = told(watch, 60, 0.2, state)
    assert [quality for quality, _ in poor] == ["poor"]
    assert 35 <= poor[0][1] <= 40
    assert [quality for quality, _ in told(watch, 60, 0.0, state)] == ["good"]


def test_a_bad_second_makes_no_call_poor():
    watch, state = QualityWatch(), {"now": 0, "received": 0, "lost": 0, "bursts": 0}
    assert told(watch, 20, 0.0, state) + told(watch, 1, 0.4, state) == []
    assert told(watch, 20, 0.0, state) == []


def test_a_call_of_which_nothing_comes_is_neither():
    watch = QualityWatch()
    assert [watch.note(Packets(0, 0, 0), 40.0, now) for now in range(30)] == [None] * 30
