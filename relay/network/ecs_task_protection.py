"""Task protection: Amazon ECS is asked not to stop this relay while it carries calls.

ECS gives each container the URI of its agent, `ECS_AGENT_URI`; elsewhere there is nobody to ask. A
protected task is not stopped when the service scales in or is deployed anew. But it gets new calls
meanwhile, and on a busy line it would never stop. So after `LONGEST_S` a relay gives up its
protection for `PAUSE_S`: if ECS wants to stop it, it is stopped then and drains, which calls
survive.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import aiohttp

from relay import logs
from relay.core.counters import Counters

CHECK_S = 20.0
EXPIRES_MIN = 10
"""Minutes after which ECS forgets a protection that is not renewed: this process may have hung."""
RENEW_S = 300.0
LONGEST_S = 3600.0
PAUSE_S = 120.0
_PATH = "/task-protection/v1/state"
_LONGEST_WHY = 200
_TIMEOUT = aiohttp.ClientTimeout(total=5)


class Protection:
    """The task protection of this relay: set when it is to change, and before it expires."""

    def __init__(
        self,
        agent_uri: str,
        counters: Counters,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = agent_uri.rstrip("/") + _PATH
        self._counters, self._clock = counters, clock
        self._since: float | None = None
        """The time from which it has been protected without a pause."""
        self._last_set: tuple[bool, float] | None = None
        """The protection as ECS was last told, and when."""
        self._paused_until = 0.0

    async def run(self) -> None:
        """Update the protection every `CHECK_S`, which also retries failures, until cancelled."""
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            while True:
                await self.update(session)
                await asyncio.sleep(CHECK_S)

    async def update(self, session: aiohttp.ClientSession) -> None:
        """Set the protection, if it is to change or to be renewed."""
        now, wanted = self._clock(), self._wanted(self._clock())
        if self._last_set is not None:
            last, at = self._last_set
            if last == wanted and (not wanted or now - at < RENEW_S):
                return
        body: dict[str, object] = {"ProtectionEnabled": wanted}
        if wanted:
            body["ExpiresInMinutes"] = EXPIRES_MIN
        try:
            async with session.put(self._url, json=body) as answer:
                why = await _refusal(answer)
                if why:
                    status = answer.status
                    logs.warning("task protection refused", status=status, why=why, wanted=wanted)
                    return
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            logs.warning("task protection not told", why=type(error).__name__, wanted=wanted)
            return
        self._last_set = (wanted, now)

    def _wanted(self, now: float) -> bool:
        if not self._counters.calls or self._counters.draining or now < self._paused_until:
            self._since = None
            return False
        if self._since is None:
            self._since = now
        if now - self._since >= LONGEST_S:
            self._since, self._paused_until = None, now + PAUSE_S
            return False
        return True


async def _refusal(answer: aiohttp.ClientResponse) -> str:
    """Return why ECS refuses, or nothing if it does not.

    The agent passes a `failure` of ECS on with status 200, and an `error` of its own with another
    (ECS developer guide, "Amazon ECS task scale-in protection endpoint"). Raises ValueError if the
    answer is not JSON.
    """
    if answer.status != 200:
        return f"status {answer.status}"
    told = await answer.json(content_type=None)
    for kind in ("failure", "error"):
        if isinstance(told, dict) and told.get(kind):
            about = told[kind]
            why = about.get("Reason") or about.get("Message") if isinstance(about, dict) else about
            return str(why or kind)[:_LONGEST_WHY]
    return ""
