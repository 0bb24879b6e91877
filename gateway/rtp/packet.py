"""RTP packets: parse and serialise them, and tell them from what else comes to the same port.

Source: RFC 3550 5.1; RFC 5761 4 and RFC 7983 7 for the demultiplexing.
"""

from __future__ import annotations

import enum
import struct
from typing import NamedTuple

_HEADER = struct.Struct("!BBHII")
_EXTENSION = struct.Struct("!HH")
HEADER_BYTES = _HEADER.size
VERSION_2 = 0x80
_PADDING, _EXTENDED, _CSRC_COUNT, _MARKER = 0x20, 0x10, 0x0F, 0x80


class MalformedPacketError(ValueError):
    """A datagram is not what it should be; the text says what is wrong with it."""


class Kind(enum.Enum):
    """Protocols that share a media port."""

    RTP = "RTP"
    RTCP = "RTCP"
    STUN = "STUN"
    OTHER = "something else"


class Packet(NamedTuple):
    """An RTP packet. A NamedTuple since one is made of each datagram, and it is made fastest.

    `timestamp` counts samples (8 kHz), `payload` is without padding. `extension` is the profile's
    number and the data, a whole number of 32-bit words.
    """

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False
    csrc: tuple[int, ...] = ()
    extension: tuple[int, bytes] | None = None


def kind_of(data: bytes) -> Kind:
    """Tell a datagram's protocol by its first two bytes (RFC 7983 7, RFC 5761 4)."""
    if len(data) < 2:
        return Kind.OTHER
    first, second = data[0], data[1]
    if first < 4:
        return Kind.STUN
    if not 128 <= first < 192:
        return Kind.OTHER
    return Kind.RTCP if 192 <= second < 224 else Kind.RTP


def parse(data: bytes) -> Packet:
    """Parse a datagram as an RTP packet. Raises MalformedPacketError, and nothing else."""
    if len(data) < HEADER_BYTES:
        raise MalformedPacketError(f"{len(data)} bytes are less than an RTP header")
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if 192 <= second < 224 or first >> 6 != 2:
        raise MalformedPacketError(f"this is {kind_of(data).value}, not RTP version 2")
    marker = second > 0x7F
    if first == VERSION_2:  # by far the most: neither padding, extension nor contributors
        return Packet(second & 0x7F, sequence, timestamp, ssrc, data[HEADER_BYTES:], marker)
    csrc, at = _contributors(data, first & _CSRC_COUNT)
    extension = None
    if first & _EXTENDED:
        extension, at = _header_extension(data, at)
    end = len(data) - (_padding(data, at) if first & _PADDING else 0)
    return Packet(second & 0x7F, sequence, timestamp, ssrc, data[at:end], marker, csrc, extension)


def serialise(packet: Packet) -> bytes:
    """Write a packet, without padding.

    Raises ValueError if a field is out of its range, or the extension is not made of whole words.
    """
    if packet.payload_type > 0x7F or len(packet.csrc) > _CSRC_COUNT:
        raise ValueError("a payload type is below 128, and there are at most 15 contributors")
    first = VERSION_2 | len(packet.csrc)
    tail = b"".join(each.to_bytes(4, "big") for each in packet.csrc)
    if packet.extension is not None:
        profile, words = packet.extension
        if len(words) % 4:
            raise ValueError("a header extension consists of 32-bit words")
        first |= _EXTENDED
        tail += _EXTENSION.pack(profile, len(words) // 4) + words
    second = packet.payload_type | (_MARKER if packet.marker else 0)
    try:
        header = _HEADER.pack(first, second, packet.sequence, packet.timestamp, packet.ssrc)
    except struct.error as error:
        raise ValueError(f"a field does not fit into an RTP header: {error}") from error
    return header + tail + packet.payload


def header(payload_type: int, sequence: int, timestamp: int, ssrc: int, *, marker: bool) -> bytes:
    """Return a header of 12 bytes alone: what a sender needs. Hot path."""
    second = payload_type | _MARKER if marker else payload_type
    return _HEADER.pack(VERSION_2, second, sequence, timestamp, ssrc)


def _contributors(data: bytes, count: int) -> tuple[tuple[int, ...], int]:
    end = HEADER_BYTES + 4 * count
    if len(data) < end:
        raise MalformedPacketError(f"the packet ends before its {count} contributing sources")
    return struct.unpack_from(f"!{count}I", data, HEADER_BYTES), end


def _header_extension(data: bytes, at: int) -> tuple[tuple[int, bytes], int]:
    if len(data) < at + 4:
        raise MalformedPacketError("the packet ends before its header extension")
    profile, words = _EXTENSION.unpack_from(data, at)
    end = at + 4 + 4 * words
    if len(data) < end:
        raise MalformedPacketError(f"the header extension says {words} words, and there are fewer")
    return (profile, data[at + 4 : end]), end


def _padding(data: bytes, at: int) -> int:
    padding = data[-1]
    if not 1 <= padding <= len(data) - at:
        raise MalformedPacketError(f"{padding} bytes of padding do not fit into the packet")
    return padding
