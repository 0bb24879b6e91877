"""Timers as data: who wants to be woken when, in seconds of whatever clock is passed in."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Protocol

_SLACK = 1024
"""Stopped timers that may stay in the heap beside as many that run."""


class Timed(Protocol):
    """A state machine that has timers."""

    def on_timer(self, name: str, now: float) -> None:
        """Handle a timer that has run out."""


class Timers:
    """The running timers of all state machines. Each machine has at most one of a name."""

    __slots__ = ("_count", "_heap", "_number", "_running")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timed, str]] = []
        self._running: dict[Timed, dict[str, tuple[float, int]]] = {}
        self._number = 0
        self._count = 0

    def start(self, owner: Timed, name: str, at: float) -> None:
        """Wake the owner at that time. A running timer of that name is replaced."""
        self._number += 1
        mine = self._running.setdefault(owner, {})
        self._count += name not in mine
        mine[name] = (at, self._number)
        heapq.heappush(self._heap, (at, self._number, owner, name))
        if len(self._heap) > 2 * self._count + _SLACK:
            self._heap = [entry for entry in self._heap if self._runs(entry)]
            heapq.heapify(self._heap)

    def stop(self, owner: Timed, *names: str) -> None:
        """Stop timers of the owner: those named, or all."""
        mine = self._running.get(owner)
        if mine is None:
            return
        for name in names or list(mine):
            self._count -= mine.pop(name, None) is not None
        if not mine:
            del self._running[owner]

    def runs(self, owner: Timed, name: str) -> bool:
        """Return whether that timer runs."""
        return name in self._running.get(owner, ())

    def next_at(self) -> float | None:
        """Return when the next timer runs out; None if none runs."""
        while self._heap and not self._runs(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> Iterator[tuple[Timed, str]]:
        """Yield the timers that have run out, the earliest first. They do not run any more."""
        while (at := self.next_at()) is not None and at <= now:
            _, _, owner, name = heapq.heappop(self._heap)
            self.stop(owner, name)
            yield owner, name

    def fire(self, now: float) -> None:
        """Wake the owners of all timers that have run out."""
        for owner, name in self.due(now):
            owner.on_timer(name, now)

    def _runs(self, entry: tuple[float, int, Timed, str]) -> bool:
        _, number, owner, name = entry
        running = self._running.get(owner, {}).get(name)
        return running is not None and running[1] == number

    def __len__(self) -> int:
        return self._count
