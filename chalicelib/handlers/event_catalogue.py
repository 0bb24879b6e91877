"""The catalogue of events: the model of each type's `data`, and when the event is written.

`docs/events.schema.json` is made from this table (`python -m local.event_schemas`), and tests check
every event that the application writes against it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, Field, TypeAdapter

from chalicelib.domain.answered import AnsweredBy, EndedBy
from chalicelib.domain.call_id import CALL_ID
from chalicelib.domain.call_line import TransferMode
from chalicelib.domain.endpoint import DisabledReason
from chalicelib.domain.event import Event, EventType
from chalicelib.domain.foreign_text import MAX_SHOWN
from chalicelib.domain.recording import RECORDING_ID, Announce
from chalicelib.domain.rejected_calls import Reason
from chalicelib.domain.transcript import MAX_TEXT, Why
from chalicelib.handlers.recordings import Why as FailedWhy
from chalicelib.handlers.trunk_views import DidFacts, TrunkFacts
from chalicelib.handlers.views import Absent, CallFacts, Number164, NumberFacts, Time, View


class CallData(View):
    """Data of a call's transition."""

    call: CallFacts = Field(description="the call at that moment")


class DtmfData(View):
    """Keys that the far end pressed, in order."""

    call_id: str = Field(pattern=f"^{CALL_ID.pattern}$")
    digits: str = Field(pattern=r"^[0-9*#A-D]{1,64}$")
    lost: Annotated[int, Field(ge=1)] | Absent = Field(
        default=None,
        description="only there if keys are lost: earlier ones that are in no event, since they "
        "came too fast",
    )
    last: Literal[True] | Absent = Field(
        default=None,
        description="only there if no event about later keys of this call follows: it has had its "
        "limit",
    )


class SpeechData(View):
    """An utterance that began, or is over. Times are in ms since the call was answered."""

    call_id: str = Field(pattern=f"^{CALL_ID.pattern}$")
    utterance_id: str
    state: Literal["started", "finished", "interrupted"]
    heard_text: str | Absent = Field(
        default=None,
        description="what was heard of it, once it is over; not there if that is not known, or if "
        "the call keeps no transcript",
    )
    heard_ms: int
    why: Why | Absent = Field(default=None, description="only there if it was interrupted")
    started_ms: int | Absent = Field(default=None, description="only there if it was heard at all")


class TranscriptData(View):
    """Something that was said. Times are in ms since the call was answered."""

    call_id: str = Field(pattern=f"^{CALL_ID.pattern}$")
    speaker: Literal["caller"]
    text: str = Field(max_length=MAX_TEXT)
    final: bool = Field(description="false: it goes on; only with `partials`")
    started_ms: int
    ended_ms: int
    sequence: int | Absent = Field(
        default=None, description="only there if it is final: its place in the transcript"
    )
    confidence: float | Absent = Field(
        default=None, description="only there if it is known: 0 to 1"
    )


class VoiceData(View):
    """A change of what speaks and hears in a call."""

    call_id: str = Field(pattern=f"^{CALL_ID.pattern}$")
    state: Literal["resumed"]


class MediaMovedData(View):
    """A call whose audio goes on over a new stream."""

    call_id: str = Field(pattern=f"^{CALL_ID.pattern}$")


class HeldData(View):
    """A call that was put on hold, or taken off it."""

    call_id: str = Field(pattern=f"^{CALL_ID.pattern}$")
    by: Literal["agent", "transfer", "far_end"] = Field(
        description="what it was held by; `far_end`: the other party holds you"
    )


class TransferData(View):
    """A step of a call's transfer."""

    call_id: str = Field(pattern=f"^{CALL_ID.pattern}$", description="the call that is transferred")
    transfer_id: str
    mode: TransferMode
    to: str = Field(description="the third party")
    transfer_call_id: str | Absent = Field(
        default=None,
        description="the third party's call; not there where the caller's network dials",
    )
    sip_code: int | Absent = Field(
        default=None, description="only there if it failed: the last SIP answer, if it is known"
    )
    why: str | Absent = Field(
        default=None,
        description="only there if it failed: the `end_reason` of the third party's call, "
        "`cancelled`, or `call_over`",
    )


class AnsweredByData(View):
    """The party that answered a call that you dialled."""

    call_id: str = Field(pattern=f"^{CALL_ID.pattern}$")
    answered_by: AnsweredBy = Field(description="`unknown`: nobody said a word")
    at_ms: int | Absent = Field(
        default=None, description="only there if it is known: ms after the answer"
    )


class GreetingEndedData(View):
    """The end of a machine's greeting: what is said from now on is recorded by it."""

    call_id: str = Field(pattern=f"^{CALL_ID.pattern}$")
    ended_by: EndedBy = Field(
        description="`timeout`: it still talks, but for longer than greetings are waited for"
    )
    at_ms: int | Absent = Field(
        default=None, description="only there if it is known: ms after the answer"
    )


class RecordingData(View):
    """A recording that has begun."""

    call_id: str = Field(pattern=f"^{CALL_ID.pattern}$")
    recording_id: str = Field(pattern=f"^{RECORDING_ID.pattern}$")
    announce: Announce = Field(description="what the far end hears of it")


class RecordingReadyData(View):
    """A recording that can be read: `GET /api/recording/{recording_id}` has a URL of its file."""

    call_id: str = Field(pattern=f"^{CALL_ID.pattern}$")
    recording_id: str = Field(pattern=f"^{RECORDING_ID.pattern}$")
    duration_ms: int
    bytes: int
    gaps: int = Field(description="parts that are missing, and are silence in the file")
    lost_ms: int = Field(description="how long they are together")
    deleted_at: Time = Field(description="when it is deleted by itself")


class RecordingFailedData(View):
    """A recording of which there is no file."""

    call_id: str = Field(pattern=f"^{CALL_ID.pattern}$")
    recording_id: str = Field(pattern=f"^{RECORDING_ID.pattern}$")
    why: FailedWhy = Field(
        description="`no_audio`: no audio of it was stored; `not_composed`: an error of the service"
    )


class TurnedAwayData(View):
    """Data about calls that got a busy tone, since the account has as many as it may."""

    line: Number164 = Field(description="the number of yours that was called")
    from_: str = Field(alias="from", max_length=MAX_SHOWN, description="as the carrier wrote it")
    reason: Reason = Field(description="which limit it was")
    limit: int
    count: int = Field(description="turned away since the event before this one, this one included")
    detail: str = Field(description="what to do")


class QualityData(View):
    """Data of a change in the quality of a call's audio."""

    call_id: str
    quality: Literal["poor", "good"]
    mos: float | Absent = Field(default=None, description="estimated, 1 to 4.5 (ITU-T G.107)")


class NumberData(View):
    """Data of a routing number."""

    number: NumberFacts


class DidData(View):
    """Data of a number of your trunk."""

    number: DidFacts


class ShedData(View):
    """Data about calls through your trunk that were refused."""

    trunk_id: str
    reason: Literal["overload"]
    count: int = Field(ge=1, description="refused since the event before this one")
    detail: str = Field(description="what happened, and what to do")


class NotAddedData(View):
    """Data of a call that came through your trunk. `to` and `from` are text of strangers."""

    trunk_id: str
    to: str = Field(max_length=MAX_SHOWN, description="as the carrier wrote it")
    from_: str = Field(alias="from", max_length=MAX_SHOWN)
    detail: str = Field(description="how to take such calls")


class TrunkData(View):
    """Data of your trunk."""

    trunk: TrunkFacts


class EndpointData(View):
    """Data of a webhook endpoint."""

    endpoint_id: str
    label: str
    host: str = Field(description="of its URL the host alone: URLs hold tokens")


class DisabledData(EndpointData):
    """Data of a webhook endpoint that was disabled."""

    reason: DisabledReason
    detail: str = Field(description="what to do")


class Entry(NamedTuple):
    """An event type: the model of its `data`, and when such an event is written."""

    data: type[BaseModel]
    when: str


_T = EventType

CATALOGUE: dict[EventType, Entry] = {
    _T.CALL_CONNECTING: Entry(
        CallData, "you dialled, and the far end has not answered or rung yet"
    ),
    _T.CALL_RINGING: Entry(CallData, "a call came in, or the one that you dialled rings"),
    _T.CALL_ANSWERED: Entry(CallData, "it was picked up, and audio flows"),
    _T.CALL_MISSED: Entry(CallData, "nobody accepted it within 60 s, or the caller gave up"),
    _T.CALL_DECLINED: Entry(CallData, "you refused it, or the called party did"),
    _T.CALL_ENDED: Entry(CallData, "somebody hung up, or its time was over"),
    _T.CALL_FAILED: Entry(CallData, "it broke, or could not be put through"),
    _T.CALL_QUALITY: Entry(QualityData, "its audio has become poor, or is good again"),
    _T.CALL_ANSWERED_BY: Entry(
        AnsweredByData, "it is known who answered the call that you dialled with `detect_answer`"
    ),
    _T.CALL_MACHINE_GREETING_ENDED: Entry(
        GreetingEndedData, "a machine's greeting is over: leave your message now"
    ),
    _T.CALL_DTMF: Entry(DtmfData, "the far end pressed keys"),
    _T.CALL_SPEECH: Entry(SpeechData, "a text that you have spoken began, or is over"),
    _T.CALL_TRANSCRIPT: Entry(TranscriptData, "the caller said something (hosted voices)"),
    _T.CALL_VOICE: Entry(
        VoiceData, "another voice host has taken the call over: what was not spoken yet is lost"
    ),
    _T.CALL_MEDIA_MOVED: Entry(
        MediaMovedData,
        "the relay that carried it is gone, and another one carries it: audio that was queued and "
        "not played is lost",
    ),
    _T.CALL_HELD: Entry(HeldData, "its far end was put on hold, or has put you on hold"),
    _T.CALL_UNHELD: Entry(HeldData, "it was taken off hold"),
    _T.CALL_TRANSFER_STARTED: Entry(TransferData, "a transfer began: the third party is called"),
    _T.CALL_TRANSFER_ANSWERED: Entry(TransferData, "the third party has answered"),
    _T.CALL_TRANSFER_COMPLETED: Entry(
        TransferData, "the two parties talk to each other; your agent is out"
    ),
    _T.CALL_TRANSFER_FAILED: Entry(
        TransferData, "the third party was not reached, or the transfer was cancelled"
    ),
    _T.CALL_RECORDING_STARTED: Entry(RecordingData, "a call is recorded from now on"),
    _T.CALL_RECORDING_READY: Entry(RecordingReadyData, "its file can be read"),
    _T.CALL_RECORDING_FAILED: Entry(RecordingFailedData, "there is no file of it"),
    _T.CALL_TURNED_AWAY: Entry(
        TurnedAwayData, "calls got a busy tone, as you have as many as you may: once a minute"
    ),
    _T.NUMBER_ACTIVATED: Entry(NumberData, "you activated a routing number"),
    _T.NUMBER_RELEASED: Entry(NumberData, "a routing number was released"),
    _T.NUMBER_ADDED: Entry(DidData, "you added a number of your trunk"),
    _T.NUMBER_REMOVED: Entry(DidData, "you removed a number of your trunk"),
    _T.NUMBER_NOT_ADDED: Entry(NotAddedData, "a call through your trunk was for no number of it"),
    _T.TRUNK_CONNECTED: Entry(TrunkData, "you connected a trunk, or replaced its settings"),
    _T.TRUNK_DISCONNECTED: Entry(TrunkData, "you disconnected it"),
    _T.TRUNK_REGISTERED: Entry(TrunkData, "it can be used now: it is registered, or ready"),
    _T.TRUNK_SHED: Entry(
        ShedData, "calls through it were refused, as we were overloaded: once a minute at most"
    ),
    _T.TRUNK_FAILED: Entry(TrunkData, "it cannot be used: `sip_code` and `detail` say why"),
    _T.WEBHOOK_DISABLED: Entry(DisabledData, "an endpoint answered 410, or took nothing for days"),
    _T.WEBHOOK_TEST: Entry(EndpointData, "you asked for it; it goes to that endpoint alone"),
}


def check(event: Event) -> None:
    """Check an event's data against the catalogue. Raises ValidationError."""
    CATALOGUE[event.type].data.model_validate(event.data)


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of what is posted to endpoints, with one alternative for
    each type.
    """
    definitions: dict[str, Any] = {}
    for entry in CATALOGUE.values():
        made = TypeAdapter(entry.data).json_schema(ref_template="#/$defs/{model}")
        definitions.update(made.pop("$defs", {}))
        definitions[entry.data.__name__] = made
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The body of a delivery",
        "oneOf": [_body(event_type, entry) for event_type, entry in CATALOGUE.items()],
        "$defs": dict(sorted(definitions.items())),
    }


def _body(event_type: EventType, entry: Entry) -> dict[str, Any]:
    properties = {
        "type": {"const": event_type.value},
        "timestamp": {"type": "string", "format": "date-time"},
        "event_id": {"type": "string", "pattern": "^evt_[A-Za-z0-9_-]+$"},
        "call_id": {"type": ["string", "null"]},
        "version": {"type": ["integer", "null"]},
        "data": {"$ref": f"#/$defs/{entry.data.__name__}"},
    }
    return {
        "title": event_type.value,
        "description": entry.when,
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
