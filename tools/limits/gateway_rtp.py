"""Limits of the RTP plane."""

from __future__ import annotations

from tools.limits.limit import Limit

_TESTS = "tests/unit/rtp"
_BUFFER = f"{_TESTS}/test_jitter_buffer.py"

RTP_LIMITS: tuple[Limit, ...] = (
    Limit(
        "audio in a jitter buffer",
        "gateway.rtp.jitter_buffer:MAX_HELD",
        "samples, and a packet",
        "call",
        "the oldest is dropped",
        f"{_BUFFER}::test_a_second_of_audio_at_once_is_held_within_the_bound",
    ),
    Limit(
        "packets in a jitter buffer",
        "gateway.rtp.jitter_buffer:MAX_PACKETS",
        "packets",
        "call",
        "the oldest are dropped",
        f"{_BUFFER}::test_packets_of_one_byte_are_held_within_the_bound",
    ),
    Limit(
        "packets without audio that a jitter buffer remembers",
        "gateway.rtp.ledger:MAX_SILENT_PACKETS",
        "packets",
        "call",
        "further ones count as lost audio",
        f"{_BUFFER}::test_packets_of_one_byte_are_held_within_the_bound",
    ),
    Limit(
        "jitter that is allowed for",
        "gateway.rtp.timeline:MAX_SPREAD",
        "samples",
        "call",
        "packets that come later still are lost",
        f"{_BUFFER}::test_more_jitter_than_the_bound_adds_no_delay",
    ),
    Limit(
        "keys that wait to be sent as telephone-events",
        "gateway.rtp.telephone_events:MAX_KEYS",
        "keys",
        "call",
        "further ones are refused",
        f"{_TESTS}/test_telephone_events.py::test_more_keys_than_may_wait_are_refused",
    ),
    Limit(
        "packets of an RTCP datagram",
        "gateway.rtp.rtcp:MAX_PACKETS",
        "packets",
        "call",
        "the datagram is ignored",
        f"{_TESTS}/test_rtcp.py::test_a_datagram_of_more_packets_than_the_bound_is_refused",
    ),
    Limit(
        "packets taken from a call's socket every 5 ms",
        "gateway.rtp.plane:MAX_PACKETS_PER_TURN",
        "packets",
        "call",
        "others wait in the kernel, or are dropped there",
        f"{_TESTS}/test_plane.py::test_a_flood_to_one_leg_does_not_delay_another",
    ),
    Limit(
        "audio that is made up for after a stall",
        "gateway.rtp.plane:MAX_CATCH_UP_S",
        "s",
        "process",
        "calls have a gap",
        f"{_TESTS}/test_plane.py::test_late_ticks_are_made_up_for_and_a_long_stall_is_not",
    ),
)
