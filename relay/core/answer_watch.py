"""Connects a call's detector of who answered to its audio, and tells the agent and the application
what it finds.

A call without a detector pays nothing. The application asks in its answers until it knows; so what
was found is reported again with each answer that still asks, and another relay goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from relay.core.current_agent import CurrentAgent
from relay.core.deadlines import ANSWER, Deadlines
from relay.core.interfaces import BridgeActions
from relay.core.who_answered import AnswerDetector, Answered, Found, GreetingEnded
from relay.protocol.detection import WantedDetection

LISTEN_S = 1.0
"""Between two looks at the time, in case no audio comes."""
TOLD = 5
"""Times that each thing is reported again while the application still asks for it."""
Receive = Callable[[bytes, float], None]
"""(mu-law from the caller, now)."""


class AnswerWatch:
    """The watch of one call. The time is passed in."""

    def __init__(self, actions: BridgeActions, agent: CurrentAgent, deadlines: Deadlines) -> None:
        self._actions, self._agent, self._deadlines = actions, agent, deadlines
        self._detector: AnswerDetector | None = None
        self._answered: Answered | None = None
        self._ended: GreetingEnded | None = None
        self._left = TOLD

    def follow(self, wanted: WantedDetection | None, now: float) -> None:
        """Find out what the application wants; None: nothing more."""
        if wanted is None:
            self._detector = None
            self._deadlines.cancel(ANSWER)
            return
        if self._detector is None:
            self._detector = AnswerDetector(wanted.until, decided=wanted.answered_by)
            self.listen(now)
        # The last report may be lost, or on its way: to hear it twice costs nothing.
        unknown = self._ended or (self._answered if wanted.answered_by is None else None)
        if unknown is not None and self._left:
            self._left -= 1
            self._actions.answer_found(unknown)

    def listen(self, now: float) -> None:
        """Note the time: a far end that sends no audio at all is silent, too."""
        self._deadlines.cancel(ANSWER)
        detector = self._detector
        if detector is None:
            return
        self._hear(detector, b"", now)
        if not detector.over:
            self._deadlines.set(ANSWER, now + LISTEN_S)

    def _hear(self, detector: AnswerDetector, ulaw: bytes, now: float) -> None:
        for found in detector.hear(ulaw, now):
            self._tell(found)

    def tap(self, receive: Receive) -> Receive:
        """Return the function that takes the caller's audio: `receive`, and the detector while it
        has something to find.
        """
        detector = self._detector
        if detector is None or detector.over:
            return receive

        def listen_and_receive(ulaw: bytes, now: float) -> None:
            if not detector.over:
                self._hear(detector, ulaw, now)
            receive(ulaw, now)

        return listen_and_receive

    def _tell(self, found: Found) -> None:
        messages = self._agent.messages
        self._left = TOLD
        if isinstance(found, Answered):
            self._answered = found
            tell = partial(messages.answered_by, found.by, found.at_ms)
        else:
            self._ended = found
            tell = partial(messages.greeting_ended, found.by, found.at_ms)
        # Between the audio, also that which is kept for an agent to come.
        self._agent.to_agent.tell(tell)
        self._actions.answer_found(found)
