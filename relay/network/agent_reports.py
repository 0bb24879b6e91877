"""Reports of why the agent that is dialled was not reached, or that it is there by now.

They go out in order, one at a time. A newer one replaces those that wait: the application shows
only how it is now. A report that got no answer is sent again, since what it says would otherwise
stand in the call for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

PAUSES_S = (2.0, 5.0, 10.0)
"""Before a report that got no answer is tried again; the last one again and again."""


class AgentReports:
    """The reports about the dialled agent of one call.

    `send(why)` sends one, and returns False if it is to be sent again.
    """

    def __init__(
        self,
        send: Callable[[str], Awaitable[bool]],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]] = asyncio.create_task,
    ) -> None:
        self._send, self._sleep, self._spawn = send, sleep, spawn
        self._newest: str | None = None
        self._sending: asyncio.Task[None] | None = None

    def tell(self, why: str) -> None:
        """Report this reason, "" for none, in place of one that waits."""
        self._newest = why
        if self._sending is None or self._sending.done():
            self._sending = self._spawn(self._run())

    async def _run(self) -> None:
        tries = 0
        while (why := self._newest) is not None:
            if not await self._send(why):
                await self._sleep(PAUSES_S[min(tries, len(PAUSES_S) - 1)])
                tries += 1
            elif self._newest == why:
                self._newest = None
