"""Reports of the quality of one call to the application: every minute, and when the call is over.

They go through a pool of their own and nothing waits for them. A report that gets no answer is kept
and sent before the next one; of too many, the oldest are dropped.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from common.call_facts import EVERY_S, MAX_REPORTS, FactsReport
from relay import logs
from relay.core.quality import CallQuality
from relay.network.control import NoAnswerError, RefusedError

MAX_KEPT = 8
"""Reports of a call that wait; one is about 3 kB."""
LAST_AFTER_S = 1.0
"""Time after the end of a call until the last report: the provider's figures come meanwhile."""


class FactsReports:
    """The reports about one call. `send` posts one."""

    def __init__(
        self,
        call_id: str,
        quality: CallQuality,
        send: Callable[[FactsReport], Awaitable[object]],
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        hurry: asyncio.Event,
    ) -> None:
        """`hurry`: set when the relay ends, and the last report must not wait."""
        self._call_id, self._quality = call_id, quality
        self._send, self._spawn, self._hurry = send, spawn, hurry
        self._timer: asyncio.TimerHandle | None = None
        self._began_ms = self._sequence = 0
        self._waiting: deque[FactsReport] = deque(maxlen=MAX_KEPT)
        self._sending: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Report every minute from now on. Further calls change nothing."""
        if self._timer is None:
            self._arm()

    def end(self) -> None:
        """Report for the last time, a moment later: the call is forgotten here."""
        if self._timer is not None:
            self._timer.cancel()
        if self._quality.began is not None:
            self._waiting.append(self._report(last=True))
            self._spawn(self._send_last())

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(EVERY_S, self._due)

    def _due(self) -> None:
        self._arm()
        if self._quality.began is None or self._sequence >= MAX_REPORTS - 1:
            return
        self._waiting.append(self._report(last=False))
        if self._sending is None or self._sending.done():
            self._sending = self._spawn(self._send_waiting())

    def _report(self, *, last: bool) -> FactsReport:
        quality, now = self._quality, time.monotonic()
        if not self._began_ms and quality.began is not None:
            self._began_ms = round((time.time() - (now - quality.began)) * 1000)
        self._sequence += 1
        return FactsReport(
            call_id=self._call_id,
            began_ms=self._began_ms,
            sequence=self._sequence,
            sums=quality.sums(),
            piece=quality.take_piece(now),
            last=last,
        )

    async def _send_last(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_AFTER_S):
                await self._hurry.wait()
        if self._sending is not None and not self._sending.done():
            await asyncio.wait((self._sending,))
        await self._send_waiting()

    async def _send_waiting(self) -> None:
        """Send what waits, in order, until one gets no answer."""
        while self._waiting:
            report = self._waiting[0]
            try:
                await self._send(report)
            except RefusedError as error:
                self._log(error.code or str(error.status))
            except NoAnswerError as error:
                self._log(str(error))
                return
            except Exception:
                logs.exception("facts not reported", call_id=self._call_id)
            if self._waiting and self._waiting[0] is report:
                self._waiting.popleft()

    def _log(self, why: str) -> None:
        logs.warning("facts not reported", call_id=self._call_id, why=why)
