"""The catalogue of events: what the `data` of each type holds, and when it comes.

`docs/events.schema.json` is made of this table (`python -m local.event_schemas`), and tests hold
every event that the application makes to it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import BaseModel, Field, TypeAdapter

from chalicelib.domain.call_id import CALL_ID
from chalicelib.domain.endpoint import DisabledReason
from chalicelib.domain.event import Event, EventType
from chalicelib.domain.foreign_text import MAX_SHOWN
from chalicelib.handlers.views import CallFacts, DidFacts, NumberFacts, TrunkFacts, View


class CallData(View):
    """Of a transition of a call."""

    call: CallFacts = Field(description="the call at that moment")


class DtmfData(View):
    """Keys that the far end pressed, in order."""

    call_id: str = Field(pattern=f"^{CALL_ID.pattern}$")
    digits: str = Field(pattern=r"^[0-9*#A-D]{1,64}$")


class NumberData(View):
    """Of a routing number."""

    number: NumberFacts


class DidData(View):
    """Of a number of your trunk."""

    number: DidFacts


class NotAddedData(View):
    """Of a call that your trunk brought. `to` and `from` are text of strangers."""

    trunk_id: str
    to: str = Field(max_length=MAX_SHOWN, description="as the carrier wrote it")
    from_: str = Field(alias="from", max_length=MAX_SHOWN)
    detail: str = Field(description="how to take such calls")


class TrunkData(View):
    """Of your trunk."""

    trunk: TrunkFacts


class EndpointData(View):
    """Of a webhook endpoint."""

    endpoint_id: str
    label: str
    host: str = Field(description="of its URL the host alone: URLs hold tokens")


class DisabledData(EndpointData):
    """Of a webhook endpoint that gets nothing any more."""

    reason: DisabledReason
    detail: str = Field(description="what to do")


class Entry(NamedTuple):
    """One type: the shape of its `data`, and when it comes."""

    data: type[BaseModel]
    when: str


_T = EventType

CATALOGUE: dict[EventType, Entry] = {
    _T.CALL_CONNECTING: Entry(CallData, "you dialled, and the far end has not been heard yet"),
    _T.CALL_RINGING: Entry(CallData, "a call came in, or the one that you dialled rings"),
    _T.CALL_ANSWERED: Entry(CallData, "it was picked up, and audio flows"),
    _T.CALL_MISSED: Entry(CallData, "nobody accepted it within 60 s, or the caller gave up"),
    _T.CALL_DECLINED: Entry(CallData, "you refused it, or the called party did"),
    _T.CALL_ENDED: Entry(CallData, "somebody hung up, or its time was over"),
    _T.CALL_FAILED: Entry(CallData, "it broke, or could not be put through"),
    _T.CALL_DTMF: Entry(DtmfData, "the far end pressed keys"),
    _T.NUMBER_ACTIVATED: Entry(NumberData, "a routing number came"),
    _T.NUMBER_RELEASED: Entry(NumberData, "a routing number went"),
    _T.NUMBER_ADDED: Entry(DidData, "a number of your trunk came"),
    _T.NUMBER_REMOVED: Entry(DidData, "a number of your trunk went"),
    _T.NUMBER_NOT_ADDED: Entry(NotAddedData, "a call through your trunk was for no number of it"),
    _T.TRUNK_CONNECTED: Entry(TrunkData, "you connected your trunk, or set it anew"),
    _T.TRUNK_DISCONNECTED: Entry(TrunkData, "you disconnected it"),
    _T.TRUNK_REGISTERED: Entry(TrunkData, "it is registered now"),
    _T.TRUNK_FAILED: Entry(TrunkData, "it is not registered: `sip_code` and `detail` say why"),
    _T.WEBHOOK_DISABLED: Entry(DisabledData, "an endpoint answered 410, or took nothing for days"),
    _T.WEBHOOK_TEST: Entry(EndpointData, "you asked for it; it goes to that endpoint alone"),
}


def check(event: Event) -> None:
    """ValidationError if an event's data is not as the catalogue has it."""
    CATALOGUE[event.type].data.model_validate(event.data)


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of what is posted to endpoints: one alternative a type."""
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
