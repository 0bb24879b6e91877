"""The gateway's 20 ms clock: one timer for all calls, without drift.

Every member is called on every tick, and must be quick. Late ticks are made up for, so that the
audio played equals the time that has passed. Only after a stall longer than `CATCH_UP` ticks is the
rest given up, since a second of audio in one burst helps nobody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

PERIOD = 0.020
CATCH_UP = 50

log = logging.getLogger(__name__)


class Ticker:
    """The clock: calls its members every 20 ms while it has any."""

    def __init__(self) -> None:
        self._members: dict[Callable[[], None], None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def add(self, member: Callable[[], None]) -> None:
        """Call `member` from the next tick on, until it is discarded."""
        self._members[member] = None
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._due = loop.time() + PERIOD
            self._timer = loop.call_at(self._due, self._fire)

    def discard(self, member: Callable[[], None]) -> None:
        """Call `member` no more; do nothing if it is not there."""
        self._members.pop(member, None)

    def _fire(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for _ in range(CATCH_UP):
            if self._due > now:
                break
            self._due += PERIOD
            self._tick()
        else:
            log.warning("the clock stalled for more than %d ms", CATCH_UP * PERIOD * 1000)
            self._due = now + PERIOD
        if self._members:
            self._timer = loop.call_at(self._due, self._fire)
        else:
            self._timer = None

    def _tick(self) -> None:
        for member in list(self._members):
            try:
                member()
            except Exception:
                # One broken call must not silence all others.
                log.exception("a member of the clock failed and is left out")
                self.discard(member)
