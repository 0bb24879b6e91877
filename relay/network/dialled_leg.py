"""The sockets of agents to which the relay connects, in either dialect."""

from __future__ import annotations

from picows import WSTransport

from relay.core.bridge import Bridge
from relay.core.interfaces import AgentAddress
from relay.network.agent_leg import AgentSocket
from relay.network.calls import Calls
from relay.network.leg import now
from relay.network.twilio_agent_leg import TwilioAgentSocket
from relay.protocol.agent import AudioFormat, ChamadeDialect, choose_format

_OK = 1000
_HUNG_UP = (_OK, 0)
"""Close codes by which an agent hangs up; 0: CLOSE without a code."""
_MISTAKES = range(1002, 1011)
"""Close codes that tell an agent its mistake; others tell it whether to connect again."""


class DialledAgent(AgentSocket):
    """A connection that the relay opened to an agent."""

    dialled = True
    bridge_to_join: Bridge
    _given_up = False

    def give_up(self) -> None:
        """Disconnect as soon as it opens, if it ever does: dialling took too long."""
        self._given_up = True

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Join the call: the agent has accepted the handshake."""
        if self._given_up:
            transport.disconnect(False)
        else:
            super().on_ws_connected(transport)
            self.join(self.bridge_to_join)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Clean up: the socket is gone, whoever closed it."""
        if not self._given_up:
            super().on_ws_disconnected(transport)

    async def _admit(self) -> None:
        """Do nothing: the application itself named the agent."""

    def on_gone(self) -> None:
        """Leave the call. As with Twilio, an agent hangs up by closing its socket normally."""
        if self.bridge is not None:
            self.bridge.agent_gone(self, now(), hung_up=self.close_code in _HUNG_UP)
            self.bridge = None


class DialledTwilioAgent(DialledAgent, TwilioAgentSocket):
    """A connection to an agent that speaks Twilio Media Streams."""

    def close(self, code: int, reason: str) -> None:
        """Send `stop` and CLOSE.

        A dialled agent cannot connect again by itself, so it gets no code that asks for that.
        """
        if self.closing:
            return
        stop = self.dialect.stop()
        if stop is not None:
            self.send_text(stop)
        super().close(code if code in _MISTAKES else _OK, reason)


class DialledChamadeAgent(DialledAgent):
    """A connection to an agent that speaks our own protocol, and answers requests.

    It gets the close code as it is: only 1000 means that the call is over.
    """

    def __init__(self, calls: Calls, call_id: str, token: str, audio: AudioFormat) -> None:
        super().__init__(calls, call_id, token, audio)
        self.dialect = ChamadeDialect(audio, takes_requests=True)


def dialled_leg(calls: Calls, call_id: str, bridge: Bridge, agent: AgentAddress) -> DialledAgent:
    """Make the socket for an agent that is about to be dialled. ValueError: there is no such format
    of audio.
    """
    leg: DialledAgent
    if agent.dialect == "chamade":
        audio = choose_format(None, agent.format, str(agent.rate))
        leg = DialledChamadeAgent(calls, call_id, "", audio)
    else:
        leg = DialledTwilioAgent(calls, call_id, "")
    leg.bridge_to_join = bridge
    return leg
