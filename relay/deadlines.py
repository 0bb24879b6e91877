"""A call's deadlines: what is to be done at what time, by name. Pure: told the time, keeps none.

Whoever owns the clock is told by `wake_at` when the next one is due; being woken too often or too
early does no harm. A deadline that has come stays *asked* until it is set again or dropped, so
that an answer which comes late can be told from one that is still wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf

_ASKED = inf


class Deadlines:
    """At most one deadline a name."""

    def __init__(self, wake_at: Callable[[float], None]) -> None:
        self._wake_at = wake_at
        self._at: dict[str, float] = {}
        self._armed = inf

    def __contains__(self, name: str) -> bool:
        return name in self._at

    def set(self, name: str, at: float) -> None:
        """`name` is due at `at`, whatever was set before."""
        self._at[name] = at
        if at < self._armed:
            self._armed = at
            self._wake_at(at)

    def drop(self, *names: str) -> None:
        """These are not wanted any more."""
        for name in names:
            self._at.pop(name, None)

    def clear(self) -> None:
        """None is."""
        self._at.clear()

    def asked(self, name: str) -> bool:
        """True if `name` has come due and was neither set again nor dropped since."""
        return self._at.get(name) == _ASKED

    def due(self, now: float) -> Iterator[str]:
        """What has come due, marking it as asked; then asks to be woken for the next."""
        self._armed = inf
        for name in list(self._at):
            # Looked up again: handling one may have dropped or moved another.
            if self._at.get(name, inf) <= now:
                self._at[name] = _ASKED
                yield name
        following = min(self._at.values(), default=inf)
        if following < self._armed:
            self._armed = following
            self._wake_at(following)
