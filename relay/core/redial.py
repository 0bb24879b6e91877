"""Dialling of a call's agent: at once, again if that fails or its connection breaks, and no more
once an agent has connected by itself. The time is passed in.
"""

from __future__ import annotations

from relay.core.deadlines import DIAL, Deadlines
from relay.core.interfaces import AgentAddress, BridgeActions

PAUSES_S = (0.0, 0.25, 0.5, 1.0, 2.0)
"""Pauses before each dial, or before each round of dials if the agent has several addresses; the
last one repeats."""
LASTING_S = 10.0
"""A connection that lasted this long has worked: when it breaks, the pauses and the time for coming
back begin anew."""


class AgentRedial:
    """The dialled agent of one call."""

    def __init__(self, deadlines: Deadlines, actions: BridgeActions) -> None:
        self._deadlines, self._actions = deadlines, actions
        self._agent: AgentAddress | None = None
        self.stopped = False
        """True once an agent has connected by itself, or the dialled one has hung up."""
        self.paused = False
        """True while the call shall have no agent, as its line says."""
        self._under_way = False
        self._tries = 0
        self._turn = 0
        """Counts the dials of the whole call: each goes to the next of the addresses."""
        self._joined_at = 0.0
        self._broken_since: float | None = None
        self.failure = ""
        """The reason why the last dial failed; "" once an agent is there."""
        self._told = ""
        """The failure that the application knows of; "" for none."""

    def set_told(self, detail: str) -> None:
        """Take what the application shows about the agent, as another relay may have told it."""
        self._told = detail

    @property
    def expects_agent(self) -> bool:
        """Return whether an agent is dialled, as often as needed, or is there."""
        return self._agent is not None and not self.stopped and not self.paused

    @property
    def has_others(self) -> bool:
        """Return whether there is another address when one of them is hopeless."""
        return self._agent is not None and bool(self._agent.others)

    def set_address(self, agent: AgentAddress | None) -> None:
        """Set the address at which the agent is dialled; None: it is not dialled."""
        self._agent = agent

    def stop(self) -> None:
        """Dial nobody any more."""
        self.stopped = True
        self._deadlines.cancel(DIAL)
        self._tell("")

    def pause(self) -> None:
        """Dial nobody until `resume`. What is under way is turned away when it joins."""
        self.paused = True
        self._deadlines.cancel(DIAL)

    def resume(self) -> None:
        """Dial again, when it is scheduled."""
        self.paused = False

    def turned_away(self) -> None:
        """Note that the dialled agent came and was not wanted."""
        self._under_way = False

    def schedule(self, now: float) -> None:
        """Set the deadline of the next dial: the call has no agent."""
        if self._agent is None or self.stopped or self.paused or self._under_way:
            return
        rounds = self._tries // (1 + len(self._agent.others))
        pause = PAUSES_S[min(rounds, len(PAUSES_S) - 1)]
        self._deadlines.set(DIAL, now + pause)

    def dial(self) -> None:
        """Dial the agent, unless dialling has stopped or a dial is under way."""
        self._deadlines.cancel(DIAL)
        agent = self._agent
        if agent is None or self.stopped or self.paused or self._under_way:
            return
        self._under_way = True
        self._tries += 1
        self._turn += 1
        self._actions.dial(agent.at(self._turn - 1))

    def failed(self, why: str) -> None:
        """Note that a dial has failed. Tell the application why, unless an agent has come by itself
        meanwhile.
        """
        self._under_way = False
        if not self.stopped:
            self._tell(why)

    def joined(self, now: float) -> None:
        """Note that the dialled agent has joined."""
        self._under_way = False
        self._tell("")
        self._joined_at = now

    def lost(self, now: float) -> float:
        """Note that the connection broke. Return the time from which `agent_back` counts: now, if
        the connection had worked for a while, or the first of several breaks in a row.
        """
        since = self._broken_since
        if since is None or now - self._joined_at >= LASTING_S:
            self._broken_since = since = now
            self._tries = 0
        return since

    def _tell(self, failure: str) -> None:
        """Report a failure that is new, or that there is none any more: not each of many dials."""
        self.failure = failure
        if failure != self._told:
            self._told = failure
            self._actions.tell_of_agent(failure)
