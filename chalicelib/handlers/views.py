"""The models of answers, as the description of the API shows them.

The domain's `public_view` functions make the answers; a test checks every answer against its model.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from chalicelib.domain.answered import AnsweredBy, EndedBy
from chalicelib.domain.call_id import CALL_ID
from chalicelib.domain.call_line import TransferState
from chalicelib.domain.call_transitions import CallState, Direction, EndReason
from chalicelib.domain.event import EventType
from chalicelib.domain.model import Strict
from chalicelib.domain.recording import RECORDING_ID, Announce, Choice
from chalicelib.domain.trunk_fields import Provider
from chalicelib.domain.voice import Voice

Time = Annotated[
    str, Field(examples=["2026-11-22T15:36:40.011Z"], json_schema_extra={"format": "date-time"})
]
"""RFC 3339 UTC with milliseconds."""

Number164 = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$", examples=["+33199005678"])]


Absent = SkipJsonSchema[None]
"""None in a model for what the answer lacks: it is never null there."""


def _without_defaults(schema: dict[str, Any]) -> None:
    for member in schema.get("properties", {}).values():
        member.pop("default", None)  # what an answer lacks has no value


class View(Strict):
    """The base of models of an answer, or of a part of one."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)


class VoiceFacts(View):
    """Settings of a hosted voice, and of what is kept of what is said."""

    language: str | None = Field(description="BCP 47; null: the voice host's usual one")
    name: str | None = Field(description="a voice of `GET /api/voices`; null: the usual one")
    speed: float
    transcript: bool
    partials: bool


class NumberFacts(View):
    """A routing number, without its agent's URL: such URLs hold tokens."""

    e164: Number164
    country: str = Field(description="ISO 3166, two letters", examples=["US"])
    auto_answer: bool = Field(description="calls are answered at once")
    label: str
    voice: Voice = Field(description="who speaks in its calls: an agent, or this service")
    voice_settings: VoiceFacts | None
    recording: Choice = Field(description="whether its calls are recorded")
    recording_announce: Announce = Field(description="what the far end hears when it begins")
    activated_at: Time | None


class Number(NumberFacts):
    """A routing number: calls to it ring here."""

    agent_url: str | None = Field(description="the agent that we dial when a call is answered")


class Numbers(View):
    """The account's routing numbers."""

    numbers: list[Number]


class Audio(View):
    """The call's audio socket. Open `url` with `Authorization: Bearer <token>`."""

    url: str = Field(description="a WebSocket", examples=["wss://relay.example/media/agent/call_…"])
    token: str = Field(description="opens the audio of this call, and nothing else")
    expires_at: Time
    format: Literal["pcm_s16le"]
    sample_rate: Literal[16000]
    channels: Literal[1]
    frame_duration_ms: Literal[20]
    frame_bytes: Literal[640]


class HistoryEntry(View):
    """One transition of a call."""

    version: int
    state: CallState
    at: Time
    end_reason: EndReason | None


class TransferFacts(View):
    """The last transfer of a call."""

    transfer_id: str
    mode: Literal["cold", "warm", "refer"]
    to: str = Field(description="the third party")
    state: TransferState
    call_id: str | Absent = Field(
        default=None,
        description="the third party's call; not there where the caller's network dials",
    )
    sip_code: int | Absent = Field(
        default=None, description="only there if it failed: the last SIP answer, if it is known"
    )
    why: str | Absent = Field(
        default=None,
        description="only there if it failed or was cancelled: the `end_reason` of the third "
        "party's call, `cancelled`, or `call_over`",
    )


class Clip(View):
    """A clip that callers can hear on hold."""

    name: str = Field(examples=["on-hold"])
    duration_ms: int
    created_at: Time


class Clips(View):
    """The account's clips, by name."""

    clips: list[Clip]
    limit: int = Field(description="clips that there may be")


class CurrentRecording(View):
    """The recording that a call has now."""

    recording_id: str = Field(pattern=f"^{RECORDING_ID.pattern}$")
    state: Literal["on", "paused"]


class CallFacts(View):
    """A call, without its audio."""

    call_id: str = Field(pattern=f"^{CALL_ID.pattern}$")
    version: int = Field(description="counts the call's transitions")
    state: CallState = Field(
        description="`connecting`, `ringing` and `active` are live; the others are final"
    )
    end_reason: EndReason | None = Field(description="why it is over")
    sip_code: int | None = Field(description="the far end's last SIP answer, if it is known")
    platform: Literal["sip"]
    direction: Direction
    from_: str = Field(alias="from", description="who calls, as the network says")
    to: str = Field(description="who is called")
    line: str = Field(description="the number of yours that the call is on")
    forwarded_from: str | None
    caller_name: str | Absent = Field(
        default=None,
        description="only there if it is known: the name of who calls. Of a call that came in it "
        "is a stranger's text; of one that you dial, the name that you gave",
    )
    stir_verstat: str | Absent = Field(
        default=None,
        description="only there if the network says whether `from` is really who calls (STIR)",
        examples=["TN-Validation-Passed-A"],
    )
    sip_headers: dict[str, str] | Absent = Field(
        default=None,
        description="only there if there are any: headers of the INVITE, `X-…` and User-to-User. "
        "Of a call that came in they are a stranger's text; of one that you dial, what you gave",
        examples=[{"X-Order": "4711"}],
    )
    provider: str
    provider_call_id: str | None
    trunk: str | Absent = Field(
        default=None,
        description="only there if it goes through a trunk: its name. `from` and `line` are the "
        "number that this trunk shows",
    )
    agent_detail: str | Absent = Field(
        default=None,
        description="only there if the agent at `agent_url` was not reached: why, and what to do",
    )
    voice: Literal["hosted"] | Absent = Field(
        default=None, description="only there if this service speaks in it, the texts that you send"
    )
    voice_settings: VoiceFacts | Absent = Field(
        default=None, description="only there with `voice`, if they are not the usual ones"
    )
    voice_detail: str | Absent = Field(
        default=None,
        description="only there if no voice host could answer at once, as the number's "
        "`auto_answer` wants: why. It rings on, and can be accepted",
    )
    hold: Literal["agent", "transfer", "far_end"] | Absent = Field(
        default=None,
        description="only there if it is on hold: who put it there; `far_end`: the other party",
    )
    transfer: TransferFacts | Absent = Field(
        default=None, description="only there if it was transferred, or is to be"
    )
    kind: Literal["transfer_leg"] | Absent = Field(
        default=None, description="only there in a call to the third party of a transfer"
    )
    parent_call_id: str | Absent = Field(
        default=None, description="only there with `kind`: the call that is transferred"
    )
    answered_by: AnsweredBy | Absent = Field(
        default=None, description="only there if you asked for it, and it is known: who answered"
    )
    greeting_ended_by: EndedBy | Absent = Field(
        default=None,
        description="only there if you asked for it, and a machine's greeting is over: by its "
        "`beep`, by `silence`, or since it took too long (`timeout`)",
    )
    recording: CurrentRecording | Absent = Field(
        default=None, description="only there while it is recorded"
    )
    auto_answer: bool
    created_at: Time
    updated_at: Time
    ring_deadline: Time = Field(description="it does not ring longer than until then")
    answered_at: Time | None
    ended_at: Time | None
    max_duration_s: int
    metadata: dict[str, Any] = Field(description="what you attached when dialling")
    history: list[HistoryEntry]
    capabilities: list[Literal["audio_in", "audio_out"]]


class TranscriptEntry(View):
    """An entry of a transcript. Times are in ms since the call was answered."""

    sequence: int = Field(description="rises from entry to entry")
    speaker: Literal["caller", "agent"]
    text: str = Field(description="of the caller, or of yours what was heard of it")
    final: Literal[True]
    started_ms: int
    ended_ms: int
    confidence: float | None = Field(description="0 to 1, if it is known; of the caller's only")
    utterance_id: str | None = Field(description="of yours only")
    interrupted: bool | None = Field(description="whether it was cut short; of yours only")


class Call(CallFacts):
    """A call."""

    audio: Audio | None = Field(description="null once the call is over")
    transcript: list[TranscriptEntry] | Absent = Field(
        default=None, description="only there if it was asked for, and its voice is hosted"
    )


class OfferedVoice(View):
    """A voice that can speak in calls."""

    name: str = Field(description="as `voice_settings.name` takes it", examples=["Joanna"])
    language: str = Field(description="BCP 47", examples=["en-US"])
    engine: str = Field(description="what makes its speech", examples=["aws"])


class Voices(View):
    """The hosted voices of this installation."""

    voices: list[OfferedVoice]
    languages: list[str] = Field(description="that are understood, BCP 47", examples=[["en-US"]])


class Calls(View):
    """A page of calls, newest first."""

    calls: list[Call]
    next_cursor: str | None = Field(description="hand it back as `cursor`; null at the end")


class Event(View):
    """Something that happened."""

    event_id: str
    type: EventType
    at: Time
    call_id: str | None
    version: int | None = Field(description="the call's version that this event made")
    data: dict[str, Any] = Field(description="the thing, as it was at that moment")


class Events(View):
    """The events after the cursor."""

    events: list[Event]
    cursor: str = Field(description="hand it back as `after`")


class Key(View):
    """An API key, without its secret."""

    key_id: str
    last4: str = Field(description="its last four characters")
    label: str
    created_at: Time
    last_used_at: Time | None = Field(description="to the hour")


class Keys(View):
    """The account's keys."""

    keys: list[Key]


class KeyWithSecret(Key):
    """A key with its secret, which no other answer shows."""

    key: str = Field(description="keep it: no other answer shows it")


class Limits(View):
    """The account's limits; the operator can set others."""

    max_numbers: int
    max_keys: int
    max_concurrent_calls: int = Field(
        description="calls of both directions that are not over; beyond it callers get a busy tone"
    )
    max_concurrent_dials: int = Field(description="of these, calls that you dialled")
    max_dials_per_minute: int
    max_call_s: int = Field(description="seconds that a call lasts at most, of both directions")
    max_waiting_polls: int = Field(description="requests for events that wait at the same time")


class Account(View):
    """An account."""

    account_id: str
    name: str
    created_at: Time
    hosted_voice: bool = Field(description="takes part in the closed beta of hosted speech")
    limits: Limits


class AccountWithKey(Account):
    """An account with its first key, which no other answer shows."""

    key_id: str
    key: str = Field(description="keep it: no other answer shows it")


class Session(View):
    """The session of the dashboard."""

    account_id: str
    account_name: str
    key: Key = Field(description="the key that was shown; the session ends with it")
    expires_at: Time
    limits: Limits


class Service(View):
    """The offer of this installation."""

    sign_up: Literal["open", "closed"] = Field(description="whether anybody can open an account")
    countries: list[str] = Field(
        description="of the routing numbers there are; ISO 3166, two letters",
        examples=[["FR", "US"]],
    )
    trunk_providers: list[Provider] = Field(description="of trunks that can be connected")
    test_calls: bool = Field(description="whether numbers can be called from a browser")
    version: str


class TestCall(View):
    """A call that a browser can place, once."""

    __test__ = False  # pytest must not collect it

    url: str = Field(
        description="a WebSocket; opening it places the call",
        examples=["wss://gateway.example/legs/call?ticket=…"],
    )
    expires_at: Time = Field(description="until when it can be opened")
    to: Number164
    from_: str = Field(alias="from", examples=["client:dashboard"])
    format: Literal["mulaw"]
    sample_rate: Literal[8000]
    frame_duration_ms: Literal[20]
    frame_bytes: Literal[160]


class AgentToken(View):
    """The token that our handshakes with your agent carry."""

    token: str
    version: int = Field(description="counts the tokens of the account")
