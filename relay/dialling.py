"""When the agent of a call is dialled: at once, again if it cannot be reached or its connection
breaks, and no longer once an agent has come by itself. Pure: told the time, keeps none.
"""

from __future__ import annotations

from relay.deadlines import Deadlines
from relay.ports import AgentAddress, Port

NAME = "dial"
"""The deadline at which it is dialled."""
PAUSES_S = (0.0, 0.25, 0.5, 1.0, 2.0)
LASTING_S = 10.0
"""A connection that lasted as long did work: what breaks then begins a new count and grace."""


class Dialling:
    """The dialled agent of one call."""

    def __init__(self, deadlines: Deadlines, port: Port) -> None:
        self._deadlines, self._port = deadlines, port
        self._agent: AgentAddress | None = None
        self.stood_down = False
        """An agent has come by itself, or the dialled one has hung up."""
        self._under_way = False
        self._tries = 0
        self._joined_at = 0.0
        self._trouble_since: float | None = None
        self.why = ""
        """Why the last attempt failed."""

    def learn(self, agent: AgentAddress | None) -> None:
        """Where the agent is, as the application says now."""
        self._agent = agent

    def stand_down(self) -> None:
        """Nobody is dialled any more."""
        self.stood_down = True
        self._deadlines.drop(NAME)

    def need(self, now: float) -> None:
        """The call lacks its agent."""
        if self._agent is None or self.stood_down or self._under_way:
            return
        pause = PAUSES_S[min(self._tries, len(PAUSES_S) - 1)]
        self._deadlines.set(NAME, now + pause)

    def due(self) -> None:
        """It is time to dial."""
        self._deadlines.drop(NAME)
        if self._agent is not None and not self.stood_down and not self._under_way:
            self._under_way = True
            self._tries += 1
            self._port.dial(self._agent)

    def unreached(self, why: str) -> None:
        """It was in vain."""
        self._under_way = False
        self.why = why

    def joined(self, now: float) -> None:
        """There it is."""
        self._under_way = False
        self._joined_at = now

    def lost(self, now: float) -> float:
        """Its connection broke. Since when it is in trouble, which is now only if it worked for a
        while: one that breaks again and again is not waited for anew each time.
        """
        since = self._trouble_since
        if since is None or now - self._joined_at >= LASTING_S:
            self._trouble_since = since = now
            self._tries = 0
        return since
