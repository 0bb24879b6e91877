"""Speak and hear by text: the part of live calls that both clients have."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Unpack

from chamade.http.shells import Awaiting, Blocking
from chamade.models import Call
from chamade.operations import Calls
from chamade.operations.calls import SpeechOptions
from chamade.speech import LISTENS_FOR_S, Speech, Transcript, in_call
from chamade.speech_models import Said, Utterance


class AsyncSpoken:
    """The part of `AsyncLiveCall` that speaks and hears by text, where the call's `voice` is
    `hosted`. All methods raise CallGone once the call is over.
    """

    info: Call
    _shell: Awaiting

    def __init__(self) -> None:
        self._speech = Speech()

    async def say(self, text: str, **options: Unpack[SpeechOptions]) -> Utterance:
        """Have a text spoken, after what was said before. With `wait` it returns when the text was
        heard, or cut short; with `wait_for_reply_s` when the caller has replied, or was silent for
        that long. See `SpeechOptions`. Raises Conflict, `not_hosted`, if the call has
        a voice of your own.
        """
        return await self._shell.run(self._speech.say(self.info.call_id, text, **options))

    async def listen(self, wait_s: float = LISTENS_FOR_S) -> Said | None:
        """Wait for what the caller says next; None if they are silent for `wait_s`, at most 20.
        What `say` has returned as a reply does not come again.
        """
        return await self._shell.run(self._speech.listen(self.info.call_id, wait_s))

    async def transcript(self, after: int | None = None) -> AsyncIterator[Said]:
        """Yield what both sides say, from the beginning or after an entry's `sequence`, until the
        call is over.
        """
        async for said in said_later(self._shell, self.info.call_id, after):
            yield said

    async def clear(self) -> None:
        """Stop what is spoken, and drop what waits to be: barge-in."""
        call_id = self.info.call_id
        await self._shell.run(in_call(call_id, Calls.clear.request(call_id)))

    async def dtmf(self, digits: str) -> None:
        """Press keys: 0-9*#ABCD, w for a pause."""
        call_id = self.info.call_id
        await self._shell.run(in_call(call_id, Calls.dtmf.request(call_id, digits)))


class Spoken:
    """The part of `LiveCall` that speaks and hears by text. Like `AsyncSpoken`, without await."""

    info: Call
    _shell: Blocking

    def __init__(self) -> None:
        self._speech = Speech()

    def say(self, text: str, **options: Unpack[SpeechOptions]) -> Utterance:
        """Have a text spoken as `AsyncSpoken.say` does."""
        return self._shell.run(self._speech.say(self.info.call_id, text, **options))

    def listen(self, wait_s: float = LISTENS_FOR_S) -> Said | None:
        """Wait for what the caller says next as `AsyncSpoken.listen` does."""
        return self._shell.run(self._speech.listen(self.info.call_id, wait_s))

    def transcript(self, after: int | None = None) -> Iterator[Said]:
        """Yield what both sides say as `AsyncSpoken.transcript` does."""
        return said_in(self._shell, self.info.call_id, after)

    def clear(self) -> None:
        """Stop what is spoken, and drop what waits to be: barge-in."""
        call_id = self.info.call_id
        self._shell.run(in_call(call_id, Calls.clear.request(call_id)))

    def dtmf(self, digits: str) -> None:
        """Press keys: 0-9*#ABCD, w for a pause."""
        call_id = self.info.call_id
        self._shell.run(in_call(call_id, Calls.dtmf.request(call_id, digits)))


def said_in(
    shell: Blocking, call_id: str, after: int | None, *, follow: bool = True
) -> Iterator[Said]:
    """Yield what is said in a call until it is over; without `follow`, what was said until now."""
    reader = Transcript(call_id, after)
    while (said := shell.run(reader.next(follow=follow))) is not None:
        yield said


async def said_later(
    shell: Awaiting, call_id: str, after: int | None, *, follow: bool = True
) -> AsyncIterator[Said]:
    """Yield what is said as `said_in` does."""
    reader = Transcript(call_id, after)
    while (said := await shell.run(reader.next(follow=follow))) is not None:
        yield said
