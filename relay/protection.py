"""Asks the orchestrator not to end this relay while it carries calls (Amazon ECS, task protection).

ECS gives each container an agent's address, `ECS_AGENT_URI`; without it there is nobody to ask. A
protected task is left alone when the service scales in or is deployed anew, but then it also gets
new calls, and on a busy line there would never be an end to it. So a relay that was protected for
`LONGEST_S` lets go for a while: if somebody waits for it to end, it ends now and drains, which
calls survive.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import aiohttp

from relay import logs
from relay.metrics import Counters

LOOK_S = 20.0
EXPIRES_MIN = 10
"""Minutes after which ECS forgets a protection that is not renewed: this process may have hung."""
RENEW_S = 300.0
LONGEST_S = 3600.0
LET_GO_S = 120.0
_PATH = "/task-protection/v1/state"
_TIMEOUT = aiohttp.ClientTimeout(total=5)


class Protection:
    """What this relay wants, told to ECS when that changes or is about to be forgotten."""

    def __init__(
        self,
        agent_uri: str,
        counters: Counters,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = agent_uri.rstrip("/") + _PATH
        self._counters, self._clock = counters, clock
        self._since: float | None = None
        """When it began to be protected without a pause."""
        self._told: tuple[bool, float] | None = None
        """What ECS was told last, and when."""
        self._free_until = 0.0

    async def run(self) -> None:
        """Look every `LOOK_S`, until cancelled. What fails is tried again at the next look."""
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            while True:
                await self.look(session)
                await asyncio.sleep(LOOK_S)

    async def look(self, session: aiohttp.ClientSession) -> None:
        """Tell ECS, if there is anything to tell."""
        now, wanted = self._clock(), self._wanted(self._clock())
        if self._told is not None:
            told, at = self._told
            if told == wanted and (not wanted or now - at < RENEW_S):
                return
        asked: dict[str, object] = {"ProtectionEnabled": wanted}
        if wanted:
            asked["ExpiresInMinutes"] = EXPIRES_MIN
        try:
            async with session.put(self._url, json=asked) as answer:
                if answer.status != 200:
                    logs.warning("task protection refused", status=answer.status, wanted=wanted)
                    return
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            logs.warning("task protection not told", why=type(error).__name__, wanted=wanted)
            return
        self._told = (wanted, now)

    def _wanted(self, now: float) -> bool:
        if not self._counters.calls or self._counters.draining or now < self._free_until:
            self._since = None
            return False
        if self._since is None:
            self._since = now
        if now - self._since >= LONGEST_S:
            self._since, self._free_until = None, now + LET_GO_S
            return False
        return True
