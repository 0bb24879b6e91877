"""Recordings of calls: what a call knows of its own, and one recording from its begin to its file.

A call has at most one recording at a time. While the call goes on, its recording is on or paused.
Then it is composed: the segments that relays have stored become one file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pydantic import ConfigDict

from chalicelib.domain.event import Event, EventType, event_id
from chalicelib.domain.failure import Failure
from chalicelib.domain.instant import Instant, to_text
from chalicelib.domain.model import Model

Choice = Literal["off", "on"]
"""The setting of a number: its calls are recorded, or not."""
Announce = Literal["none", "beep"]
"""The sound by which the far end learns that a recording begins."""
Action = Literal["start", "pause", "resume", "stop"]
State = Literal["recording", "stopped", "composing", "ready", "failed"]

MAX_RECORDINGS = 10
"""Recordings of one call."""
MAX_CHANGES = 200
"""Changes of a call's recordings, pauses included: each is told to the relay."""
LATE_MS = 30_000
"""Time after the end of a recording in which the relay may store what it still has."""
MAX_TRIES = 5
"""Tries to compose a recording."""
FILES = "recordings/"
"""The beginning of the keys of all recordings' files."""
RECORDING_ID = re.compile(r"rec_([a-z2-7]{26})_(\d{2})", re.ASCII)


class CurrentRecording(Model):
    """The recording that a call has now."""

    model_config = ConfigDict(frozen=True)

    recording_id: str
    state: Literal["on", "paused"] = "on"
    since: Instant
    announce: Announce = "none"


class CallRecordings(Model):
    """All that a call knows of its recordings. `number` counts the changes, `begun` the recordings;
    `wanted`: it is recorded from its answer on, and announced so.
    """

    model_config = ConfigDict(frozen=True)

    number: int = 0
    begun: int = 0
    wanted: Announce | None = None
    current: CurrentRecording | None = None

    def after(self, current: CurrentRecording | None) -> CallRecordings:
        """Return what the call knows after one more change."""
        return self.model_copy(update={"number": self.number + 1, "current": current})


NOT_RECORDED = CallRecordings()


def recorded(announce: Announce | None) -> CallRecordings:
    """Return what a new call knows that is to be announced so; None: it is not recorded."""
    return NOT_RECORDED if announce is None else CallRecordings(wanted=announce)


class RecordingRefused(Failure):
    """The recording of a call cannot be changed so."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


class Recording(Model):
    """A recording. Times are epoch ms here and RFC 3339 text outside.

    `gaps` are parts that no relay has stored, together `lost_ms` long; they are silence in the
    file. `due`: when it is to be composed, None if it is not; `deleted_at`: when it is deleted.
    """

    model_config = ConfigDict(frozen=True)

    recording_id: str
    call_id: str
    account_id: str
    state: State = "recording"
    started_at: Instant
    stopped_at: Instant | None = None
    duration_ms: int | None = None
    bytes: int | None = None
    gaps: int | None = None
    lost_ms: int | None = None
    why: str | None = None
    deleted_at: Instant | None = None
    tries: int = 0
    due: Instant | None = None

    @property
    def segments(self) -> str:
        """Return the prefix of its segments' keys."""
        return f"segments/{self.account_id}/{self.call_id}/{self.recording_id}/"

    @property
    def file(self) -> str:
        """Return the key of its file."""
        return f"{FILES}{self.account_id}/{self.call_id}/{self.recording_id}.wav"

    def segment(self, start_ms: int) -> str:
        """Return the key of the segment that begins so long after the recording did."""
        return f"{self.segments}{start_ms:09d}"


def recording_id(call_id: str, number: int) -> str:
    """Return the id of a call's recording, of which the first is number 1."""
    return f"rec_{call_id.removeprefix('call_')}_{number:02d}"


def call_of(recording_id: str) -> tuple[str, int] | None:
    """Return the call of a recording and the recording's number; None if it is no such id."""
    found = RECORDING_ID.fullmatch(recording_id)
    return None if found is None else (f"call_{found[1]}", int(found[2]))


def begun(recordings: CallRecordings, call_id: str, announce: Announce, now: int) -> CallRecordings:
    """Return what a call knows after a recording has begun. Raises RecordingRefused."""
    if recordings.begun >= MAX_RECORDINGS:
        raise RecordingRefused(
            "too_many_recordings", f"A call has at most {MAX_RECORDINGS} recordings."
        )
    number = recordings.begun + 1
    current = CurrentRecording(
        recording_id=recording_id(call_id, number), since=now, announce=announce
    )
    return recordings.after(current).model_copy(update={"begun": number})


def changed(
    recordings: CallRecordings, call_id: str, action: Action, announce: Announce, now: int
) -> CallRecordings:
    """Return what an active call knows after an action; the same if nothing is left to do. Raises
    RecordingRefused.
    """
    current = recordings.current
    if action == "stop":
        return recordings if current is None else recordings.after(None)
    if recordings.number >= MAX_CHANGES:
        raise RecordingRefused("too_many_recordings", "This call's recording changed too often.")
    if action == "start":
        return begun(recordings, call_id, announce, now) if current is None else recordings
    if current is None:
        raise RecordingRefused("not_recorded", "The call is not recorded now.")
    wanted: Literal["on", "paused"] = "paused" if action == "pause" else "on"
    if current.state == wanted:
        return recordings
    return recordings.after(current.model_copy(update={"state": wanted}))


def at_the_answer(recordings: CallRecordings, call_id: str, now: int) -> CallRecordings:
    """Return what a call knows when it is answered."""
    if recordings.wanted is None or recordings.begun:
        return recordings
    return begun(recordings, call_id, recordings.wanted, now)


def ended_with_call(recordings: CallRecordings) -> CallRecordings:
    """Return what a call knows when it is over."""
    return recordings if recordings.current is None else recordings.after(None)


def told_to_relay(recordings: CallRecordings, call_id: str) -> dict[str, Any]:
    """Return the member of relays' answers, nothing for a call that was never recorded."""
    if not recordings.number:
        return {}
    current = recordings.current
    told: dict[str, Any] = {"number": recordings.number, "state": "off", "since_ms": 0}
    told["recording_id"] = recording_id(call_id, recordings.begun)
    if current is not None:
        told |= {"state": current.state, "since_ms": current.since}
        told["beep"] = current.announce == "beep"
    return {"recording": told}


def call_view(recordings: CallRecordings) -> dict[str, Any]:
    """Return what a call shows of its recording, nothing if it is not recorded now."""
    current = recordings.current
    if current is None:
        return {}
    return {"recording": {"recording_id": current.recording_id, "state": current.state}}


_SHOWN_AS: dict[State, str] = {"stopped": "processing", "composing": "processing"}


def view(recording: Recording) -> dict[str, Any]:
    """Return a recording as REST shows it."""
    kept = {"account_id", "tries", "due"}
    shown = recording.model_dump(mode="json", exclude=kept)
    state = _SHOWN_AS.get(recording.state, recording.state)
    return {**shown, "state": state}


def started_event(account_id: str, call_id: str, current: CurrentRecording) -> Event:
    """Make the event that a recording has begun: a moment later than the answer with which it
    does.
    """
    kind, data = EventType.CALL_RECORDING_STARTED, {"announce": current.announce}
    return _event(kind, account_id, call_id, current.recording_id, current.since + 1, data)


def ended_event(recording: Recording, now: int) -> Event:
    """Make the event that a recording is ready, or has failed."""
    if recording.state == "failed":
        kind, names = EventType.CALL_RECORDING_FAILED, ("why",)
    else:
        kind = EventType.CALL_RECORDING_READY
        names = ("duration_ms", "bytes", "gaps", "lost_ms")  # type: ignore[assignment]
    data = {name: getattr(recording, name) for name in names}
    if recording.deleted_at is not None and kind is EventType.CALL_RECORDING_READY:
        data["deleted_at"] = to_text(recording.deleted_at)
    # Never at the moment of the event that it has begun: events are in the order of their times.
    at = max(now, recording.started_at + 2)
    return _event(kind, recording.account_id, recording.call_id, recording.recording_id, at, data)


def _event(  # noqa: PLR0913, PLR0917 - the parts of an event
    kind: EventType, account_id: str, call_id: str, recording: str, at: int, data: dict[str, Any]
) -> Event:
    return Event(
        event_id=event_id(recording, kind.value),
        type=kind,
        account_id=account_id,
        at=at,
        call_id=call_id,
        data={"call_id": call_id, "recording_id": recording, **data},
    )


@dataclass(frozen=True)
class WantedRecording:
    """The recording from the answer on that a request to answer or to dial wants, None: as
    usual.
    """

    recording: Choice | None = None
    announce: Announce | None = None

    def over(self, usual: Announce | None) -> Announce | None:
        """Return how the recording is to be announced, None if there is to be none; `usual`: the
        same of the call's number.
        """
        if self.recording == "off" or (self.recording is None and usual is None):
            return None
        return self.announce or usual or "beep"


AS_USUAL = WantedRecording()


class RecordedNumber(Protocol):
    """A number with its settings."""

    @property
    def recording(self) -> Choice:
        """Return whether its calls are recorded."""
        ...

    @property
    def recording_announce(self) -> Announce:
        """Return what the far end hears of it."""
        ...


def wanted_by(number: RecordedNumber) -> Announce | None:
    """Return how a recording of a number's calls is announced; None: they are not recorded."""
    return number.recording_announce if number.recording == "on" else None
