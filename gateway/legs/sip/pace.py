"""The rate at which trunks are registered: one after the other, to avoid a burst at the start."""

from __future__ import annotations

import asyncio
import time

PER_SECOND = 200
"""Registrations begun in a second. Each is two requests, since carriers challenge."""


class Pace:
    """A queue that lets one caller through at a time, first come, first served.

    A cancelled caller takes no turn.
    """

    def __init__(self, per_second: float = PER_SECOND) -> None:
        self._apart = 1 / per_second
        self._next = 0.0
        self._lock = asyncio.Lock()

    async def turn(self) -> None:
        """Wait for this caller's turn."""
        async with self._lock:
            await asyncio.sleep(max(0.0, self._next - time.monotonic()))
            self._next = time.monotonic() + self._apart
