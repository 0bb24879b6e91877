"""The beginning of live calls: dialled, answered, or looked at; then audio, or a hosted voice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from chamade.audio.line import GRACE_S, Format
from chamade.audio.socket import AsyncAudio
from chamade.endings import why_over
from chamade.errors import CallGone, Conflict, NotFound
from chamade.http.request import Flow, perform
from chamade.models import Call
from chamade.operations import Calls
from chamade.operations.voices import VoiceOptions
from chamade.speech import settled

Opening: TypeAlias = Callable[[], Flow[Call]]
"""The beginning of a live call: a dial, an answer, or a look at a call that exists."""


async def on_the_line(call: Call, line_format: Format, *, if_free: bool = False) -> AsyncAudio:
    """Open the call's audio. Raises CallGone if the call is over. With `if_free` it waits until
    audio flows, and raises CallGone, too, if another agent has the call.
    """
    if call.audio is None:
        raise CallGone(call.call_id, why_over(call.end_reason), call.end_reason)
    audio = AsyncAudio(call.call_id, call.audio, line_format, if_free=if_free)
    if if_free:
        try:
            await _found_free(audio)
        except BaseException:
            await audio.close()
            raise
    return audio


async def _found_free(audio: AsyncAudio) -> None:
    """Wait until audio flows. Raises CallGone if it does not, however that comes."""
    reason, why = None, f"its audio did not come within {GRACE_S:g} s"
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GRACE_S):
            if await audio.started():
                return
            reason = audio.stop.reason if audio.stop else None
            why = "another agent has the call" if audio.replaced else why_over(reason)
    raise CallGone(audio.call_id, why, reason)


def lost(conflict: Conflict) -> CallGone:
    """Make the error of a lost race for a call."""
    call = conflict.call
    return CallGone(
        call.call_id if call else "", conflict.detail, call.end_reason if call else None
    )


def accepting(
    call: Call, voice: str | None = None, voice_settings: VoiceOptions | None = None
) -> Opening:
    """Return the opening that answers a call that came in, with this voice, or else with its
    number's. A call with auto-answer is answered already.
    """
    seeing = Calls.get.request(call.call_id)
    answering = Calls.accept.request(call.call_id, voice=voice, voice_settings=voice_settings)

    def answer_if_it_rings() -> Flow[Call]:
        try:
            return (yield from perform(answering))
        except Conflict as conflict:
            if conflict.call is None or conflict.call.state != "active":
                raise
            return (yield from perform(seeing))

    if not call.auto_answer:
        return partial(perform, answering)
    return partial(perform, seeing) if voice is None else answer_if_it_rings


def by_text(call: Call) -> Flow[Call]:
    """Wait until an incoming call with a hosted voice is answered: a number with auto-answer lets
    calls ring while no place is free. Raises CallGone if it is over.
    """
    now = (yield from settled(call.call_id)) if call.state == "ringing" else call
    if now.over:
        raise CallGone(call.call_id, why_over(now.end_reason), now.end_reason)
    return now


def taking_back(call_id: str) -> Opening:
    """Return the opening of a call that was answered before a restart. It raises CallGone if there
    is no such call any more, or if a hosted voice is on its line: nobody can tell whether another
    agent has it.
    """

    def look() -> Flow[Call]:
        try:
            call = yield from perform(Calls.get.request(call_id))
        except NotFound as gone:
            raise CallGone(call_id, gone.detail) from None
        if call.hosted:
            raise CallGone(call_id, "a hosted voice speaks in it; `attach` joins it")
        return call

    return look
