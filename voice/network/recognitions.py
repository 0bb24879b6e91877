"""The recognition of one call's turns: one at a time, in order, in tasks of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from voice import logs
from voice.core.counters import Counters
from voice.core.turn_taking import Turn
from voice.engines.base import EngineError, Heard, Recognition

TIMEOUT_S = 20.0
"""The longest that a recognition may take, its wait in the engine included."""
LAST_S = 5.0
"""Time for the last words of a call to be recognised."""


class Recognitions:
    """The recognitions of one call. `on_text` and `on_partial` take the results."""

    def __init__(
        self,
        call_id: str,
        recognition: Recognition,
        counters: Counters,
        on_text: Callable[[Turn, Heard | None], None],
        on_partial: Callable[[Turn, str | None], None],
    ) -> None:
        self._call_id, self._recognition, self._counters = call_id, recognition, counters
        self._on_text, self._on_partial = on_text, on_partial
        self._one_at_a_time = asyncio.Lock()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._partial: asyncio.Task[None] | None = None

    def feed(self, pcm: bytes) -> None:
        """Give the engine a frame."""
        self._recognition.feed(pcm)

    def begin(self, turn: Turn) -> None:
        """Recognise what there is of a turn."""
        task = asyncio.create_task(self._recognise(turn, bytes(turn.pcm)))
        self._tasks[turn.number] = task
        task.add_done_callback(lambda done: self._forget(turn.number, done))

    def withdraw(self, turn: Turn) -> None:
        """Throw away the recognition of a turn."""
        if task := self._tasks.pop(turn.number, None):
            task.cancel()
            self._counters.count("recognitions_withdrawn")

    def begin_partial(self, turn: Turn) -> None:
        """Recognise what there is of a turn that goes on, if this is not under way already."""
        if self._partial is None or self._partial.done():
            self._partial = asyncio.create_task(self._recognise_partly(turn, bytes(turn.pcm)))

    async def close(self) -> None:
        """Wait for the last texts, but not long, and free what the call holds."""
        if self._partial is not None:
            self._partial.cancel()
        if tasks := list(self._tasks.values()):
            _, late = await asyncio.wait(tasks, timeout=LAST_S)
            for task in late:
                task.cancel()
        await self._recognition.close()

    def _forget(self, number: int, task: asyncio.Task[None]) -> None:
        if self._tasks.get(number) is task:
            del self._tasks[number]

    async def _recognise(self, turn: Turn, pcm: bytes) -> None:
        heard = None
        async with self._one_at_a_time:
            for last in (False, True):
                try:
                    async with asyncio.timeout(TIMEOUT_S):
                        heard = await self._recognition.utterance(pcm, turn.pcm_from_ms)
                    break
                except Exception as error:
                    self._failed(error, last=last)
        self._on_text(turn, heard)

    def _failed(self, error: Exception, *, last: bool) -> None:
        self._counters.count("recognition_failures")
        if not isinstance(error, EngineError | TimeoutError):
            logs.exception("recognition failed", call_id=self._call_id)
        elif last:
            why = str(error) or type(error).__name__
            logs.warning("a turn was not recognised", call_id=self._call_id, why=why)

    async def _recognise_partly(self, turn: Turn, pcm: bytes) -> None:
        with suppress(EngineError, TimeoutError):
            async with asyncio.timeout(TIMEOUT_S):
                self._on_partial(turn, await self._recognition.partial(pcm))
