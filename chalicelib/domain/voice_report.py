"""Reports of voice hosts, and what becomes of their items.

A report brings items in the order in which they happened. `take_items` is the whole rule: it
returns what is kept and told, and the state of the call's speech afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from chalicelib.domain.call import Call
from chalicelib.domain.event import Event, EventType, event_id
from chalicelib.domain.model import Model
from chalicelib.domain.transcript import (
    MAX_BYTES,
    MAX_ENTRIES,
    MAX_HOSTS_KNOWN,
    MAX_TEXT,
    Entry,
    Speaker,
    Speech,
    Why,
)
from chalicelib.domain.voice import VoiceSettings


def _cut(value: Any) -> Any:
    return value[:MAX_TEXT] if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_cut)]
Ms = Annotated[int, Field(ge=0, lt=2**53)]


class Item(Model):
    """The base of items. Members that are not known are ignored."""

    model_config = ConfigDict(frozen=True)


class Heard(Item):
    """Something that the caller said, or began to say (`final` false)."""

    type: Literal["transcript"]
    sequence: Ms | None = None
    text: Text
    final: bool
    started_ms: Ms
    ended_ms: Ms
    confidence: float | None = Field(default=None, ge=0, le=1)


class Spoken(Item):
    """An utterance that has started, or is over."""

    type: Literal["speech"]
    utterance_id: str = Field(min_length=1, max_length=128)
    state: Literal["started", "finished", "interrupted"]
    sequence: Ms | None = None
    heard_text: Text | None = None
    heard_ms: Ms = 0
    why: Why | None = None
    started_ms: Ms | None = None


class Resumed(Item):
    """Another voice host has taken the call over."""

    type: Literal["resumed"]


ReportItem = Heard | Spoken | Resumed


@dataclass(frozen=True)
class Report:
    """A report: the voice host that sent it, its number, its items."""

    host: str
    sequence: int
    items: Sequence[ReportItem]

    def known(self, speech: Speech) -> bool:
        """Return whether the report, or a later one of its host, was taken before."""
        return self.sequence <= speech.reports.get(self.host, 0)

    @property
    def has_texts(self) -> bool:
        """Return whether the caller said something."""
        return any(isinstance(item, Heard) for item in self.items)


@dataclass(frozen=True)
class Taken:
    """The consequences of a report: the state afterwards, and what is written with it."""

    speech: Speech
    entries: list[Entry]
    events: list[Event]
    closed: frozenset[str]
    """Utterances that are over now."""
    dropped: int
    """Entries that were not kept: the transcript is full."""


def take_items(call: Call, before: Speech, report: Report, now: int, *, told: bool) -> Taken:
    """Return what a report leads to. `told` False: texts of the caller become no events."""
    taking = _Taking(call, before, report, now, told)
    last_partial = max(
        (n for n, item in enumerate(report.items) if isinstance(item, Heard) and not item.final),
        default=-1,
    )
    for index, item in enumerate(report.items):
        match item:
            case Heard(final=False):
                # The last of several partial texts has all that the others have.
                if index == last_partial:
                    taking.partial(index, item)
            case Heard():
                taking.heard(index, item)
            case Spoken():
                taking.spoken(index, item)
            case Resumed():
                taking.resumed(index)
    return taking.taken()


class _Taking:
    """Collects what the items of a report lead to."""

    def __init__(self, call: Call, before: Speech, report: Report, now: int, told: bool) -> None:
        self._call, self._now, self._told = call, now, told
        self._settings = call.voice_settings or VoiceSettings()
        self._host = report.host
        reports = {**before.reports, report.host: report.sequence}
        newest = sorted(reports, key=lambda host: reports[host])[-MAX_HOSTS_KNOWN:]
        self._speech = replace(
            before,
            version=before.version + 1,
            reports={host: reports[host] for host in newest},
        )
        self._open = set(before.open)
        self._closed: set[str] = set()
        self._entries: list[Entry] = []
        self._events: list[Event] = []
        self._dropped = 0

    def taken(self) -> Taken:
        return Taken(
            self._speech, self._entries, self._events, frozenset(self._closed), self._dropped
        )

    def partial(self, index: int, item: Heard) -> None:
        if self._settings.partials and self._settings.transcript and self._told and item.text:
            self._tell(EventType.CALL_TRANSCRIPT, index, _said("caller", item))

    def heard(self, index: int, item: Heard) -> None:
        if not item.text:
            return
        kept = self._keep(
            Entry(sequence=item.sequence or 0, speaker="caller", **_said_when(item))
        )  # fmt: skip
        if kept and self._told:
            data = {**_said("caller", item), "sequence": kept.sequence}
            self._tell(EventType.CALL_TRANSCRIPT, index, data)

    def spoken(self, index: int, item: Spoken) -> None:
        if item.utterance_id in self._speech.lost:
            return  # its end was told when its host was lost
        if item.state != "started":
            self._close(item.utterance_id)
            self._keep_heard(item)
        text = item.heard_text if self._settings.transcript else None
        given = item.model_dump(include={"utterance_id", "state", "heard_ms", "why", "started_ms"})
        data = {name: value for name, value in given.items() if value is not None}
        self._tell(
            EventType.CALL_SPEECH, index, data | ({} if text is None else {"heard_text": text})
        )

    def _keep_heard(self, item: Spoken) -> None:
        if item.heard_text:
            started = item.started_ms or 0
            self._keep(
                Entry(
                    sequence=item.sequence or 0,
                    speaker="agent",
                    text=item.heard_text,
                    started_ms=started,
                    ended_ms=started + item.heard_ms,
                    utterance_id=item.utterance_id,
                    interrupted=item.state == "interrupted",
                )
            )

    def resumed(self, index: int) -> None:
        self._tell(EventType.CALL_VOICE, index, {"state": "resumed"})
        lost = sorted(self._open)
        for number, utterance_id in enumerate(lost):
            self._close(utterance_id)
            data = {
                "utterance_id": utterance_id,
                "state": "interrupted",
                "heard_ms": 0,
                "why": "host_lost",
            }
            self._tell(EventType.CALL_SPEECH, index, data, number + 1)
        self._speech = replace(self._speech, lost=frozenset(lost), resumed_by=self._host)

    def _close(self, utterance_id: str) -> None:
        self._open.discard(utterance_id)
        self._closed.add(utterance_id)

    def _keep(self, entry: Entry) -> Entry | None:
        """Add an entry behind all others; return it as it is kept, None if it is not."""
        if not self._settings.transcript:
            return None
        size = len(entry.text.encode())
        if self._speech.entries >= MAX_ENTRIES or self._speech.size + size > MAX_BYTES:
            self._dropped += 1
            return None
        last = max(entry.sequence, self._speech.last + 1, self._least())
        entry = entry.model_copy(update={"sequence": last})
        self._speech = replace(
            self._speech,
            entries=self._speech.entries + 1,
            size=self._speech.size + size,
            last=last,
        )
        self._entries.append(entry)
        return entry

    def _least(self) -> int:
        """Return the least number of an entry. What a host reports after another has taken the call
        over comes behind all that listeners have had from that one: they would never see it.
        """
        late = self._speech.resumed_by not in {None, self._host}
        return self._now - (self._call.answered_at or self._now) if late else 0

    def _tell(self, kind: EventType, index: int, data: dict[str, Any], part: int = 0) -> None:
        call_id = self._call.call_id
        # Ids order the events of a moment; two hosts may number their reports alike.
        place = f"{self._speech.version:06d}_{index:02d}_{part:02d}"
        self._events.append(
            Event(
                event_id=event_id(call_id.removeprefix("call_"), "voice", place),
                type=kind,
                account_id=self._call.account_id,
                at=self._now,
                call_id=call_id,
                data={"call_id": call_id, **data},
            )
        )


def _said_when(item: Heard) -> dict[str, Any]:
    return item.model_dump(include={"text", "final", "started_ms", "ended_ms", "confidence"})


def _said(speaker: Speaker, item: Heard) -> dict[str, Any]:
    said = {name: value for name, value in _said_when(item).items() if value is not None}
    return {"speaker": speaker, **said}
