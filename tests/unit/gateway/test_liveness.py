"""Tests that a media server that hangs is noticed, and one that only listens is not given up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.liveness import HUNG_AFTER_S, LOOK_S, PING_AFTER_S, Liveness


def looks(liveness, seconds, began=0.0, *, answers=False, every=LOOK_S):
    """Look for so many seconds; return (second, verdict) of each that was not "well"."""
    told = []
    for number in range(1, round(seconds / every) + 1):
        now = began + number * every
        verdict = liveness.look(now)
        if verdict != "well":
            told.append((now, verdict))
        if verdict == "ping" and answers:
            liveness.heard = True
    return told


def test_a_server_that_hangs_is_pinged_and_given_up_soon():
    (pinged, ping), (given_up, verdict), *_ = looks(Liveness(0.0), 3)
    assert (ping, verdict) == ("ping", "hung")
    assert PING_AFTER_S <= pinged + 1e-9 <= PING_AFTER_S + LOOK_S
    assert HUNG_AFTER_S <= given_up + 1e-9 <= HUNG_AFTER_S + LOOK_S


def test_a_server_that_answers_pings_is_kept_for_as_long_as_it_says_nothing_else():
    told = looks(Liveness(0.0), 600, answers=True)
    assert {verdict for _, verdict in told} == {"ping"}


def test_a_server_that_talks_is_not_pinged():
    liveness = Liveness(0.0)
    for number in range(1, 500):
        liveness.heard = True
        assert liveness.look(number * LOOK_S) == "well"


@given(stall=st.floats(HUNG_AFTER_S, 600), before=st.integers(1, 7))
def test_a_stall_of_the_gateway_itself_is_not_blamed_on_the_server(stall, before):
    liveness = Liveness(0.0)
    for number in range(1, before + 1):
        liveness.look(number * LOOK_S)
    resumed = before * LOOK_S + stall
    assert liveness.look(resumed) == "well"
    told = looks(liveness, PING_AFTER_S + LOOK_S, began=resumed)
    assert [verdict for _, verdict in told] == ["ping"]


@given(st.lists(st.floats(0.01, 2.0), max_size=60))
def test_no_server_is_given_up_before_a_ping_had_time_to_be_answered(gaps):
    liveness, now, pinged_at = Liveness(0.0), 0.0, None
    for gap in gaps:
        now += gap
        verdict = liveness.look(now)
        if verdict == "ping":
            pinged_at = now
        if verdict == "hung":
            assert pinged_at is not None
            assert now - pinged_at >= HUNG_AFTER_S - PING_AFTER_S - 3 * LOOK_S


@pytest.mark.parametrize("silent_s", [0.0, 0.3])
def test_silence_counts_from_what_came_last(silent_s):
    liveness = Liveness(0.0)
    looks(liveness, 1.0)
    liveness.heard = True
    assert liveness.look(1.0 + silent_s) == "well"
    assert looks(liveness, 1.2, began=1.0 + silent_s, answers=False)[0][1] == "ping"
