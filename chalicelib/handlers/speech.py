"""`/api/call/{call_id}/say…`: have text spoken in a call, read what is said, send keys.

The services are imported by the requests that need them: most processes get none.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from chalicelib.domain.model import Strict
from chalicelib.domain.transcript import MAX_SAY, MAX_WAIT_S, PAGE, Entry
from chalicelib.domain.voice import SPEED, Language, VoiceName
from chalicelib.handlers import speech_views as views
from chalicelib.handlers.operation import (
    Answer,
    Content,
    Limit,
    NoBody,
    NoQuery,
    Operations,
    Request,
)

operations = Operations("speech")

SPEECHES_A_MINUTE = 300
CLEARS_A_MINUTE = 300
DTMF_A_MINUTE = 300
READS_A_MINUTE = 600

MAX_KEYS = 64

LIVE_PROBLEMS = (
    "call_not_found",
    "hosted_voice_gated",
    "not_hosted",
    "call_not_active",
    "call_over",
    "no_media",
    "media_timeout",
    "media_unavailable",
    "too_many_waits",
)
"""Problems of requests that act on the audio of a call."""


_KEYS = re.compile(rf"^[0-9*#A-Dw]{{1,{MAX_KEYS}}}$", re.ASCII)


def _words(text: str) -> str:
    if not text.strip():
        raise ValueError("there is nothing in it to be spoken")
    return text


def _keys(digits: str) -> str:
    if not _KEYS.fullmatch(digits):
        raise ValueError(f"1 to {MAX_KEYS} of 0-9, *, #, A-D and w are wanted, as in 12#")
    return digits


class Speech(Strict):
    """A text to be spoken. `name`, `language`, `speed`: else as in the call's `voice_settings`."""

    text: Annotated[str, AfterValidator(_words)] = Field(
        min_length=1, max_length=MAX_SAY, description="plain words, as they are to be heard"
    )
    interrupt: bool = Field(default=False, description="what is spoken and queued is dropped first")
    barge_in: bool = Field(
        default=True, description="whether it stops when the caller begins to speak"
    )
    name: VoiceName | None = Field(default=None, description="a voice of `GET /api/voices`")
    language: Language | None = Field(
        default=None, description="of the text, BCP 47", examples=["en-US"]
    )
    speed: float | None = Field(
        default=None, ge=SPEED[0], le=SPEED[1], description="how fast it is spoken"
    )
    wait: bool = Field(
        default=False,
        description="answer when it was heard or cut short, after 24 s at the latest",
    )
    wait_for_reply_s: float = Field(
        default=0,
        ge=0,
        le=MAX_WAIT_S,
        description="seconds to wait for the caller's reply after it was heard; implies `wait`",
    )


class PressedKeys(Strict):
    """Keys to be sent."""

    digits: Annotated[str, AfterValidator(_keys)] = Field(
        description=f"in order, 1 to {MAX_KEYS}; `w` is a pause of half a second",
        json_schema_extra={"pattern": _KEYS.pattern},
        examples=["12#"],
    )


class TranscriptQuery(Strict):
    """The place to begin at, and the time to wait."""

    after: int = Field(
        default=0,
        ge=0,
        lt=2**53,
        description="`next` of the last answer; 0: from the beginning",
    )
    wait: float = Field(
        default=0,
        ge=0,
        le=MAX_WAIT_S,
        description="seconds to wait for what is said next, if there is nothing new",
    )
    limit: int = Field(default=PAGE, ge=1, le=PAGE, description="entries in an answer")


def _without_reply(answer: Content) -> Content:
    """Leave out what the caller said: only the transcript keeps that, and it can be deleted."""
    return {**(answer or {}), "reply": None}


@operations.post(
    "/api/call/{call_id}/say",
    body=Speech,
    answer=views.Utterance,
    problems=(
        *LIVE_PROBLEMS,
        "call_held",
        "call_transferred",
        "queue_full",
        "too_much_said",
        "unknown_voice",
        "unknown_language",
        "synthesis_failed",
    ),
    example={"text": "Good morning, how can I help you?"},
    limit=Limit("say", SPEECHES_A_MINUTE, 60),
    idempotent=True,
    resumes=True,
    keeps=_without_reply,
)
def say_call(request: Request[Speech, NoQuery]) -> Answer:
    """Have a text spoken in a call with a hosted voice (closed beta).

    Texts are spoken in the order in which they come. Without `wait` the answer comes when the text
    is queued; events tell the rest. With `wait_for_reply_s` it also has the caller's reply. With an
    Idempotency-Key the text is spoken once, even if the request is repeated; the repeated answer
    has no `reply`, which is in the transcript.
    """
    from chalicelib.services.call import say

    words = say.Words(**request.body.model_dump())
    deps, call_id = request.deps, request.path["call_id"]
    return say.say(deps, request.account_id, call_id, words, request.seed)


@operations.post(
    "/api/call/{call_id}/clear",
    answer=views.Cleared,
    problems=(*LIVE_PROBLEMS, "call_held", "call_transferred"),
    limit=Limit("clear", CLEARS_A_MINUTE, 60),
)
def clear_call(request: Request[NoBody, NoQuery]) -> Answer:
    """Drop what is spoken and what is queued.

    `cleared` lists the utterances. In a call with audio of your own, the relay drops what it has
    not played yet, and the list is empty.
    """
    from chalicelib.services.call import live_media

    cleared = live_media.clear(request.deps, request.account_id, request.path["call_id"])
    return {"cleared": cleared}


@operations.post(
    "/api/call/{call_id}/dtmf",
    body=PressedKeys,
    answer=views.QueuedKeys,
    problems=(*LIVE_PROBLEMS, "call_held", "call_transferred"),
    example={"digits": "12#"},
    limit=Limit("dtmf", DTMF_A_MINUTE, 60),
)
def send_dtmf(request: Request[PressedKeys, NoQuery]) -> Answer:
    """Press keys in a call, with a hosted voice or audio of your own.

    They are heard behind what is still to be played.
    """
    from chalicelib.services.call import live_media

    deps, call_id = request.deps, request.path["call_id"]
    queued = live_media.send_digits(deps, request.account_id, call_id, request.body.digits)
    return {"queued": queued}


@operations.get(
    "/api/call/{call_id}/transcript",
    query=TranscriptQuery,
    answer=views.Transcript,
    problems=("call_not_found", "hosted_voice_gated", "not_hosted", "too_many_waits"),
    limit=Limit("transcript", READS_A_MINUTE, 60),
)
def get_transcript(request: Request[NoBody, TranscriptQuery]) -> Answer:
    """Read what was said in a call with a hosted voice, and wait for what is said next.

    It has what the caller said and, of your texts, what was heard. It is kept for 7 days, as events
    are. With `transcript: false` in the call's `voice_settings` it only has what the caller said
    lately.
    """
    from chalicelib.services.call import transcripts

    query = request.query
    place = transcripts.Place(query.after, query.limit)
    deps, call_id = request.deps, request.path["call_id"]
    said = transcripts.read(deps, request.account_id, call_id, place, query.wait)
    return {
        "entries": shown_entries(said.entries),
        "next": said.next,
        "speaking": said.speaking,
        "state": said.call.state.value,
    }


@operations.delete(
    "/api/call/{call_id}/transcript",
    problems=("call_not_found", "hosted_voice_gated", "not_hosted"),
)
def delete_transcript(request: Request[NoBody, NoQuery]) -> Answer:
    """Delete a call's transcript.

    What is said from then on is kept again. Events that told of it stay until they are 7 days old.
    """
    from chalicelib.services.call import transcripts

    transcripts.delete(request.deps, request.account_id, request.path["call_id"])
    return None


def shown_entries(entries: list[Entry]) -> list[dict[str, Any]]:
    """Return entries as answers show them."""
    return [entry.model_dump(mode="json") for entry in entries]
