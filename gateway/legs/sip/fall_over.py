"""The decision which of a call's routes is tried next. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum

from gateway.calls.leg import Route

HEARD_WITHIN = 6.0
"""Seconds in which a carrier must have said anything about an INVITE, if there is another route."""

_GOES_ON = frozenset({401, 403, 407, 408, *range(500, 600)})
"""Final answers that are about the trunk and not about the called party. A 403 comes here when
there is no other way to dial by the trunk (`dialled_leg.py`)."""


class Fitness(Enum):
    """The fitness of a route's trunk to be dialled by."""

    UP = "registered, or answers"
    DOWN = "connected, but neither registered nor known to answer"
    UNFIT = "not connected, or full"


class FallOver:
    """The routes of one call: which are left, and whether the call may still go on to one.

    `fitness` is asked when a route is about to be tried. A trunk that is down is tried only if no
    other is up: a call by it may well be taken, but nobody knows.
    """

    def __init__(self, routes: Sequence[Route], fitness: Callable[[Route], Fitness]) -> None:
        self._left = list(routes)
        self._fitness = fitness
        self._tried = False
        self._settled = False

    def next(self) -> Route | None:
        """Return the route to try now; None if none is left. It is not returned again."""
        chosen = None if self._settled else self._first(Fitness.UP)
        if chosen is None and not self._tried and not self._settled:
            chosen = self._first(Fitness.DOWN)
        if chosen is not None:
            del self._left[: self._left.index(chosen) + 1]
            self._tried = True
        return chosen

    @property
    def more(self) -> bool:
        """Return whether another route could be tried now."""
        return not self._settled and self._first(Fitness.UP) is not None

    def settle(self) -> None:
        """Stay with the present route: it rings, it is answered, or the caller has given up."""
        self._settled = True

    def goes_on(self, sip_code: int) -> bool:
        """Return whether a call that was refused may go on to another route."""
        return not self._settled and sip_code in _GOES_ON

    def _first(self, wanted: Fitness) -> Route | None:
        return next((each for each in self._left if self._fitness(each) is wanted), None)
