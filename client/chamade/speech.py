"""Flows that speak and hear in a call with a hosted voice, and their state. No I/O."""

from __future__ import annotations

from collections import deque
from typing import TypeVar, Unpack

from chamade.endings import why_over
from chamade.errors import CallGone, Conflict
from chamade.http.request import Flow, Request, Wait, perform
from chamade.models import Call
from chamade.operations import Calls
from chamade.operations.calls import SpeechOptions
from chamade.speech_models import Said, Utterance
from chamade.speech_models import Transcript as Page

Result = TypeVar("Result")

LISTENS_FOR_S = 20
"""Seconds for which one request waits for somebody to speak."""
CALLER = "caller"

_REPLIES = 100
"""Replies of `say` that are remembered, so that `listen` does not return them again."""
_LOOK_AGAIN_S = 0.5
_LAST_WORDS_S = 0.5
_PAUSE_S = 0.25
_CONNECTS_WITHIN_S = 10.0
_NOT_ANSWERED = frozenset({"connecting", "ringing"})


def settled(call_id: str) -> Flow[Call]:
    """Wait until a call is answered, or over; return it as it is then."""
    while True:
        call = yield from perform(Calls.get.request(call_id))
        if call.state not in _NOT_ANSWERED:
            return call
        yield Wait(_LOOK_AGAIN_S)


def in_call(call_id: str, request: Request[Result]) -> Flow[Result]:
    """Send a request about a call that is up. Raises CallGone if it is over, Conflict if it is not
    answered yet. The voice host connects just after the answer, for which this waits.
    """
    waited = 0.0
    while True:
        try:
            return (yield from perform(request))
        except Conflict as conflict:
            call = conflict.call or (yield from perform(Calls.get.request(call_id)))
            if call.over:
                raise _gone(call) from None
            if conflict.code != "no_media" or waited >= _CONNECTS_WITHIN_S:
                raise
        waited += _PAUSE_S
        yield Wait(_PAUSE_S)


class Speech:
    """The words of one call: those said, and those heard."""

    def __init__(self) -> None:
        self._after: int | None = None
        self._waiting: deque[Said] = deque()
        self._replies: deque[int] = deque(maxlen=_REPLIES)

    def say(self, call_id: str, text: str, **options: Unpack[SpeechOptions]) -> Flow[Utterance]:
        """Have a text spoken."""
        said = yield from in_call(call_id, Calls.say.request(call_id, text, **options))
        if said.reply is not None:
            self._replies.append(said.reply.started_ms)
        return said

    def listen(self, call_id: str, wait_s: float) -> Flow[Said | None]:
        """Wait until the caller has said something that neither this nor a reply of `say` has
        returned; None if they are silent for `wait_s`. Raises CallGone if the call is over.
        """
        while True:
            while self._waiting:
                said = self._waiting.popleft()
                if said.speaker == CALLER and said.started_ms not in self._replies:
                    return said
            page = yield from perform(_reading(call_id, self._after, wait_s))
            if page.entries:
                self._waiting.extend(page.entries)
                self._after = page.next
            elif page.over:
                raise _gone((yield from perform(Calls.get.request(call_id))))
            else:
                return None


class Transcript:
    """A reader of a call's transcript, up to the end of the call."""

    def __init__(self, call_id: str, after: int | None = None) -> None:
        self._call_id, self._after = call_id, after
        self._waiting: deque[Said] = deque()
        self._over = False

    def next(self, *, follow: bool = True) -> Flow[Said | None]:
        """Return the next entry; None if none follows: the call is over, or, without `follow`, all
        that there is was returned.
        """
        while not self._waiting:
            wait_s = LISTENS_FOR_S if follow and not self._over else None
            page = yield from perform(_reading(self._call_id, self._after, wait_s))
            if page.entries:
                self._waiting.extend(page.entries)
                self._after = page.next
            elif self._over or not follow:
                return None
            elif page.over:
                # What was said last may be reported just after the end: look once more.
                self._over = True
                yield Wait(_LAST_WORDS_S)
        return self._waiting.popleft()


def _reading(call_id: str, after: int | None, wait_s: float | None) -> Request[Page]:
    return Calls.transcript.request(call_id, after=after, wait=wait_s)


def _gone(call: Call) -> CallGone:
    return CallGone(call.call_id, why_over(call.end_reason), call.end_reason)
