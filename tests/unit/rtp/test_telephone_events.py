"""Tests of keys as telephone-events: each is told once, whatever is lost, and sent to be heard."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rtp.g711 import FRAME
from gateway.rtp.telephone_events import KEYS, MAX_KEYS, KeyReader, KeyWriter


def event(key, timestamp, ms=100, ends=3):
    """The packets of a key: (timestamp, payload)."""
    number = KEYS.index(key) if isinstance(key, str) else key
    durations = [*range(FRAME, ms * 8, FRAME)]
    return [(timestamp, struct.pack("!BBH", number, 10, each)) for each in durations] + [
        (timestamp, struct.pack("!BBH", number, 0x80 | 10, ms * 8))
    ] * ends


def told(packets):
    reader = KeyReader()
    return "".join(key for each in packets if (key := reader.read(*each)))


@pytest.mark.parametrize("ms", [40, 60, 100, 400, 3000])
@pytest.mark.parametrize("ends", [0, 1, 3])
def test_each_key_is_told_once(ms, ends):
    packets = [
        each for at, key in enumerate("12#5*0AD") for each in event(key, at * 40000, ms, ends)
    ]
    assert told(packets) == "12#5*0AD"


def test_a_key_is_told_with_its_first_packet():
    assert KeyReader().read(*event("7", 0)[0]) == "7"


@pytest.mark.parametrize("left", range(7))
def test_a_key_of_which_one_packet_arrives_is_told(left):
    assert told([event("9", 1600)[left]]) == "9"


@pytest.mark.parametrize("ends", [0, 3])
def test_the_same_key_twice_is_two_keys(ends):
    assert told(event("7", 0, 100, ends) + event("7", 800 + 480, 100, ends)) == "77"


def marked(packets):
    """The same, told with their markers: that of a key's first packet."""
    reader = KeyReader()
    found = (
        reader.read(*each, marker=each[1][2:] == b"\0\xa0" and each[1][1] < 0x80)
        for each in packets
    )
    return "".join(filter(None, found))


def test_a_marker_begins_a_key_although_the_timestamp_stands_still():
    one = event("7", 1600)
    assert marked(one + one + event("8", 1600)) == "778"


def test_packets_between_the_first_and_the_last_that_overtake_tell_no_key_again():
    one = event("7", 1600)
    assert marked([*one[:3], one[-1], *one[3:]]) == "7"


def test_packets_that_come_late_or_twice_tell_no_key_again():
    one, two = event("1", 0), event("2", 1600)
    assert told([*one[:3], *two, *one[3:], *two[-2:]]) == "12"


def test_a_key_held_for_longer_than_a_duration_counts_is_one_key():
    # RFC 4733 2.5.1.3: after 0xFFFF samples the event goes on under another timestamp.
    first = [(0, struct.pack("!BBH", 5, 10, each)) for each in (160, 30000, 0xFFFF)]
    second = [(0xFFFF, struct.pack("!BBH", 5, 10, each)) for each in (160, 8000)]
    end = [(0xFFFF, struct.pack("!BBH", 5, 0x8A, 8160))] * 3
    assert told(first + second + end) == "5"


def test_a_phone_that_moves_the_timestamp_with_each_packet_presses_one_key():
    moving = [(at * FRAME, struct.pack("!BBH", 3, 10, (at + 1) * FRAME)) for at in range(6)]
    assert told(moving) == "3"


def test_flash_and_other_events_are_no_keys_and_end_none():
    assert told(event(16, 0) + event("1", 3200) + event(66, 6400)) == "1"


def test_timestamps_that_wrap_or_begin_anew_tell_all_keys():
    assert told(event("1", 0xFFFFFF00) + event("2", 1600) + event("3", 0x90000000)) == "123"


@given(st.lists(st.tuples(st.integers(0, 0xFFFFFFFF), st.binary(max_size=8)), max_size=50))
def test_any_payload_is_a_key_or_none(packets):
    assert set(told(packets)) <= set(KEYS)


def test_a_key_is_sent_for_100_ms_its_end_three_times_and_then_a_pause():
    writer = KeyWriter()
    assert writer.press("5")
    assert writer.press("#")
    sent = []
    while writer.busy:
        sent.append(writer.tick())
    assert len(sent) == 2 * 8
    first = sent[:8]
    assert [each.payload for each in first if each] == [
        struct.pack("!BBH", 5, 10, 160),
        struct.pack("!BBH", 5, 10, 320),
        struct.pack("!BBH", 5, 10, 480),
        struct.pack("!BBH", 5, 10, 640),
        *[struct.pack("!BBH", 5, 0x8A, 800)] * 3,
    ]
    assert first[7] is None
    assert [each.offset for each in first if each] == [at * FRAME for at in range(7)]
    assert [each.marker for each in first if each] == [True] + [False] * 6
    # 100 ms of 160 are tone, so there are 60 ms of pause.


def test_what_is_sent_is_read_again():
    writer = KeyWriter()
    for key in KEYS.lower():
        writer.press(key)
    packets = [
        (at * FRAME - each.offset, each.payload)
        for at in itertools.takewhile(lambda _: writer.busy, itertools.count())
        if (each := writer.tick())
    ]
    assert told(packets) == KEYS


def test_more_keys_than_may_wait_are_refused():
    writer = KeyWriter()
    assert all(writer.press("1") for _ in range(MAX_KEYS))
    assert not writer.press("2")
    writer.clear()
    assert not writer.busy


@pytest.mark.parametrize("key", ["", "E", "12", " ", "\u0661"])
def test_what_is_no_key_is_refused(key):
    with pytest.raises(ValueError, match="no key"):
        KeyWriter().press(key)
