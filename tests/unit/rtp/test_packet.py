"""Tests of RTP packets: what is written is read again, and nothing but RTP is."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.rtp import packet
from gateway.rtp.packet import Kind, MalformedPacketError, Packet

WORDS = st.binary(max_size=64).map(lambda data: data + bytes(-len(data) % 4))
PACKETS = st.builds(
    Packet,
    payload_type=st.integers(0, 63) | st.integers(96, 127),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    payload=st.binary(max_size=480),
    marker=st.booleans(),
    csrc=st.lists(st.integers(0, 0xFFFFFFFF), max_size=15).map(tuple),
    extension=st.none() | st.tuples(st.integers(0, 0xFFFF), WORDS),
)


@given(PACKETS)
def test_a_packet_is_read_as_it_was_written(one):
    assert packet.parse(packet.serialise(one)) == one


@given(st.binary(max_size=200))
@example(b"")
@example(bytes([0xBF]) + bytes(11))
def test_any_datagram_is_a_packet_or_refused_with_a_reason(data):
    try:
        packet.parse(data)
    except MalformedPacketError as error:
        assert str(error)  # noqa: PT017
    packet.kind_of(data)


def test_padding_is_taken_off():
    assert packet.parse(bytes([0xA0, 0]) + bytes(10) + b"audio\0\0\3").payload == b"audio"


@pytest.mark.parametrize("padding", [0, 6, 255])
def test_padding_that_does_not_fit_is_refused(padding):
    with pytest.raises(MalformedPacketError, match="padding"):
        packet.parse(bytes([0xA0, 0]) + bytes(10) + b"abcd" + bytes([padding]))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (bytes([0x80, 0]) + bytes(10), Kind.RTP),
        (bytes([0x80, 0xE5]) + bytes(10), Kind.RTP),
        (bytes([0x80, 200]) + bytes(10), Kind.RTCP),
        (bytes([0x81, 203]) + bytes(10), Kind.RTCP),
        (bytes([0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42]) + bytes(12), Kind.STUN),
        (bytes([22, 254, 253]) + bytes(12), Kind.OTHER),
        (b"\x80", Kind.OTHER),
    ],
)
def test_protocols_on_one_port_are_told_apart(data, kind):
    assert packet.kind_of(data) is kind
    if kind is not Kind.RTP:
        with pytest.raises(MalformedPacketError):
            packet.parse(data)


def test_a_header_alone_is_what_a_whole_packet_begins_with():
    whole = packet.serialise(Packet(8, 7, 160, 99, b"x", marker=True))
    assert packet.header(8, 7, 160, 99, marker=True) + b"x" == whole


@pytest.mark.parametrize(
    "one",
    [
        Packet(128, 0, 0, 0, b""),
        Packet(0, 0x10000, 0, 0, b""),
        Packet(0, 0, 0, 0, b"", csrc=tuple(range(16))),
        Packet(0, 0, 0, 0, b"", extension=(1, b"abc")),
    ],
)
def test_a_packet_that_cannot_be_written_is_refused(one):
    with pytest.raises(ValueError, match=r"\w"):
        packet.serialise(one)
