"""Messages between a call and its agent, in the dialect of the agent's connection.

`AgentMessages` sends to the agent, `AgentRequests` carries out what the agent asks for. Both are
bounded: an agent may ask for answers without end, and never read them. The time is passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from relay.core.agent_to_caller import AgentToCaller
from relay.core.interfaces import AgentLeg
from relay.core.playout_estimate import MAX_MARKS
from relay.protocol.agent import BadMessageError, Clear, Hangup, Mark, Reply, Sids

MAX_ERRORS = 20
MAX_UNREAD = 256 * 1024
"""Bytes of messages that are queued for an agent while it is choked."""
TEXT_COST_S = 0.1
"""Seconds of unheard audio that a text message counts as: so a hundred a second are read."""


class AgentMessages:
    """Sends messages to the agent's connection, or nowhere while there is none.

    Too many errors close the connection, and so do too many bytes that the agent does not read.
    """

    def __init__(self) -> None:
        self._leg: AgentLeg | None = None
        self._errors = 0
        self._unread = 0

    def attach(self, leg: AgentLeg | None) -> None:
        """Send on this connection from now on; both counts begin anew."""
        self._leg, self._errors, self._unread = leg, 0, 0

    def start(self, call: dict[str, Any], sids: Sids, *, resumed: bool) -> None:
        """Tell the agent that audio flows from here on."""
        if self._leg is not None:
            for text in self._leg.dialect.start(call, sids, resumed=resumed):
                self._send(text)

    def dtmf(self, digit: str) -> None:
        """Tell the agent that the caller pressed a key."""
        if self._leg is not None:
            self._send(self._leg.dialect.dtmf(digit))

    def mark(self, name: str, *, played: bool) -> None:
        """Tell the agent that playout has reached a mark, or never will."""
        if self._leg is not None:
            self._send(self._leg.dialect.mark(name, played=played))

    def unplayed(self, names: list[str]) -> None:
        """Tell the agent that these marks will not be played."""
        for name in names:
            self.mark(name, played=False)

    def dropped(self, direction: str, ms: int, why: str, keys: int) -> None:
        """Tell the agent that audio or keys were dropped."""
        if self._leg is not None:
            self._send(self._leg.dialect.dropped(direction, ms, why, keys))

    def warning(self, code: str, detail: str) -> None:
        """Tell the agent that it seems to make a mistake."""
        if self._leg is not None:
            self._send(self._leg.dialect.warning(code, detail))

    def request(self, text: bytes) -> None:
        """Send the agent a request that is encoded in its dialect."""
        self._send(text)

    def stop(self, reason: str | None, state: str) -> None:
        """Tell the agent that the call is over."""
        if self._leg is not None:
            self._send(self._leg.dialect.stop(reason, state))

    def held(self, why: str) -> None:
        """Tell the agent that the caller does not hear it, nor it the caller."""
        if self._leg is not None:
            self._send(self._leg.dialect.held(why))

    def unheld(self, ms: int) -> None:
        """Tell the agent that they hear each other again, after `ms` that were left out."""
        if self._leg is not None:
            self._send(self._leg.dialect.unheld(ms))

    def answered_by(self, by: str, at_ms: int) -> None:
        """Tell the agent who answered the call."""
        if self._leg is not None:
            self._send(self._leg.dialect.answered_by(by, at_ms))

    def greeting_ended(self, by: str, at_ms: int) -> None:
        """Tell the agent that a machine's greeting is over."""
        if self._leg is not None:
            self._send(self._leg.dialect.greeting_ended(by, at_ms))

    def error(self, code: str, detail: str) -> bool:
        """Send an `error`. Return False if the dialect has none."""
        text = None if self._leg is None else self._leg.dialect.error(code, detail)
        self._send(text)
        return text is not None

    def counted_error(self, code: str, detail: str) -> bool:
        """Send an `error` and count it. Return False, uncounted, if the dialect has none."""
        if not self.error(code, detail):
            return False
        self._errors += 1
        if self._leg is not None and self._errors >= MAX_ERRORS:
            self._leg.close(4400, "too many messages that make no sense")
        return True

    def _send(self, text: bytes | None) -> None:
        leg = self._leg
        if leg is None or text is None:
            return
        self._unread = self._unread + len(text) if leg.choked else 0
        if self._unread > MAX_UNREAD:
            leg.close(1008, "messages are not read")
        else:
            leg.send_text(text)


class AgentRequests:
    """Carries out what the agent asks for by message, in either dialect, or answers why not.

    `hang_up(now)` and `on_reply` are called for what is not carried out here: the end of the call,
    and the agent's replies to requests of ours.
    """

    def __init__(
        self,
        audio: AgentToCaller,
        messages: AgentMessages,
        hang_up: Callable[[float], None],
        on_reply: Callable[[Reply], None],
    ) -> None:
        self._audio, self._messages = audio, messages
        self._hang_up, self._on_reply = hang_up, on_reply

    def handle(
        self,
        agent: AgentLeg,
        text: bytes | memoryview,
        now: float,
        *,
        started: bool,
        held: bool = False,
    ) -> None:
        """Handle a text message of `agent`; `started`: it has been sent its `start`; `held`: the
        caller hears something else.
        """
        self._audio.charge(TEXT_COST_S, now)
        try:
            message = agent.dialect.parse(text)
        except BadMessageError as error:
            self._messages.counted_error(error.code, str(error))
            return
        if isinstance(message, Reply):
            self._on_reply(message)
        elif isinstance(message, Hangup):
            self._hang_up(now)
        elif isinstance(message, Clear):
            # While it is held nothing of the agent's is queued, and nothing else is its to drop.
            if held:
                return
            self._messages.unplayed(self._audio.clear(now))
        elif not started:
            self._messages.error("not_started", "wait for start")
        elif isinstance(message, Mark):
            if held:
                self._messages.unplayed([message.name])
            else:
                self._set_mark(message.name)
        elif held:
            self._messages.error("held", "the caller is on hold; wait for unheld")
        else:
            self._audio.press(message.digits, now)

    def _set_mark(self, name: str) -> None:
        is_set = self._audio.mark(name)
        if is_set:
            return
        too_many = is_set is not None
        detail = f"{MAX_MARKS} marks are outstanding"
        if too_many and self._messages.counted_error("too_many_marks", detail):
            return
        # There is no stream, or the dialect has no way to say that there are too many.
        self._messages.unplayed([name])
