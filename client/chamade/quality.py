"""Models of a call's sound: the loudness of both sides over time, and what happened when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chamade.decoding import Shown


@dataclass(frozen=True, kw_only=True)
class Mark(Shown):
    """A moment of a call, such as a `gap`, a `clear` (barge-in) or a `key`, in ms since the first
    level.
    """

    type: str
    at_ms: int
    ms: int = 0


@dataclass(frozen=True, kw_only=True)
class Levels(Shown):
    """The loudness of both sides, 0 to 15 for each `step_ms`; empty if nothing is known. `heard` is
    of what the caller heard.
    """

    began_at: datetime | None = None
    step_ms: int = 100
    caller: tuple[int, ...] = ()
    heard: tuple[int, ...] = ()
    marks: tuple[Mark, ...] = ()
