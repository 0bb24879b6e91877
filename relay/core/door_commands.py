"""Carries out what the application commands for a call through the relay's door: drop the queued
audio, press keys, ask the call's agent.
"""

from __future__ import annotations

import msgspec

from relay.core.current_agent import CurrentAgent
from relay.core.interfaces import LIVE
from relay.core.redial import AgentRedial
from relay.core.requests_to_agent import OnReply, RefusedRequestError

_REFUSALS = {
    "held": "the caller is on hold or bridged with another call; resume it first",
    "no_stream": "there is no stream to the caller; ask again in a second",
    "queue_full": "five minutes of audio are queued; clear them first",
    "slow_provider": "the telephone provider does not read; ask again in a second",
}


class DoorCommands:
    """The commands of one call. Each raises RefusedRequestError if it cannot be carried out."""

    def __init__(self, agent: CurrentAgent, redial: AgentRedial) -> None:
        self._agent, self._redial = agent, redial

    @property
    def streaming(self) -> bool:
        """Return whether there is a stream to the caller."""
        return self._agent.to_caller.streaming

    def clear(self, now: float) -> None:
        """Empty the queue of audio, as if the agent had asked for it."""
        if not self.streaming:
            raise _refused("no_stream")
        if self._agent.held:
            raise _refused("held")
        self._agent.marks_unplayed(self._agent.to_caller.clear(now))

    def press(self, digits: str, now: float) -> int:
        """Press keys behind the audio that is queued. Return how many, without the pauses."""
        why = self._agent.to_caller.refusal(now) or (self._agent.held and "held")
        if why is not None:
            raise _refused(why)
        self._agent.to_caller.press(digits, now)
        return len(digits.replace("w", ""))

    def ask(self, id_: str, method: str, params: msgspec.Raw, on_reply: OnReply) -> None:
        """Send the agent a request, or keep it while the agent is being dialled. `on_reply` is
        called once.
        """
        if not self.streaming:
            raise _refused("no_stream")
        if self._agent.leg is None and not self._redial.expects_agent:
            raise RefusedRequestError("no_agent", "the call has no agent")
        self._agent.requests.ask(id_, method, params, on_reply)

    def give_up(self, id_: str) -> bool:
        """Forget a request: nobody waits for its reply. Return whether the agent was sent it."""
        return self._agent.requests.give_up(id_)

    def end(self, state: str) -> None:
        """Answer all requests: the call in this state is over, or has left this relay."""
        if state in LIVE:
            self._agent.requests.end("agent_lost", "the call has left this relay; ask again")
        else:
            self._agent.requests.end("call_over", "the call is over")


def _refused(code: str) -> RefusedRequestError:
    return RefusedRequestError(code, _REFUSALS[code])
