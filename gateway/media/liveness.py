"""Notice a media server that has gone silent while its socket stays open: a process that hangs, or
a machine that is cut off. Nothing closes such a socket.

No I/O. `look` is called a few times a second with the time (seconds on any monotonic clock); it
asks for a ping after some silence, and gives the server up when nothing follows that either.
"""

from __future__ import annotations

from typing import Literal

LOOK_S = 0.2
"""Seconds between two looks."""
PING_AFTER_S = 0.4
"""Silence after which the server is pinged: it has nothing to say while the agent listens."""
HUNG_AFTER_S = 1.2
"""Silence after which the server is given up. A call must have its audio again within two seconds,
of which another stream takes a few tenths. A relay whose event loop is a second late carries no
call any more."""
_LATE_S = 3 * LOOK_S
"""A look that is this late was held up here, and what came meanwhile may wait to be read."""

Verdict = Literal["well", "ping", "hung"]


class Liveness:
    """The silence of one server. Set `heard` whenever anything comes from it."""

    def __init__(self, now: float) -> None:
        self.heard = False
        self._heard_at = self._looked_at = now
        self._pinged = False

    def look(self, now: float) -> Verdict:
        """Return what is to be done: nothing, a ping, or the server is to be given up."""
        late = now - self._looked_at >= _LATE_S
        self._looked_at = now
        if self.heard or late:
            # After a stall of our own the ping is asked for anew: an answer may be on its way.
            self.heard = self._pinged = False
            self._heard_at = now
            return "well"
        silence = now - self._heard_at
        if silence >= HUNG_AFTER_S and self._pinged:
            return "hung"
        if silence >= PING_AFTER_S and not self._pinged:
            self._pinged = True
            return "ping"
        return "well"
