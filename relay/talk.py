"""Text messages to the agent of a call, bounded: an agent may ask for answers without end.

Complaints are counted, and answers that are never read are: either closes the connection. What is
said while no connection is there is not said.
"""

from __future__ import annotations

from relay.ports import AgentLeg
from relay.wire import agent as protocol

MAX_ERRORS = 20
MAX_UNREAD = 256 * 1024
"""Bytes of messages to an agent that is choked."""


class Talk:
    """What is said to the agent."""

    def __init__(self) -> None:
        self._leg: AgentLeg | None = None
        self._errors = 0
        self._unread = 0

    def turn_to(self, leg: AgentLeg | None) -> None:
        """Speak on this connection from now on; its faults are its own."""
        self._leg, self._errors, self._unread = leg, 0, 0

    def say(self, text: bytes) -> None:
        """Send a message."""
        leg = self._leg
        if leg is None:
            return
        self._unread = self._unread + len(text) if leg.choked else 0
        if self._unread > MAX_UNREAD:
            leg.close(1008, "messages are not read")
        else:
            leg.send_text(text)

    def unplayed(self, names: list[str]) -> None:
        """These marks will not be played."""
        for name in names:
            self.say(protocol.mark(name, played=False))

    def complain(self, code: str, detail: str) -> None:
        """Send an `error` that counts."""
        self.say(protocol.error(code, detail))
        self._errors += 1
        if self._leg is not None and self._errors >= MAX_ERRORS:
            self._leg.close(4400, "too many messages that make no sense")
