"""Detection of who answered a call that was dialled, and of the end of a machine's greeting.

Facts come from a relay or from the provider, twice or late; each is taken once, and never changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ConfigDict

from chalicelib.domain.event import EventType
from chalicelib.domain.model import Model

DetectAnswer = Literal["off", "on", "greeting_end"]
AnsweredBy = Literal["human", "machine", "fax", "unknown"]
EndedBy = Literal["beep", "silence", "timeout"]


@dataclass(frozen=True)
class Found:
    """Something that was found out; `at_ms`: ms after the answer, as far as is known."""

    answered_by: AnsweredBy | None = None
    ended_by: EndedBy | None = None
    at_ms: int | None = None


class Detection(Model):
    """The detection of one call: what is wanted, and what is known so far."""

    model_config = ConfigDict(frozen=True)

    wanted: DetectAnswer = "off"
    answered_by: AnsweredBy | None = None
    ended_by: EndedBy | None = None

    @property
    def step(self) -> int:
        """Return how many facts are known: it rises with each change."""
        return sum(each is not None for each in (self.answered_by, self.ended_by))

    @property
    def over(self) -> bool:
        """Return whether nothing more is to be found out."""
        return self.wanted == "off" or not (self.answered_by is None or self.awaits_end)

    @property
    def awaits_end(self) -> bool:
        """Return whether the end of a machine's greeting is still to come."""
        waits = self.wanted == "greeting_end" and self.answered_by == "machine"
        return waits and self.ended_by is None

    def after(self, found: Found) -> Detection:
        """Return the detection with a new fact; the same if it is known, or was not asked for."""
        after = self
        if after.wanted != "off" and after.answered_by is None:
            after = after.model_copy(update={"answered_by": found.answered_by})
        if after.awaits_end:
            after = after.model_copy(update={"ended_by": found.ended_by})
        return after


NOT_DETECTED = Detection()


def what_happened(
    before: Detection, after: Detection, found: Found
) -> list[tuple[EventType, dict[str, Any]]]:
    """Return what a change is told as, in order: types of events, and their data without the call's
    id.
    """
    when = {} if found.at_ms is None else {"at_ms": found.at_ms}
    told: list[tuple[EventType, dict[str, Any]]] = []
    if before.answered_by != after.answered_by:
        told.append((EventType.CALL_ANSWERED_BY, {"answered_by": after.answered_by, **when}))
    if before.ended_by != after.ended_by:
        told.append((EventType.CALL_MACHINE_GREETING_ENDED, {"ended_by": after.ended_by, **when}))
    return told


def call_view(detection: Detection) -> dict[str, Any]:
    """Return what a call shows of it: what was asked for and is known."""
    known = {"answered_by": detection.answered_by, "greeting_ended_by": detection.ended_by}
    return {name: value for name, value in known.items() if value is not None}


def told_to_relay(detection: Detection) -> dict[str, Any]:
    """Return the member `detect` of answers to relays, nothing if nothing is to be found out."""
    if detection.over:
        return {}
    until = "greeting_end" if detection.wanted == "greeting_end" else "answer"
    return {"detect": {"until": until, "answered_by": detection.answered_by}}
