"""Sends reports about calls to the application: in order, one at a time for each call, again until
they are taken. No call waits for them.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec

from runtime.signed_post import AnswerTooLongError, signed_post
from voice import logs
from voice.config import Config
from voice.core.counters import Counters
from voice.core.interfaces import Item

PATH = "/voice/report"
MAX_ITEMS = 32
"""Items of one report."""
MAX_QUEUED = 1000
"""Items of a call that wait; for more, the oldest are dropped."""
MAX_CALLS = 1000
"""Calls with items that wait; of further ones nothing is reported."""
PAUSES_S = (0.2, 1.0, 2.0, 5.0, 10.0)
"""Pauses before a report that got no answer is sent again; the last one repeats."""
GIVE_UP_S = 120.0
"""A report that got no answer for so long is dropped."""
TIMEOUT_S = 5.0
_GONE = (404, 410)

Post = Callable[[bytes], Awaitable[tuple[int, bytes]]]
"""Posts a report. Returns status and content; raises what `signed_post` raises."""
_NO_ANSWER = (aiohttp.ClientError, OSError, TimeoutError, AnswerTooLongError)


@dataclass(slots=True)
class _Queue:
    items: deque[Item] = field(default_factory=deque)
    sending: asyncio.Task[None] | None = None


class Reports:
    """The reports of one host."""

    def __init__(
        self,
        voice_id: str,
        post: Post,
        counters: Counters,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._voice_id, self._post, self._counters, self._sleep = voice_id, post, counters, sleep
        self._queues: dict[str, _Queue] = {}
        self._sequence = 0

    def add(self, call_id: str, item: Item) -> None:
        """Report an item of a call."""
        if call_id not in self._queues and len(self._queues) >= MAX_CALLS:
            self._counters.count("items_dropped")
            return
        queue = self._queues.setdefault(call_id, _Queue())
        if len(queue.items) >= MAX_QUEUED:
            queue.items.popleft()
            self._counters.count("items_dropped")
        queue.items.append(item)
        if queue.sending is None:
            queue.sending = asyncio.create_task(self._run(call_id, queue))

    async def drain(self, within_s: float) -> None:
        """Wait until everything is reported, but not for longer than this."""
        sending = [queue.sending for queue in self._queues.values() if queue.sending]
        if sending:
            _, late = await asyncio.wait(sending, timeout=within_s)
            for task in late:
                task.cancel()

    async def _run(self, call_id: str, queue: _Queue) -> None:
        try:
            while queue.items:
                count = min(MAX_ITEMS, len(queue.items))
                items = [queue.items.popleft() for _ in range(count)]
                if not await self._send(call_id, items):
                    queue.items.clear()  # the application knows no such call (any more)
        finally:
            self._queues.pop(call_id, None)

    async def _send(self, call_id: str, items: list[Item]) -> bool:
        """Send items until they are taken. Return False if the call is gone."""
        self._sequence = max(self._sequence + 1, time.time_ns() // 1_000_000)
        report: dict[str, Any] = {"host": self._voice_id, "call_id": call_id}
        body = msgspec.json.encode(report | {"sequence": self._sequence, "items": items})
        waited, tries, why = 0.0, 0, ""
        while waited < GIVE_UP_S:
            try:
                status, _ = await self._post(body)
            except _NO_ANSWER as error:
                why = str(error) or type(error).__name__
            else:
                if status == 200 or status in _GONE:
                    return status == 200
                why = f"HTTP {status}"
                if 400 <= status < 500 and status not in (408, 429):
                    break
            pause = PAUSES_S[min(tries, len(PAUSES_S) - 1)]
            await self._sleep(pause)
            waited, tries = waited + pause, tries + 1
        self._counters.count("items_dropped")
        logs.warning("report not taken", call_id=call_id, items=len(items), why=why)
        return True


def poster(config: Config, session: aiohttp.ClientSession) -> Post:
    """Return what posts reports to the application, signed."""

    async def post(body: bytes) -> tuple[int, bytes]:
        async with asyncio.timeout(TIMEOUT_S):
            return await signed_post(session, config.control_url, config.secret, PATH, body)

    return post
