"""Models of what is said in calls with a hosted voice."""

from __future__ import annotations

from dataclasses import dataclass

from chamade.decoding import Shown
from chamade.models import LIVE_STATES


@dataclass(frozen=True, kw_only=True)
class Reply(Shown):
    """The caller's answer to an utterance. Times are ms since the answer; `sequence`: its place in
    the transcript.
    """

    text: str
    started_ms: int = 0
    ended_ms: int = 0
    sequence: int | None = None


@dataclass(frozen=True, kw_only=True)
class Utterance(Shown):
    """A text that is spoken, or was. `state`: `queued`, `finished` or `interrupted`; `heard_text`:
    how much of it the caller has heard; `reply`: None if nobody waited for it, or none came.
    """

    utterance_id: str
    state: str
    heard_text: str | None = None
    heard_ms: int | None = None
    reply: Reply | None = None


@dataclass(frozen=True, kw_only=True)
class Said(Shown):
    """An entry of a transcript. `speaker`: `caller`, who is the called party of a call that you
    dial, or `agent`; `text` is what was heard of it. Times are ms since the answer.
    """

    sequence: int
    speaker: str
    text: str
    final: bool = True
    started_ms: int | None = None
    ended_ms: int | None = None
    confidence: float | None = None
    utterance_id: str | None = None
    interrupted: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Transcript(Shown):
    """Entries of a transcript, oldest first. `next`: the `after` of the next request; `speaking`:
    the caller speaks at the moment, which is only known after a wait; `state`: the call's.
    """

    entries: tuple[Said, ...]
    next: int
    state: str
    speaking: bool = False

    @property
    def over(self) -> bool:
        """Return whether the call is over."""
        return self.state not in LIVE_STATES


@dataclass(frozen=True, kw_only=True)
class Voice(Shown):
    """A hosted voice. `name` and `language` are as voice settings take them."""

    name: str
    language: str
    engine: str = ""


@dataclass(frozen=True, kw_only=True)
class Voices(Shown):
    """The hosted voices that there are, and the languages that are understood."""

    voices: tuple[Voice, ...] = ()
    languages: tuple[str, ...] = ()
