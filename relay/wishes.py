"""What the agent of a call asks for by message, in either dialect: done, or it is said why not."""

from __future__ import annotations

from collections.abc import Callable

from relay.playout import MAX_MARKS
from relay.ports import AgentLeg
from relay.speech import Speech
from relay.talk import Talk
from relay.wire import agent as protocol

TEXT_COST_S = 0.1
"""What a text counts for in the budget of what nobody hears: a hundred a second are read."""


class Wishes:
    """The wishes of one call's agent. `hang_up(now)` is what it does not do itself."""

    def __init__(self, speech: Speech, talk: Talk, hang_up: Callable[[float], None]) -> None:
        self._speech, self._talk, self._hang_up = speech, talk, hang_up

    def heed(self, agent: AgentLeg, text: bytes | memoryview, now: float, *, started: bool) -> None:
        """A text message of `agent`, which has (`started`) or has not had its `start`."""
        self._speech.wasted(TEXT_COST_S, now)
        try:
            message = agent.dialect.parse(text)
        except protocol.BadMessageError as error:
            self._talk.complain(error.code, str(error))
            return
        if isinstance(message, protocol.Hangup):
            self._hang_up(now)
        elif isinstance(message, protocol.Clear):
            self._talk.unplayed(self._speech.clear(now))
        elif not started:
            self._talk.refuse("not_started", "wait for start")
        elif isinstance(message, protocol.Mark):
            self._mark(message.name)
        else:
            self._speech.tones(message.digits, now)

    def _mark(self, name: str) -> None:
        taken = self._speech.mark(name)
        if taken:
            return
        too_many = taken is not None
        if too_many and self._talk.complain("too_many_marks", f"{MAX_MARKS} marks are outstanding"):
            return
        # There is no stream, or no way to say that there are too many.
        self._talk.unplayed([name])
