"""Follows whether the far end has put the call on hold, and tells it, at a pace.

A far end may change its mind with each packet, and each change told costs the application a write:
beyond a burst the last state is told after a pause. Nothing is told before the call is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.calls.pace import Pace

HOLDS_A_SECOND, HOLDS_BURST = 1 / 30, 20.0
"""Limit of the changes of one far end that are told."""


class FarEndHold:
    """The hold of one call. `tell` gets each new state."""

    def __init__(self, tell: Callable[[bool], None]) -> None:
        self._tell = tell
        self._held = self._told = False
        self._begun = False
        self._pace = Pace(HOLDS_A_SECOND, HOLDS_BURST)
        self._timer: asyncio.TimerHandle | None = None

    def change(self, held: bool) -> None:
        """Note the state that was agreed on; tell it if it is new."""
        self._held = held
        self._settle()

    def begin(self) -> None:
        """Tell from now on: the call is answered."""
        self._begun = True
        self._settle()

    def stop(self) -> None:
        """Tell nothing more."""
        self._begun = False
        if self._timer is not None:
            self._timer.cancel()

    def _settle(self) -> None:
        if not self._begun or self._timer is not None or self._held == self._told:
            return
        if self._pace.take():
            self._told = self._held
            self._tell(self._held)
        else:
            self._timer = asyncio.get_running_loop().call_later(1 / HOLDS_A_SECOND, self._again)

    def _again(self) -> None:
        self._timer = None
        self._settle()
