"""Deadlines of a call: at most one of each name. The time is passed in.

`wake_at` is called with the time at which the next one is due; waking too often or too early does
no harm. A deadline that has fired stays known until it is set again or cancelled, so that a late
answer to its report can be told from one that is still wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf

WATCH = "watch"
"""Report to learn the call's status, as it may have been ended elsewhere (`status_polling.py`)."""
NO_AGENT = "no_agent"
"""Report that the stream is up and no agent has ever come."""
AGENT_LOST = "agent_lost"
"""Report that the agent's socket was lost and did not come back."""
MEDIA_LOST = "media_lost"
"""Report that the stream was lost and no other came."""
DURATION_OVER = "max_duration"
"""Report that the call has reached its longest duration."""
AGENT_HANGUP = "agent_hangup"
"""Report that the agent hangs up; due at once."""
TELL_DROPPED = "tell_dropped"
"""No report: tell the agent about dropped audio."""
DIAL = "dial"
"""No report: dial the agent."""
SOURCE = "source"
"""No report: send the next piece of what a caller on hold hears."""
PEER = "peer"
"""No report: connect to the other call of a bridge."""
ANSWER = "answer"
"""No report: note that time passes for the detector of who answered."""

_FIRED = inf


class Deadlines:
    """The deadlines of one call, by name."""

    def __init__(self, wake_at: Callable[[float], None]) -> None:
        self._wake_at = wake_at
        self._at: dict[str, float] = {}
        self._armed = inf

    def __contains__(self, name: str) -> bool:
        return name in self._at

    def set(self, name: str, at: float) -> None:
        """Set the deadline `name` to `at`, in place of any earlier one."""
        self._at[name] = at
        if at < self._armed:
            self._armed = at
            self._wake_at(at)

    def cancel(self, *names: str) -> None:
        """Cancel these deadlines."""
        for name in names:
            self._at.pop(name, None)

    def clear(self) -> None:
        """Cancel all deadlines."""
        self._at.clear()

    def fired(self, name: str) -> bool:
        """Return whether `name` has fired and was neither set again nor cancelled since."""
        return self._at.get(name) == _FIRED

    def due(self, now: float) -> Iterator[str]:
        """Yield the deadlines that are due, marked as fired; then ask to be woken for the next."""
        self._armed = inf
        for name in list(self._at):
            # Looked up again: handling one may have cancelled or moved another.
            if self._at.get(name, inf) <= now:
                self._at[name] = _FIRED
                yield name
        following = min(self._at.values(), default=inf)
        if following < self._armed:
            self._armed = following
            self._wake_at(following)
