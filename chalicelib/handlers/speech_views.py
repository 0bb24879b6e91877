"""The models of answers about what is said in a call."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chalicelib.domain.call_transitions import CallState
from chalicelib.handlers.views import TranscriptEntry, View


class CallerReply(View):
    """The caller's words after an utterance. Times are in ms since the call was answered."""

    text: str
    started_ms: int
    ended_ms: int
    sequence: int | None = Field(
        description="its place in the transcript: what is said next is after it"
    )


class Utterance(View):
    """A text to be spoken, and what became of it by now."""

    utterance_id: str
    state: Literal["queued", "finished", "interrupted"] = Field(
        description="`queued`: it waits, or is being spoken; `interrupted`: the caller heard only "
        "`heard_text` of it, since they spoke, or it was cleared"
    )
    heard_text: str = Field(description="what the caller has heard of it")
    heard_ms: int
    reply: CallerReply | None = Field(
        description="null if none was waited for, or none came in time"
    )


class Cleared(View):
    """Utterances that are not spoken (to their end) any more."""

    cleared: list[str] = Field(description="ids of the utterances, of hosted voices only")


class QueuedKeys(View):
    """Keys that are on their way."""

    queued: int


class Transcript(View):
    """Everything that was said in a call, in order."""

    entries: list[TranscriptEntry]
    next: int = Field(description="the `after` of the next request")
    speaking: bool = Field(
        description="whether the caller speaks just now; only known after a `wait`"
    )
    state: CallState = Field(description="of the call: once it is over, nothing more is said")
