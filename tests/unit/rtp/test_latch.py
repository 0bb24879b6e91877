"""Tests of latching: audio comes from, and goes to, one address, and nobody takes it over."""

from __future__ import annotations

from gateway.rtp.latch import SILENCE_S, Latch

REMOTE, NATTED, STRANGER = ("192.0.2.1", 4000), ("203.0.113.9", 61000), ("198.51.100.7", 5555)


def latch(*, allowed=True):
    one = Latch()
    one.apply(REMOTE, allowed=allowed)
    return one


def offer(one, address, *sequences, now=1.0, ssrc=7):
    """Whether the last of these packets was taken."""
    taken = False
    for sequence in sequences:
        taken = address == one.latched or (
            one.may_admit(address, now) and one.admit(address, ssrc, sequence)
        )
        if taken:
            one.heard_at = now
    return taken


def test_the_negotiated_address_is_believed_at_once():
    one = latch()
    assert one.destination == REMOTE
    assert offer(one, REMOTE, 1)
    assert one.destination == REMOTE


def test_behind_nat_the_address_that_audio_comes_from_is_latched():
    one = latch()
    assert not offer(one, NATTED, 1)
    assert offer(one, NATTED, 2)
    assert one.destination == NATTED


def test_stray_packets_latch_nothing():
    one = latch()
    assert not offer(one, NATTED, 1, 5, 9)
    assert not offer(one, NATTED, 10, ssrc=8)
    assert not offer(one, STRANGER, 11)
    assert one.destination == REMOTE


def test_a_sequence_number_that_wraps_is_in_a_row():
    assert offer(latch(), NATTED, 0xFFFF, 0)


def test_without_latching_only_the_negotiated_host_is_heard():
    one = latch(allowed=False)
    assert not offer(one, NATTED, 1, 2, 3)
    assert offer(one, (REMOTE[0], 4444), 1)
    assert one.destination == REMOTE


def test_a_second_source_is_ignored_while_the_first_is_heard():
    one = latch()
    offer(one, NATTED, 1, 2)
    assert not offer(one, STRANGER, 1, 2, 3, now=1.0 + SILENCE_S - 0.01)
    assert one.destination == NATTED


def test_a_second_source_is_followed_when_the_first_has_been_silent():
    one = latch()
    offer(one, NATTED, 1, 2)
    assert offer(one, STRANGER, 1, 2, now=1.0 + SILENCE_S)
    assert one.destination == STRANGER


def test_without_latching_a_second_source_is_ignored_for_good():
    one = latch(allowed=False)
    offer(one, REMOTE, 1)
    assert not offer(one, STRANGER, 1, 2, now=100.0)


def test_the_negotiated_address_takes_over_from_any_other():
    one = latch()
    offer(one, NATTED, 1, 2)
    assert offer(one, REMOTE, 1)
    assert one.destination == REMOTE


def test_another_negotiated_address_opens_the_latch_and_the_same_does_not():
    one = latch()
    offer(one, NATTED, 1, 2)
    one.apply(REMOTE, allowed=True)
    assert one.destination == NATTED
    one.apply(None, allowed=True)
    assert one.destination == NATTED
    one.apply(STRANGER, allowed=True)
    assert one.latched is None
    assert one.destination == STRANGER


def test_where_latching_is_no_longer_allowed_the_negotiated_address_counts():
    one = latch()
    offer(one, NATTED, 1, 2)
    one.apply(REMOTE, allowed=False)
    assert one.destination == REMOTE
    assert not offer(one, NATTED, 3, 4)


def test_before_an_address_is_negotiated_nothing_is_taken():
    one = Latch()
    assert not one.may_admit(REMOTE, 0.0)
    assert not one.may_admit(REMOTE, 100.0)
    assert one.destination is None
