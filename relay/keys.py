"""Keys that the caller of one call presses, on their way to the application: in order, one report
at a time, however slowly it answers. The agent has had them by then; nothing waits for this.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from relay import logs
from relay.control import RefusedError, UnreachableError

MAX_WAITING = 256
"""Keys that wait; what goes beyond is dropped and logged."""
AT_ONCE = 64
"""Keys in one report."""
PAUSES_S = (2.0, 5.0, 10.0)
"""Before a report that got no answer is tried again; each try has retries of its own."""
_KEYS = frozenset("0123456789*#ABCD")


class Keys:
    """The keys of one call. `send(digits, sequence)` reports some of them."""

    def __init__(self, call_id: str, send: Callable[[str, int], Awaitable[object]]) -> None:
        self._call_id, self._send = call_id, send
        self._waiting = ""
        self._sequence = 0
        self._sending: asyncio.Task[None] | None = None

    def press(self, digit: str) -> None:
        """The caller pressed a key. What is none is let pass."""
        if digit not in _KEYS:
            return
        if len(self._waiting) >= MAX_WAITING:
            logs.warning("key not reported", call_id=self._call_id, why="too many wait")
            return
        self._waiting += digit
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._report())

    async def _report(self) -> None:
        while self._waiting:
            digits, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            # By the clock, so that it also rises when another relay goes on with the call.
            self._sequence = max(self._sequence + 1, time.time_ns() // 1_000_000)
            why = await self._try(digits, self._sequence)
            if why:
                lost = len(digits)
                logs.warning("keys not reported", call_id=self._call_id, count=lost, why=why)

    async def _try(self, digits: str, sequence: int) -> str:
        """Empty, or why it was in vain."""
        why = ""
        for pause in (*PAUSES_S, None):
            try:
                await self._send(digits, sequence)
            except RefusedError as error:
                return error.code or str(error.status)
            except UnreachableError as error:
                why = str(error)
            except Exception as error:
                logs.exception("keys not reported", call_id=self._call_id)
                return type(error).__name__
            else:
                return ""
            if pause is not None:
                await asyncio.sleep(pause)
        return why
