"""Reports to the application, repeated until accepted: in order for each trunk, the latest wins.

There is one task for each trunk with a report, so that a report which the application cannot handle
does not hold up the others. Accepted reports are not kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from gateway.trunks.application import Application, ApplicationError
from gateway.trunks.trunk import Status

_AT_ONCE = 8

log = logging.getLogger(__name__)

Pause = Callable[[int], float]
"""Takes the number of failures in a row (from 1), returns the seconds to wait."""


@dataclass(frozen=True, slots=True)
class Report:
    """The status of one revision of a trunk."""

    trunk_id: str
    revision: int
    status: Status
    sip_code: int | None
    detail: str


class Reports:
    """The reports that are not accepted yet.

    `on_other_revision(trunk_id)` is called when the application knows another revision, or the
    trunk no more. Needs a running loop from the first `put` on; `close` it.
    """

    def __init__(
        self, application: Application, pause: Pause, on_other_revision: Callable[[str], None]
    ) -> None:
        self._application = application
        self._pause = pause
        self._on_other_revision = on_other_revision
        self._latest: dict[str, Report] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)

    def put(self, report: Report) -> None:
        """Send a report; it replaces one of the same trunk that is still waiting."""
        self._latest[report.trunk_id] = report
        if report.trunk_id not in self._tasks:
            task = asyncio.create_task(self._deliver(report.trunk_id))
            self._tasks[report.trunk_id] = task

    def forget(self, trunk_id: str) -> None:
        """Drop the report of a trunk that is gone."""
        self._latest.pop(trunk_id, None)

    async def close(self) -> None:
        """Drop all reports that are still waiting."""
        self._latest.clear()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _deliver(self, trunk_id: str) -> None:
        failures = 0
        try:
            while trunk_id in self._latest:
                async with self._slots:
                    done = await self._tell(trunk_id)
                failures = 0 if done else failures + 1
                if not done:
                    await asyncio.sleep(self._pause(failures))
        except Exception:
            log.exception("a report was not told", extra={"trunk_id": trunk_id})
            self._latest.pop(trunk_id, None)
        finally:
            del self._tasks[trunk_id]

    async def _tell(self, trunk_id: str) -> bool:
        """Send the latest report. Return whether it is accepted, or never will be."""
        report = self._latest.get(trunk_id)  # it may have been dropped while it waited for its turn
        if report is None:
            return True
        try:
            counts = await self._application.report(
                report.trunk_id, report.revision, report.status, report.sip_code, report.detail
            )
        except ApplicationError as error:
            if not error.final:
                return False
            log.warning("the application refuses a report: %s", error, extra={"trunk_id": trunk_id})
            counts = report.revision
        if self._latest.get(trunk_id) is report:
            del self._latest[trunk_id]
        if counts != report.revision:
            self._on_other_revision(trunk_id)
        return True
