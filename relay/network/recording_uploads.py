"""Uploads of one call's recording: segment by segment to URLs that the application signs.

The relay knows neither the storage nor its credentials. Segments go in order, one at a time, with
retries for as long as there is room for those behind them. The last word about a recording is
that no more of it comes from here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from relay import logs
from relay.core.counters import Counters
from relay.core.recorder import SEGMENT_S, Segment
from relay.core.segment_queue import SegmentQueue
from relay.network.control import NoAnswerError, RefusedError, Upload

PAUSES_S = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Before an upload is tried again; the last one again and again."""
GIVE_UP_S = 300.0
"""Time after which an upload, or the word that a recording is over, is given up."""
AT_ONCE = 12
"""URLs that are asked for together: those of the segment, and of the ones to come."""
KEPT_S = 300.0
"""Time for which URLs are kept. They are good for longer."""


class Storage(Protocol):
    """The way to the storage, as `Control` has it."""

    async def upload_urls(
        self, call_id: str, recording_id: str, starts_ms: list[int]
    ) -> dict[int, Upload]:
        """Return where the segments go that begin at these times. RefusedError, NoAnswerError."""
        ...

    async def recording_over(self, call_id: str, recording_id: str) -> None:
        """Tell that no more of a recording comes. RefusedError, NoAnswerError."""
        ...

    async def upload(self, where: Upload, content: bytes) -> None:
        """Upload a segment. NoAnswerError."""
        ...


@dataclass(frozen=True, slots=True)
class Clock:
    """The time in seconds, and how to let it pass."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


class RecordingUploads:
    """The uploads of one call."""

    def __init__(
        self,
        call_id: str,
        storage: Storage,
        counters: Counters,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        clock: Clock = Clock(),
    ) -> None:
        self._call_id, self._storage, self._clock, self._spawn = call_id, storage, clock, spawn
        self._queue = SegmentQueue(counters)
        self._urls: dict[int, Upload] = {}
        self._urls_of, self._urls_until = "", 0.0
        self._running: asyncio.Task[None] | None = None

    def add(self, segment: Segment) -> None:
        """Upload a segment behind those that wait."""
        self._queue.add(segment)
        self._run_if_idle()

    def add_over(self, recording_id: str) -> None:
        """Tell, behind its segments, that no more of a recording comes."""
        self._queue.add_over(recording_id)
        self._run_if_idle()

    def _run_if_idle(self) -> None:
        if self._queue and (self._running is None or self._running.done()):
            self._running = self._spawn(self._run())

    async def _run(self) -> None:
        while (item := self._queue.first()) is not None:
            why = await self._failure(item)
            if why:
                logs.warning("recording not stored", call_id=self._call_id, why=why)
            self._queue.done(item, "lost" if why else "stored")

    async def _failure(self, item: Segment | str) -> str:
        """Handle what is next, with retries. Return the reason if that failed, or ""."""
        until, tries = self._clock.now() + GIVE_UP_S, 0
        while True:
            try:
                await self._handle(item)
            except RefusedError as error:
                return error.code or str(error.status)
            except NoAnswerError as error:
                self._urls.clear()
                why = str(error)
            except Exception as error:
                logs.exception("recording not stored", call_id=self._call_id)
                return type(error).__name__
            else:
                return ""
            pause = PAUSES_S[min(tries, len(PAUSES_S) - 1)]
            tries += 1
            if self._clock.now() + pause > until or self._queue.first() is not item:
                return why
            await self._clock.sleep(pause)

    async def _handle(self, item: Segment | str) -> None:
        if isinstance(item, Segment):
            await self._storage.upload(await self._where(item), item.stereo)
        else:
            await self._storage.recording_over(self._call_id, item)

    async def _where(self, segment: Segment) -> Upload:
        """Return where a segment goes; its URL often came with that of one before it."""
        now, start = self._clock.now(), segment.start_ms
        if segment.recording_id != self._urls_of or now >= self._urls_until:
            self._urls.clear()
        if start not in self._urls:
            starts = [start + round(each * SEGMENT_S * 1000) for each in range(AT_ONCE)]
            recording_id = segment.recording_id
            self._urls = await self._storage.upload_urls(self._call_id, recording_id, starts)
            self._urls_of, self._urls_until = recording_id, now + KEPT_S
        if start not in self._urls:
            raise NoAnswerError("an answer without the URL that was asked for")
        return self._urls.pop(start)
