"""Renews the lease of this gateway, where there are several, and says when its trunks may have
changed.

The application divides the trunks among the gateways that hold a lease (docs/contracts.md). If it
does not answer, everything stays as it is: then the others get no answer either.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from gateway.trunks.application import Application, ApplicationError
from gateway.trunks.reports import Pause

_AT_MOST_S = 5.0
"""Seconds, at most, until a renewal that failed is tried again: a lease lasts 20."""
_LEAVES_WITHIN_S = 2.0
"""Seconds that a stopping gateway waits for the application to hear that it leaves."""

log = logging.getLogger(__name__)


class Lease:
    """Renews the lease until it is cancelled.

    `draining()` says whether the gateway takes no more calls; `on_division()` is called when other
    trunks may be ours.
    """

    def __init__(
        self,
        application: Application,
        url: str,
        *,
        draining: Callable[[], bool],
        on_division: Callable[[], None],
        pause: Pause,
    ) -> None:
        """`url` is where the application reaches this gateway."""
        self._application = application
        self._url = url
        self._draining = draining
        self._on_division = on_division
        self._pause = pause
        self._division = ""
        self._left = False
        self._wake = asyncio.Event()

    def renew_now(self) -> None:
        """Renew at once: the gateway drains now, or the others say that something changed."""
        self._wake.set()

    async def run(self) -> None:
        """Renew again and again, until cancelled. Failures never end it."""
        failures = 0
        while not self._left:
            self._wake.clear()
            wait = await self._renew()
            failures = 0 if wait is not None else failures + 1
            if wait is None:
                wait = min(_AT_MOST_S, self._pause(failures))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    async def _renew(self) -> float | None:
        """Renew; return the seconds until the next time, None if that failed."""
        try:
            standing = await self._application.renew(self._url, draining=self._draining())
        except ApplicationError as error:
            if error.final:
                log.error("the application gives no lease: %s", error)
            return None
        except Exception:
            log.exception("the lease was not renewed")
            return None
        if standing.division != self._division:
            self._division = standing.division
            self._on_division()
        return max(0.1, standing.again_ms / 1000)

    async def leave(self) -> None:
        """End the lease, so that the others take over at once; if that fails, when it ends."""
        self._left = True
        with contextlib.suppress(TimeoutError, ApplicationError):
            async with asyncio.timeout(_LEAVES_WITHIN_S):
                await self._application.leave(self._url)
