"""A leg's RTCP: when to report, what, and what the far end's reports say.

Source: RFC 3550 6.2 and 6.3 (intervals), 6.4 (reports).
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.rtp import rtcp
from gateway.rtp.sender import Sender
from gateway.rtp.source import Source

INTERVAL_S = 5.0
"""The mean time between two reports; each is between half and one and a half of it (6.3.1)."""


class Reports:
    """The reports of one leg, both ways. `jitter` returns a number from 0 to 1 each time."""

    __slots__ = (
        "_cname", "_due", "_jitter", "_last_report", "_last_report_at", "_sender", "ended",
        "fraction_lost", "round_trip",
    )  # fmt: skip

    def __init__(self, sender: Sender, cname: str, jitter: Callable[[], float]) -> None:
        self._sender = sender
        self._cname = cname
        self._jitter = jitter
        self._due: float | None = None
        self._last_report = 0
        self._last_report_at = 0.0
        self.round_trip: float | None = None
        """Seconds; None before the far end has told."""
        self.fraction_lost: float | None = None
        """The part of what we sent that the far end lost lately, 0 to 1; None before it told."""
        self.ended = False
        """True if the far end said BYE."""

    def due(self, now: float) -> bool:
        """Return whether it is time for a report; if so, the next one is due an interval later."""
        if self._due is not None and now < self._due:
            return False
        first = self._due is None
        self._due = now + INTERVAL_S * (0.5 + self._jitter()) * (0.5 if first else 1)
        return not first

    def compose(self, source: Source | None, now: float, *, goodbye: bool = False) -> bytes:
        """Return a compound packet about what was sent and what came from `source`."""
        sender = self._sender
        blocks = () if source is None else (self._block(source, now),)
        report: rtcp.Report = rtcp.ReceiverReport(sender.ssrc, blocks)
        if sender.packets:
            report = rtcp.SenderReport(
                sender.ssrc,
                rtcp.ntp_time(now),
                sender.timestamp,
                sender.packets & 0xFFFFFFFF,
                sender.octets & 0xFFFFFFFF,
                blocks,
            )
        reports = [report, rtcp.SourceName(sender.ssrc, self._cname)]
        if goodbye:
            reports.append(rtcp.Bye((sender.ssrc,)))
        return rtcp.compose(reports)

    def take(self, data: bytes, source: Source | None, now: float) -> None:
        """Read the far end's reports. Raises MalformedPacketError."""
        for report in rtcp.parse(data):
            if isinstance(report, rtcp.SenderReport):
                if source is not None and report.ssrc == source.ssrc:
                    self._last_report, self._last_report_at = rtcp.middle_of(report.ntp_time), now
                self._read(report.blocks, now)
            elif isinstance(report, rtcp.ReceiverReport):
                self._read(report.blocks, now)
            elif isinstance(report, rtcp.Bye):
                self.ended = True

    def _read(self, blocks: tuple[rtcp.ReportBlock, ...], now: float) -> None:
        for block in blocks:
            if block.ssrc == self._sender.ssrc:
                self.fraction_lost = block.fraction_lost / 256
                round_trip = rtcp.round_trip(block, now)
                if round_trip is not None:
                    self.round_trip = round_trip

    def _block(self, source: Source, now: float) -> rtcp.ReportBlock:
        delay = now - self._last_report_at if self._last_report else 0.0
        return rtcp.ReportBlock(
            source.ssrc,
            source.take_fraction_lost(),
            source.lost,
            source.extended_highest,
            min(int(source.jitter), 0xFFFFFFFF),
            self._last_report,
            int(delay * 65536) & 0xFFFFFFFF,
        )
