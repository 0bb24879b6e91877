"""How often the application is asked how a call is, and for how long in vain.

With a stream up it is asked now and then, as the call may have been ended elsewhere without
anybody telling us; without one soon and often. Pure: told the time, keeps none.
"""

from __future__ import annotations

from collections.abc import Callable

from relay.config import Graces

_STEPS_S = (0.25, 0.5, 1.0)


class Watch:
    """The watch over one call."""

    def __init__(self, graces: Graces, spread: Callable[[], float]) -> None:
        self._graces = graces
        self._spread = spread
        """Anything from 0 to 1, lest many calls ask at once."""
        self._step = len(_STEPS_S) - 1
        self._silent_since: float | None = None

    def lost(self) -> None:
        """The stream went."""
        self._step = 0
        self._silent_since = None

    def wait(self, *, streaming: bool) -> float:
        """Seconds until it is to be asked again."""
        if streaming:
            return self._graces.watch * (1 + self._spread() / 2)
        step, self._step = self._step, min(self._step + 1, len(_STEPS_S) - 1)
        return _STEPS_S[step]

    def heard(self) -> None:
        """The application has answered something."""
        self._silent_since = None

    def silent(self, now: float, *, streaming: bool) -> bool:
        """It has not. True if that is to be borne no longer; while audio flows, it is."""
        if streaming:
            return False
        if self._silent_since is None:
            self._silent_since = now
        return now - self._silent_since >= self._graces.unreachable
