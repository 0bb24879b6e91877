"""Text messages to the agent of a call, bounded: an agent may ask for answers without end.

Complaints are counted, and answers that are never read are: either closes the connection. What is
said while no connection is there is not said.
"""

from __future__ import annotations

from typing import Any

from relay.ports import AgentLeg
from relay.wire.agent import Sids

MAX_ERRORS = 20
MAX_UNREAD = 256 * 1024
"""Bytes of messages to an agent that is choked."""


class Talk:
    """What is said to the agent, in the dialect of its connection."""

    def __init__(self) -> None:
        self._leg: AgentLeg | None = None
        self._errors = 0
        self._unread = 0

    def turn_to(self, leg: AgentLeg | None) -> None:
        """Speak on this connection from now on; its faults are its own."""
        self._leg, self._errors, self._unread = leg, 0, 0

    def start(self, call: dict[str, Any], sids: Sids, *, resumed: bool) -> None:
        """Audio flows from here on."""
        if self._leg is not None:
            for text in self._leg.dialect.start(call, sids, resumed=resumed):
                self._say(text)

    def dtmf(self, digit: str) -> None:
        """The caller pressed a key."""
        if self._leg is not None:
            self._say(self._leg.dialect.dtmf(digit))

    def mark(self, name: str, *, played: bool) -> None:
        """Playout got to a mark, or never will."""
        if self._leg is not None:
            self._say(self._leg.dialect.mark(name, played=played))

    def unplayed(self, names: list[str]) -> None:
        """These marks will not be played."""
        for name in names:
            self.mark(name, played=False)

    def dropped(self, direction: str, ms: int, why: str) -> None:
        """Audio was thrown away."""
        if self._leg is not None:
            self._say(self._leg.dialect.dropped(direction, ms, why))

    def stop(self, reason: str | None, state: str) -> None:
        """The call is over."""
        if self._leg is not None:
            self._say(self._leg.dialect.stop(reason, state))

    def refuse(self, code: str, detail: str) -> bool:
        """Send an `error`. False if the dialect has none."""
        text = None if self._leg is None else self._leg.dialect.error(code, detail)
        self._say(text)
        return text is not None

    def complain(self, code: str, detail: str) -> bool:
        """Send an `error` that counts. False if the dialect has none: then nothing is counted."""
        if not self.refuse(code, detail):
            return False
        self._errors += 1
        if self._leg is not None and self._errors >= MAX_ERRORS:
            self._leg.close(4400, "too many messages that make no sense")
        return True

    def _say(self, text: bytes | None) -> None:
        leg = self._leg
        if leg is None or text is None:
            return
        self._unread = self._unread + len(text) if leg.choked else 0
        if self._unread > MAX_UNREAD:
            leg.close(1008, "messages are not read")
        else:
            leg.send_text(text)
