"""The things that every call of the long run needs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.load.sip_long.application import Application
from tests.load.sip_long.carrier import Carrier
from tests.load.sip_long.phone import WITHIN_S, Phone

RTP_TIMEOUT_S = 10.0
"""The gateway's: how long a call may be without audio."""


@dataclass(frozen=True)
class World:
    """The things that a call needs."""

    application: Application
    gateway: str
    """URL of its REST API."""
    carrier: Carrier
    trunk_id: str
    pace: float
    """Multiplies how long calls talk."""

    async def talks(self, seconds: float) -> None:
        """Let a call go on for a while."""
        await asyncio.sleep(seconds * self.pace * random.uniform(0.5, 1.5))


Scenario = Callable[[World], Awaitable[Phone]]
"""One call; it raises AssertionError if it goes wrong."""


async def ends(phone: Phone, *statuses: int) -> None:
    """Wait for the end of a call; check its status."""
    ending = await phone.is_over()
    assert ending.status in statuses, f"ended with {ending.status}, not {statuses}"


async def until(ready: Callable[[], bool]) -> None:
    """Wait for what no event tells."""
    async with asyncio.timeout(WITHIN_S):
        while not ready():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
