"""Reports to the application, until they are through: in order for each trunk, the latest wins.

One task for each trunk that has something to say, so that one that the application chokes on holds
up no other. Nothing is kept of what has been said.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from gateway.application import Application, ApplicationError
from gateway.trunk import Status

_AT_ONCE = 8

log = logging.getLogger(__name__)

Pause = Callable[[int], float]
"""Failures in a row (from 1) -> seconds."""


@dataclass(frozen=True, slots=True)
class Report:
    """How one revision of a trunk is doing."""

    trunk_id: str
    revision: int
    status: Status
    sip_code: int | None
    detail: str


class Reports:
    """`on_other_revision(trunk_id)`: the application knows another revision, or the trunk no more.

    Needs a running loop from the first `put` on; `close` it.
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
        """To be told, instead of what has not been told of this trunk yet."""
        self._latest[report.trunk_id] = report
        if report.trunk_id not in self._tasks:
            task = asyncio.create_task(self._deliver(report.trunk_id))
            self._tasks[report.trunk_id] = task

    def forget(self, trunk_id: str) -> None:
        """The trunk is gone: nothing more is said of it."""
        self._latest.pop(trunk_id, None)

    async def close(self) -> None:
        """Drops what has not been told."""
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
        """Whether the latest report is through, or will never be."""
        report = self._latest.get(trunk_id)  # while it waited for its turn it may have gone
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
