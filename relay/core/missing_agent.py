"""The time for which a call has had no agent, and the report that it leads to.

It does not run while the caller is on hold or bridged: then it begins anew when the agent is wanted
again. The time is passed in.
"""

from __future__ import annotations

from relay.core.deadlines import AGENT_LOST, NO_AGENT, Deadlines
from relay.core.redial import AgentRedial
from relay.core.timeouts import Timeouts


class MissingAgent:
    """The deadline `no_agent` or `agent_lost` of one call, or neither."""

    def __init__(self, deadlines: Deadlines, timeouts: Timeouts, redial: AgentRedial) -> None:
        self._deadlines, self._redial = deadlines, redial
        self._waits = {NO_AGENT: timeouts.agent_first, AGENT_LOST: timeouts.agent_back}
        self._name: str | None = None
        self._suspended = False
        self._hopeless = False

    def never_came(self, now: float) -> None:
        """Wait for the first agent, unless one was lost: there is a stream."""
        if self._name != AGENT_LOST:
            self._wait(NO_AGENT, now)

    def lost(self, since: float) -> None:
        """Wait for an agent that was there until then."""
        self._wait(AGENT_LOST, since)

    def found(self) -> None:
        """Wait no more: the agent is there."""
        self._name, self._hopeless = None, False
        self._deadlines.cancel(AGENT_LOST, NO_AGENT)

    def stream_lost(self) -> None:
        """Wait for no first agent until there is a stream again."""
        if self._name == NO_AGENT:
            self.found()

    def give_up(self, now: float) -> None:
        """Report it at once, or when it counts again: no agent can come."""
        name = self._name = self._name or NO_AGENT
        self._hopeless = True
        if not self._suspended:
            self._deadlines.set(name, now)

    def suspend(self) -> None:
        """Report nothing from now on, however long the agent is away."""
        self._suspended = True
        self._deadlines.cancel(AGENT_LOST, NO_AGENT)

    def resume(self, now: float) -> None:
        """Let an agent that is missing have its whole time from now on."""
        if self._suspended:
            self._suspended = False
            if self._name is not None and self._hopeless:
                self._deadlines.set(self._name, now)
            elif self._name is not None:
                self._wait(self._name, now)

    def hung_up(self, now: float) -> None:
        """Dial nobody any more: the agent has hung up, and the call goes on without it."""
        self._redial.stop()
        self.lost(now)

    def forgo(self) -> None:
        """Miss and dial nobody: the call shall have no agent."""
        self._redial.pause()
        self.suspend()
        self.found()

    def want_again(self, now: float, *, streaming: bool) -> None:
        """Want an agent after there was to be none: it is missed, and dialled if there is a
        stream.
        """
        self._redial.resume()
        self.lost(now)
        if streaming:
            self._redial.schedule(now)

    def _wait(self, name: str, since: float) -> None:
        self._name = name
        if not self._suspended:
            self._deadlines.set(name, since + self._waits[name])
