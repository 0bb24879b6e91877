"""Tests of the reports of a leg: when they are due, and what they answer to."""

from __future__ import annotations

import pytest

from gateway.rtp import rtcp
from gateway.rtp.packet import MalformedPacketError
from gateway.rtp.reports import INTERVAL_S, Reports
from gateway.rtp.sender import Sender
from gateway.rtp.source import Source


def reports(jitter=0.5):
    return Reports(Sender(1, 0, 0), "somebody", lambda: jitter)


def due_times(one, until):
    return [at / 100 for at in range(int(until * 100)) if one.due(at / 100)]


@pytest.mark.parametrize(("jitter", "factor"), [(0.0, 0.5), (0.5, 1.0), (1.0, 1.5)])
def test_reports_are_five_seconds_apart_more_or_less_and_the_first_comes_sooner(jitter, factor):
    first, second, third = due_times(reports(jitter), 20)[:3]
    assert first == pytest.approx(INTERVAL_S * factor / 2, abs=0.02)
    assert second - first == pytest.approx(INTERVAL_S * factor, abs=0.02)
    assert third - second == pytest.approx(INTERVAL_S * factor, abs=0.02)


def test_a_report_answers_the_last_one_of_its_source_and_of_no_other():
    one, source = reports(), Source(7, 100)
    for ssrc, time in ((7, 5 << 32), (8, 9 << 32)):
        one.take(rtcp.compose([rtcp.SenderReport(ssrc, time, 0, 0, 0)]), source, 50.0)
    report, name = rtcp.parse(one.compose(source, 51.5))
    assert report.blocks[0].last_report == 5 << 16
    assert report.blocks[0].delay == 1.5 * 65536
    assert name == rtcp.SourceName(1, "somebody")


def test_blocks_about_others_are_none_of_ours():
    one = reports()
    block = rtcp.ReportBlock(99, 128, 0, 0, 0, 1, 0)
    one.take(rtcp.compose([rtcp.ReceiverReport(7, (block,))]), None, 50.0)
    assert (one.fraction_lost, one.round_trip) == (None, None)


def test_what_is_no_report_is_refused():
    with pytest.raises(MalformedPacketError):
        reports().take(b"nonsense", None, 0.0)
