"""Text messages to one connection of an agent, bounded: an agent may ask for answers without end.

Complaints are counted, and answers that are never read are: either closes the connection.
"""

from __future__ import annotations

from relay.ports import AgentLeg
from relay.wire import agent as protocol

MAX_ERRORS = 20
MAX_UNREAD = 256 * 1024
"""Bytes of messages to an agent that is choked."""


class Talk:
    """What is said on one connection."""

    def __init__(self, leg: AgentLeg) -> None:
        self._leg = leg
        self._errors = 0
        self._unread = 0

    def say(self, text: bytes) -> None:
        """Send a message."""
        self._unread = self._unread + len(text) if self._leg.choked else 0
        if self._unread > MAX_UNREAD:
            self._leg.close(1008, "messages are not read")
        else:
            self._leg.send_text(text)

    def complain(self, code: str, detail: str) -> None:
        """Send an `error` that counts."""
        self.say(protocol.error(code, detail))
        self._errors += 1
        if self._errors >= MAX_ERRORS:
            self._leg.close(4400, "too many messages that make no sense")
