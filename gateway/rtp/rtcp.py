"""RTCP: compose and parse reports, and work out the round trip.

Source: RFC 3550 6.4 (SR, RR), 6.5 (SDES), 6.6 (BYE), A.2 (validity). RFC 5506 lets a datagram begin
with something else than a report, and so do we.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gateway.rtp.packet import MalformedPacketError

SR, RR, SDES, BYE = 200, 201, 202, 203
REPORTS = 31
"""Report blocks of a packet, and sources of a BYE: the header's count has 5 bits."""
MAX_PACKETS = 16
"""Packets of a datagram that are read; a datagram with more is refused."""
TEXT_BYTES = 255
"""Bytes of a name or a reason: the length has 8 bits."""
_HEAD = struct.Struct("!BBH")
_SENDER = struct.Struct("!IQIII")
_BLOCK = struct.Struct("!IIIIII")
_CNAME = 1
_WORD = 4


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """Reports how a stream of the other side is received (RFC 3550 6.4.1).

    `fraction_lost` is in 1/256, `jitter` in samples, `last_report` the middle 32 bits of the NTP
    time of the last SR, `delay` the time since it came, in 1/65536 s. Both are 0 without an SR.
    """

    ssrc: int
    fraction_lost: int
    lost: int
    highest: int
    jitter: int
    last_report: int
    delay: int


@dataclass(frozen=True, slots=True)
class SenderReport:
    """An SR. `ntp_time` is in 1/2**32 s; any clock may count it (RFC 3550 6.4.1)."""

    ssrc: int
    ntp_time: int
    timestamp: int
    packets: int
    octets: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """An RR: of whoever sends nothing."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceName:
    """The CNAME of an SDES packet."""

    ssrc: int
    cname: str


@dataclass(frozen=True, slots=True)
class Bye:
    """A BYE: the sources are no more."""

    ssrcs: tuple[int, ...]
    reason: str = ""


Report = SenderReport | ReceiverReport | SourceName | Bye


def compose(reports: Iterable[Report]) -> bytes:
    """Write a compound packet. Raises ValueError if a field is out of its range."""
    try:
        return b"".join(_composed(each) for each in reports)
    except struct.error as error:
        raise ValueError(f"a field does not fit into RTCP: {error}") from error


def parse(data: bytes) -> list[Report]:
    """Parse a datagram. Packets of other types are skipped.

    Raises MalformedPacketError, and nothing else.
    """
    return [report for kind, count, body in _packets(data) for report in _read(kind, count, body)]


def middle_of(ntp_time: int) -> int:
    """Return the middle 32 bits of an NTP time: seconds in 1/65536, as report blocks have them."""
    return ntp_time >> 16 & 0xFFFFFFFF


def ntp_time(now: float) -> int:
    """Return seconds of any clock in 1/2**32."""
    return int(now * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def round_trip(block: ReportBlock, now: float) -> float | None:
    """Return the round trip in seconds that a block about our stream tells (RFC 3550 6.4.1).

    `now` is of the clock that our SR was stamped with. None if there was no SR, or if the times
    contradict each other.
    """
    if not block.last_report:
        return None
    units = middle_of(ntp_time(now)) - block.last_report - block.delay & 0xFFFFFFFF
    return units / 65536 if units < 1 << 31 else None


# Composing.


def _composed(report: Report) -> bytes:
    if isinstance(report, SenderReport):
        body = _SENDER.pack(
            report.ssrc, report.ntp_time, report.timestamp, report.packets, report.octets
        )
        return _packet(SR, len(report.blocks), body + _blocks(report.blocks))
    if isinstance(report, ReceiverReport):
        body = struct.pack("!I", report.ssrc)
        return _packet(RR, len(report.blocks), body + _blocks(report.blocks))
    if isinstance(report, SourceName):
        name = _text(report.cname)
        item = struct.pack("!IBB", report.ssrc, _CNAME, len(name)) + name
        return _packet(SDES, 1, item + bytes(_WORD - len(item) % _WORD))
    body = struct.pack(f"!{len(report.ssrcs)}I", *report.ssrcs)
    if report.reason:
        reason = _text(report.reason)
        body += bytes((len(reason),)) + reason
        body += bytes(-len(body) % _WORD)
    return _packet(BYE, len(report.ssrcs), body)


def _packet(kind: int, count: int, body: bytes) -> bytes:
    if count > REPORTS:
        raise ValueError(f"an RTCP packet has room for {REPORTS} sources, not for {count}")
    return _HEAD.pack(0x80 | count, kind, len(body) // _WORD) + body


def _blocks(blocks: Iterable[ReportBlock]) -> bytes:
    return b"".join(
        _BLOCK.pack(
            each.ssrc,
            each.fraction_lost << 24 | each.lost & 0xFFFFFF,
            each.highest, each.jitter, each.last_report, each.delay,
        )
        for each in blocks
    )  # fmt: skip


def _text(text: str) -> bytes:
    return text.encode()[:TEXT_BYTES].decode(errors="ignore").encode()


# Parsing.


def _packets(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Split a datagram into (type, count, body)."""
    at = packets = 0
    while at < len(data):
        packets += 1
        if packets > MAX_PACKETS:
            raise MalformedPacketError(f"a datagram with more than {MAX_PACKETS} RTCP packets")
        if len(data) - at < _HEAD.size:
            raise MalformedPacketError("the datagram ends within the head of an RTCP packet")
        first, kind, words = _HEAD.unpack_from(data, at)
        end = at + _HEAD.size + _WORD * words
        if first >> 6 != 2 or not 192 <= kind < 224:
            raise MalformedPacketError("this is no RTCP of version 2")
        if end > len(data):
            raise MalformedPacketError("an RTCP packet says that it is longer than its datagram")
        body = data[at + _HEAD.size : end]
        yield kind, first & REPORTS, _unpadded(body) if first & 0x20 else body
        at = end
    if not packets:
        raise MalformedPacketError("an empty datagram is no RTCP")


def _unpadded(body: bytes) -> bytes:
    padding = body[-1] if body else 0
    if not 0 < padding <= len(body):
        raise MalformedPacketError("the padding does not fit into its RTCP packet")
    return body[:-padding]


def _read(kind: int, count: int, body: bytes) -> Iterator[Report]:
    if kind == SR:
        _need(body, _SENDER.size)
        ssrc, time, timestamp, packets, octets = _SENDER.unpack_from(body)
        blocks = _read_blocks(body, _SENDER.size, count)
        yield SenderReport(ssrc, time, timestamp, packets, octets, blocks)
    elif kind == RR:
        _need(body, _WORD)
        yield ReceiverReport(int.from_bytes(body[:_WORD]), _read_blocks(body, _WORD, count))
    elif kind == SDES:
        yield from _read_names(body, count)
    elif kind == BYE:
        yield _read_bye(body, count)


def _need(body: bytes, size: int) -> None:
    if len(body) < size:
        raise MalformedPacketError(f"an RTCP packet has {len(body)} bytes where {size} are needed")


def _read_blocks(body: bytes, at: int, count: int) -> tuple[ReportBlock, ...]:
    _need(body, at + count * _BLOCK.size)
    return tuple(_read_block(body, at + each * _BLOCK.size) for each in range(count))


def _read_block(body: bytes, at: int) -> ReportBlock:
    ssrc, loss, highest, jitter, last_report, delay = _BLOCK.unpack_from(body, at)
    lost = loss & 0xFFFFFF
    lost -= (lost & 0x800000) << 1
    return ReportBlock(ssrc, loss >> 24, lost, highest, jitter, last_report, delay)


def _read_names(body: bytes, count: int) -> Iterator[SourceName]:
    """Read the CNAMEs of an SDES; other items are skipped."""
    at = 0
    for _ in range(count):
        _need(body, at + _WORD + 1)
        ssrc = int.from_bytes(body[at : at + _WORD])
        at += _WORD
        while body[at : at + 1] not in (b"", b"\0"):
            _need(body, at + 2)
            item, size = body[at], body[at + 1]
            _need(body, at + 2 + size)
            if item == _CNAME:
                yield SourceName(ssrc, body[at + 2 : at + 2 + size].decode(errors="replace"))
            at += 2 + size
        at += _WORD - at % _WORD


def _read_bye(body: bytes, count: int) -> Bye:
    end = count * _WORD
    _need(body, end)
    size = body[end] if len(body) > end else 0
    _need(body, end + size)
    reason = body[end + 1 : end + 1 + size].decode(errors="replace")
    return Bye(struct.unpack_from(f"!{count}I", body), reason)
