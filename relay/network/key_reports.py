"""Reports of the keys that the caller of one call presses: in order, one at a time and at most one
a second, however slowly the application answers. The agent has been told by then; nothing waits
for this.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from relay import logs
from relay.core.key_queue import KeyQueue
from relay.network.control import NoAnswerError, RefusedError

PAUSES_S = (2.0, 5.0, 10.0)
"""Before a report that got no answer is tried again; each try has retries of its own."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The time in seconds, and how to let it pass."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


class KeyReports:
    """The key reports of one call. `send(digits, sequence)` sends one."""

    def __init__(
        self,
        call_id: str,
        send: Callable[[str, int], Awaitable[object]],
        clock: Clock = Clock(),
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]] = asyncio.create_task,
    ) -> None:
        self._call_id, self._send, self._clock, self._spawn = call_id, send, clock, spawn
        self._queue = KeyQueue()
        self._sending: asyncio.Task[None] | None = None

    def press(self, digit: str) -> None:
        """Report a key, now or together with others."""
        if self._queue.add(digit) and (self._sending is None or self._sending.done()):
            self._sending = self._spawn(self._run())

    async def _run(self) -> None:
        while self._queue:
            wait = self._queue.wait(self._clock.now())
            if wait > 0:
                await self._clock.sleep(wait)
            digits, sequence = self._queue.take(self._clock.now(), time.time_ns() // 1_000_000)
            why = await self._failure(digits, sequence)
            if why:
                self._log_not_reported(len(digits), why)
            dropped = self._queue.take_dropped()
            if dropped:
                self._log_not_reported(dropped, "too many waited")

    def _log_not_reported(self, count: int, why: str) -> None:
        logs.warning("keys not reported", call_id=self._call_id, count=count, why=why)

    async def _failure(self, digits: str, sequence: int) -> str:
        """Send a report, with retries. Return the reason if it failed, or ""."""
        why = ""
        for pause in (*PAUSES_S, None):
            try:
                await self._send(digits, sequence)
            except RefusedError as error:
                return error.code or str(error.status)
            except NoAnswerError as error:
                why = str(error)
            except Exception as error:
                logs.exception("keys not reported", call_id=self._call_id)
                return type(error).__name__
            else:
                return ""
            if pause is not None:
                await self._clock.sleep(pause)
        return why
