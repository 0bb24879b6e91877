"""The transcript of a hosted call: what its voice hosts report, as entries and events.

A report brings items in the order in which they happened. `take_items` is the whole rule: it
returns what is kept and told, and the state of the call's speech afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from chalicelib.domain.call import Call
from chalicelib.domain.event import RETENTION_S, Event, EventType, event_id
from chalicelib.domain.model import Model
from chalicelib.domain.rate_limit import Limit
from chalicelib.domain.voice import VoiceSettings

KEPT_S = RETENTION_S
"""Time for which a transcript is kept: as long as events."""

MAX_TEXT = 2000
"""Characters of one text, said or heard; what is longer is cut."""

MAX_SAY = 2000
"""Characters of one text to be spoken."""

MAX_WAIT_S = 20
"""Time for which a request may wait for what the caller says."""

PAGE = 100
"""Entries of a transcript in an answer."""

MAX_ITEMS = 32
"""Items of one report. With `MAX_OPEN` it is chosen so that all that they write is one transaction,
which holds 100 writes."""

MAX_OPEN = 32
"""Utterances of a call that are not over."""

MAX_ENTRIES = 4000
"""Entries of a call's transcript: one every 3.6 s for four hours."""

MAX_BYTES = 1_000_000
"""Bytes of text in a call's transcript."""

MAX_CHARACTERS = 250_000
"""Characters that a call may have spoken: more than can be said in four hours."""

CHARACTERS_AN_HOUR = 200_000
SPOKEN = Limit("say_characters", CHARACTERS_AN_HOUR, 3600)
"""The limit of characters that an account may have spoken in all its calls."""

TRANSCRIPTS_A_MINUTE = 600
TOLD = Limit("transcripts", TRANSCRIPTS_A_MINUTE, 60)
"""The limit of reports with texts of callers that become events, of all calls of an account."""

MAX_HOSTS_KNOWN = 4
"""Voice hosts of a call whose last report is remembered."""

LATE_MS = 600_000
"""Time after the end of a call for which reports about it are taken."""

Speaker = Literal["caller", "agent"]
Why = Literal["barge_in", "cleared", "replaced", "call_over", "failed", "host_lost"]


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


class Entry(Model):
    """One text of a transcript. Times are in ms since the call was answered; `sequence` rises from
    entry to entry. `utterance_id` and `interrupted` are of the agent's entries.
    """

    model_config = ConfigDict(frozen=True)

    sequence: int
    speaker: Speaker
    text: str
    final: bool = True
    started_ms: int
    ended_ms: int
    confidence: float | None = None
    utterance_id: str | None = None
    interrupted: bool | None = None


@dataclass(frozen=True)
class Speech:
    """The state of a call's speech. `version` counts its changes by reports, `reports` has the last
    one of each voice host.

    `entries`, `size` (bytes) and `last` (sequence) are of the transcript so far; `open`: utterances
    that are not over; `lost`: those whose voice host went; `characters`: spoken so far;
    `forgotten`: the sequence up to which the transcript was deleted, and voice hosts may still
    remember it.
    """

    version: int = 0
    reports: dict[str, int] = field(default_factory=dict)
    entries: int = 0
    size: int = 0
    last: int = 0
    open: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    characters: int = 0
    forgotten: int = 0


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
                # Of several the last one says what the others said, and more.
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
    """One report, being taken."""

    def __init__(self, call: Call, before: Speech, report: Report, now: int, told: bool) -> None:
        self._call, self._now, self._told = call, now, told
        self._settings = call.voice_settings or VoiceSettings()
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
            return  # it was told of already, when its host went
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
        self._speech = replace(self._speech, lost=frozenset(lost))

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
        last = max(entry.sequence, self._speech.last + 1)
        entry = entry.model_copy(update={"sequence": last})
        self._speech = replace(
            self._speech,
            entries=self._speech.entries + 1,
            size=self._speech.size + size,
            last=last,
        )
        self._entries.append(entry)
        return entry

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
