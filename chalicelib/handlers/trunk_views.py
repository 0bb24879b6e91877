"""The models of answers about trunks and their numbers, as `views.py` has those of other things."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chalicelib.domain.recording import Announce, Choice
from chalicelib.domain.trunk import TrunkStatus
from chalicelib.domain.trunk_fields import (
    NAME_PATTERN,
    Auth,
    CallerIdIn,
    KeepAlive,
    NumberFormat,
    Provider,
    Srtp,
    Transport,
)
from chalicelib.domain.voice import Voice
from chalicelib.handlers.views import Absent, Number164, Time, View, VoiceFacts


class DidFacts(View):
    """A number of the trunk, without its agent's URL."""

    e164: Number164
    trunk_id: str
    label: str
    auto_answer: bool
    voice: Voice = Field(description="who speaks in its calls: an agent, or this service")
    voice_settings: VoiceFacts | None
    recording: Choice = Field(description="whether its calls are recorded")
    recording_announce: Announce = Field(description="what the far end hears when it begins")
    added_at: Time
    called_at: Time | None = Field(
        description="when the first call to it came in through the trunk; from then on it may be "
        "a caller ID"
    )


class Did(DidFacts):
    """A number of the trunk."""

    agent_url: str | None


class TrunkFacts(View):
    """A SIP trunk, without its password and its numbers."""

    trunk_id: str
    name: str = Field(pattern=NAME_PATTERN, description="what you call it; `main` at first")
    provider: Provider
    host: str
    port: int | None = Field(description="null: found by DNS")
    transport: Transport
    username: str | None
    realm: str | None
    caller_id: Number164 | None
    allowed_countries: list[str]
    auth: Auth
    networks: list[str]
    srtp: Srtp
    outbound_proxy: str | None
    user_phone: bool
    number_format: NumberFormat
    dial_prefix: str
    country: str | None
    caller_id_in: CallerIdIn
    keep_alive: KeepAlive
    fallback: list[str]
    revision: int = Field(description="counts what you have set")
    status: TrunkStatus = Field(
        description="`registered`, or `ready` with auth `ip`: it can be dialled through"
    )
    sip_code: int | None = Field(description="the carrier's answer, if it gave one")
    detail: str = Field(description="what to do, if something is wrong")
    status_at: Time
    created_at: Time
    updated_at: Time
    inbound_uri: str | Absent = Field(
        default=None, description="provider `twilio` alone: where your trunk sends its calls"
    )


class Trunk(TrunkFacts):
    """A SIP trunk, without its password."""

    dids: list[Did]


class Trunks(View):
    """The account's trunks: `main` first, then by name."""

    trunks: list[Trunk]


class TrunkPreset(View):
    """The settings that trunks of a carrier or a PBX need."""

    preset: str = Field(examples=["asterisk"])
    title: str
    kind: Literal["carrier", "pbx"]
    settings: dict[str, Any] = Field(description="members of the body of `connect_named_trunk`")
    ask: list[str] = Field(description="members that only you know")
    notes: list[str] = Field(description="what to do at the carrier or the PBX")
    source: str = Field(description="the page that the facts are from")
    checked: Literal["documentation", "tests"] = Field(
        description="whether the settings are only read there, or also tested"
    )


class TrunkPresets(View):
    """The presets of this installation."""

    presets: list[TrunkPreset]
