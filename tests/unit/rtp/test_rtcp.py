"""Tests of RTCP: reports are read as they were written, and the round trip is worked out."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.rtp import rtcp
from gateway.rtp.packet import MalformedPacketError
from gateway.rtp.rtcp import Bye, ReceiverReport, ReportBlock, SenderReport, SourceName

WORD = st.integers(0, 0xFFFFFFFF)
BLOCKS = st.lists(
    st.builds(
        ReportBlock, WORD, st.integers(0, 255), st.integers(-0x800000, 0x7FFFFF), WORD, WORD, WORD,
        WORD,
    ),
    max_size=31,
).map(tuple)  # fmt: skip
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
REPORTS = (
    st.builds(SenderReport, WORD, st.integers(0, 2**64 - 1), WORD, WORD, WORD, BLOCKS)
    | st.builds(ReceiverReport, WORD, BLOCKS)
    | st.builds(SourceName, WORD, NAMES)
    | st.builds(Bye, st.lists(WORD, max_size=31).map(tuple), NAMES)
)


@given(st.lists(REPORTS, min_size=1, max_size=4))
def test_reports_are_read_as_they_were_written(reports):
    assert rtcp.parse(rtcp.compose(reports)) == reports


@given(st.binary(max_size=300))
@example(b"")
@example(b"\x81\xca\x00\x01\x00\x00\x00\x01")
@example(b"\xa0\xc9\x00\x00")
def test_any_datagram_is_read_or_refused_with_a_reason(data):
    try:
        rtcp.parse(data)
    except MalformedPacketError as error:
        assert str(error)  # noqa: PT017


@given(st.lists(REPORTS, min_size=1, max_size=3), st.data())
def test_a_datagram_that_was_cut_or_changed_is_read_or_refused(reports, data):
    whole = bytearray(rtcp.compose(reports))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    for each in (whole, whole[:at]):
        try:
            rtcp.parse(bytes(each))
        except MalformedPacketError as error:
            assert str(error)  # noqa: PT017


def test_packets_of_unknown_types_are_skipped():
    app = bytes([0x80, 204, 0, 2]) + bytes(8)
    bye = rtcp.compose([Bye((7,))])
    assert rtcp.parse(app + bye) == [Bye((7,))]


def test_a_datagram_of_more_packets_than_the_bound_is_refused():
    empty = bytes([0x80, 201, 0, 1]) + bytes(4)
    assert len(rtcp.parse(empty * rtcp.MAX_PACKETS)) == rtcp.MAX_PACKETS
    with pytest.raises(MalformedPacketError, match="more than"):
        rtcp.parse(empty * (rtcp.MAX_PACKETS + 1))


def test_padding_of_the_last_packet_is_taken_off():
    padded = bytes([0xA1, 203, 0, 2]) + (7).to_bytes(4) + bytes([0, 0, 0, 4])
    assert rtcp.parse(padded) == [Bye((7,))]


@pytest.mark.parametrize(
    "report", [ReceiverReport(1, (ReportBlock(0, 0, 0, 0, 0, 0, 0),) * 32), ReceiverReport(2**32)]
)
def test_what_does_not_fit_is_not_written(report):
    with pytest.raises(ValueError, match=r"fit|room"):
        rtcp.compose([report])


def test_a_name_that_is_too_long_is_cut_between_characters():
    (name,) = rtcp.parse(rtcp.compose([SourceName(1, "é" * 200)]))
    assert name == SourceName(1, "é" * 127)


def test_the_round_trip_is_that_of_the_rfcs_example():
    # RFC 3550 6.4.1, figure 2: A = 0xb710:8000, LSR = 0xb705:2000, DLSR = 5.25 s.
    block = ReportBlock(1, 0, 0, 0, 0, last_report=0xB7052000, delay=0x00054000)
    assert rtcp.round_trip(block, 0xB710 + 0.5) == pytest.approx(6.125)


def test_without_a_report_or_with_impossible_times_there_is_no_round_trip():
    assert rtcp.round_trip(ReportBlock(1, 0, 0, 0, 0, 0, 0), 5.0) is None
    assert rtcp.round_trip(ReportBlock(1, 0, 0, 0, 0, 6 << 16, 0), 5.0) is None
