"""Hands a few things out to calls in turn: no call waits behind all jobs of another."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class QueueFullError(Exception):
    """Too many jobs wait: one more would be done too late."""


class Turns(Generic[T]):
    """Free things, such as worker processes, for which calls wait in turn.

    Jobs of one call go in their order. The next call is the one whose turn is longest ago, however
    many jobs another one has.
    """

    def __init__(self, free: Iterable[T] = (), *, max_waiting: int) -> None:
        self._free = deque(free)
        self._waiting: dict[Hashable, deque[asyncio.Future[T]]] = {}
        self._max_waiting = max_waiting

    @property
    def waiting(self) -> int:
        """Return how many jobs wait."""
        return sum(map(len, self._waiting.values()))

    async def take(self, call: Hashable) -> T:
        """Return a thing when it is the turn of `call`. QueueFullError if too many wait."""
        if self._free:
            return self._free.popleft()
        if self.waiting >= self._max_waiting:
            raise QueueFullError(f"{self._max_waiting} jobs wait")
        turn: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(call, deque()).append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(turn.result())
            else:
                self._forget(call, turn)
            raise

    def give(self, thing: T) -> None:
        """Give a thing back, to whoever is next."""
        while self._waiting:
            call = next(iter(self._waiting))
            turns = self._waiting.pop(call)
            turn = turns.popleft()
            if turns:
                self._waiting[call] = turns  # at the end: the others are first
            if not turn.done():
                turn.set_result(thing)
                return
        self._free.append(thing)

    def _forget(self, call: Hashable, turn: asyncio.Future[T]) -> None:
        turns = self._waiting.get(call)
        if turns and turn in turns:
            turns.remove(turn)
            if not turns:
                del self._waiting[call]
