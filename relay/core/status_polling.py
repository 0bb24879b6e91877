"""The pace of status reports, by which a relay learns whether a call has been ended elsewhere.

With a stream up one is due now and then; without one they come soon and often: 0.25, 0.5, 1, 1, …
seconds after the stream was lost, and every second before the first stream. The time is passed in.
"""

from __future__ import annotations

from collections.abc import Callable

from relay.core.timeouts import Timeouts

_STEPS_S = (0.25, 0.5, 1.0)


class StatusPolling:
    """The status reports of one call."""

    def __init__(self, timeouts: Timeouts, spread: Callable[[], float]) -> None:
        self._timeouts = timeouts
        self._spread = spread
        """Returns a random number from 0 to 1, so that many calls do not report at once."""
        self._step = len(_STEPS_S) - 1
        self._unanswered_since: float | None = None

    def stream_lost(self) -> None:
        """Report soon and often from now on."""
        self._step = 0
        self._unanswered_since = None

    def wait(self, *, streaming: bool) -> float:
        """Return the seconds until the next status report."""
        if streaming:
            return self._timeouts.watch * (1 + self._spread() / 2)
        step, self._step = self._step, min(self._step + 1, len(_STEPS_S) - 1)
        return _STEPS_S[step]

    def answered(self) -> None:
        """Note that the application has answered."""
        self._unanswered_since = None

    def unanswered(self, now: float, *, streaming: bool) -> bool:
        """Note that the application has not answered. Return True once it has been silent for too
        long; never while a stream is up.
        """
        if streaming:
            return False
        if self._unanswered_since is None:
            self._unanswered_since = now
        return now - self._unanswered_since >= self._timeouts.unreachable
