"""Calls that were refused because the application was behind with its answers, told to it by trunk
once it answers again: the owner of a trunk must get to know that callers were turned away.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gateway.trunks.application import MAX_TRUNKS, ApplicationError

LOOK_S = 5.0
"""Seconds between two looks whether there is something to tell, and the application answers."""
EVERY_MS = 60_000
"""Time between two reports of a trunk, at least."""

log = logging.getLogger(__name__)


class Told(Protocol):
    """The application, as far as it is told of refused calls."""

    async def report_shed(self, trunk_id: str, count: int, at_ms: int) -> None:
        """Report that `count` calls of a trunk were refused. ApplicationError."""


@dataclass(frozen=True, slots=True)
class Report:
    """Refused calls of one trunk. It is sent again as it is until it is accepted, so that the
    application can tell a repeated one."""

    trunk_id: str
    count: int
    at_ms: int


class Counted:
    """The refused calls that are not told yet. No I/O; times are epoch ms."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._waiting: dict[str, Report] = {}
        self._told_at: dict[str, int] = {}

    def count(self, trunk_id: str | None) -> None:
        """Count a call; one of no trunk, or of one trunk too many, is in the metric only."""
        if trunk_id is not None and (trunk_id in self._counts or len(self._counts) < MAX_TRUNKS):
            self._counts[trunk_id] += 1

    def due(self, now: int) -> list[Report]:
        """Return the reports to send: those not accepted yet, and those of trunks of which none was
        made for a minute."""
        self._told_at = {t: at for t, at in self._told_at.items() if now - at < EVERY_MS}
        for trunk_id in [each for each in self._counts if each not in self._told_at]:
            if trunk_id not in self._waiting:
                count = self._counts.pop(trunk_id)
                self._waiting[trunk_id] = Report(trunk_id, count, now)
        return list(self._waiting.values())

    def accepted(self, report: Report, now: int) -> None:
        """Forget a report that was accepted, or never will be."""
        self._waiting.pop(report.trunk_id, None)
        self._told_at[report.trunk_id] = now


class Shed:
    """Tells the application; `run` it."""

    def __init__(self, application: Told, behind: Callable[[], bool]) -> None:
        self.counted = Counted()
        self._application, self._behind = application, behind

    async def run(self) -> None:
        """Tell what is due every `LOOK_S`, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.tell(_now_ms())

    async def tell(self, now: int) -> None:
        """Tell what is due, unless the application is behind; stop at the first failure."""
        if self._behind():
            return
        for report in self.counted.due(now):
            try:
                await self._application.report_shed(report.trunk_id, report.count, report.at_ms)
            except ApplicationError as error:
                if not error.final:
                    return
                log.warning("refused calls not told: %s", error)
            self.counted.accepted(report, now)


def _now_ms() -> int:
    return int(time.time() * 1000)
