"""Models of the API's answers, as frozen dataclasses.

Members that a newer server adds are only in `raw`; values of an open set, such as states, are plain
strings, so that a new one is no error. Times are aware datetimes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chamade.decoding import Shown, decode

LIVE_STATES = frozenset({"connecting", "ringing", "active"})
"""States of a call that is not over."""


@dataclass(frozen=True, kw_only=True)
class Audio(Shown):
    """The URL of a call's audio, and the token for it."""

    url: str
    token: str = field(repr=False)
    expires_at: datetime | None = None
    format: str = "pcm_s16le"
    sample_rate: int = 16000
    frame_bytes: int = 640


@dataclass(frozen=True, kw_only=True)
class VoiceSettings(Shown):
    """The settings of a hosted voice. None stands for the usual language or voice."""

    language: str | None = None
    name: str | None = None
    speed: float = 1.0
    transcript: bool = True
    partials: bool = False


@dataclass(frozen=True, kw_only=True)
class CurrentRecording(Shown):
    """The recording that a call has now. `state`: `on` or `paused`."""

    recording_id: str
    state: str


@dataclass(frozen=True, kw_only=True)
class HistoryEntry(Shown):
    """One transition of a call."""

    version: int
    state: str
    at: datetime
    end_reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Transfer(Shown):
    """The last transfer of a call. `call_id`: the third party's call, if it is one of yours; `why`:
    why it failed.
    """

    transfer_id: str
    mode: str
    to: str
    state: str
    call_id: str | None = None
    sip_code: int | None = None
    why: str | None = None


@dataclass(frozen=True, kw_only=True)
class Call(Shown):
    """A call. `from_` is who calls, `line` the number of yours, `audio` None once it is over.
    `agent_detail`: why the agent at `agent_url` was not reached, and what to do; None if it was.
    `voice_detail`: why no hosted voice answered it at once, though its number says so. `hold`: who
    holds it, None if nobody does. `parent_call_id`: the call for whose transfer this one is.
    """

    call_id: str
    version: int
    state: str
    direction: str
    from_: str
    to: str
    line: str
    created_at: datetime
    updated_at: datetime
    ring_deadline: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None
    sip_code: int | None = None
    platform: str = "sip"
    forwarded_from: str | None = None
    caller_name: str | None = None
    answered_by: str | None = None
    greeting_ended_by: str | None = None
    stir_verstat: str | None = None
    sip_headers: dict[str, str] = field(default_factory=dict)
    provider: str = ""
    provider_call_id: str | None = None
    trunk: str | None = None
    agent_detail: str | None = None
    voice: str = "own"
    voice_settings: VoiceSettings | None = None
    voice_detail: str | None = None
    recording: CurrentRecording | None = None
    hold: str | None = None
    transfer: Transfer | None = None
    kind: str | None = None
    parent_call_id: str | None = None
    auto_answer: bool = False
    max_duration_s: int = 0
    metadata: dict[str, Any] = field(default_factory=dict)
    history: tuple[HistoryEntry, ...] = ()
    capabilities: tuple[str, ...] = ()
    audio: Audio | None = None
    facts: dict[str, Any] | None = None
    """The quality of its audio (docs/api.md), once something is known; None in lists."""

    @property
    def over(self) -> bool:
        """Return whether the call is in any of the final states, new ones included."""
        return self.state not in LIVE_STATES

    @property
    def transferred(self) -> bool:
        """Return whether its far end talks to a third party."""
        return self.transfer is not None and self.transfer.state == "completed"

    @property
    def hosted(self) -> bool:
        """Return whether a hosted voice speaks in it."""
        return self.voice == "hosted"


@dataclass(frozen=True, kw_only=True)
class Clip(Shown):
    """A clip that callers can hear on hold."""

    name: str
    duration_ms: int = 0
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Clips(Shown):
    """Your clips by name, and how many there may be."""

    clips: tuple[Clip, ...] = ()
    limit: int = 0


@dataclass(frozen=True, kw_only=True)
class Number(Shown):
    """A routing number of yours."""

    e164: str
    country: str = ""
    auto_answer: bool = False
    label: str = ""
    agent_url: str | None = None
    voice: str = "own"
    voice_settings: VoiceSettings | None = None
    recording: str = "off"
    recording_announce: str = "beep"
    activated_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Did(Shown):
    """A number of your trunk. `called_at`: when a call to it first came in through the trunk."""

    e164: str
    label: str = ""
    auto_answer: bool = False
    agent_url: str | None = None
    voice: str = "own"
    voice_settings: VoiceSettings | None = None
    recording: str = "off"
    recording_announce: str = "beep"
    added_at: datetime | None = None
    called_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Trunk(Shown):
    """A SIP trunk of yours. `detail` says what to do about a `status` that is `failed`. A `port` of
    None is found by DNS.
    """

    trunk_id: str
    host: str
    status: str
    name: str = "main"
    port: int | None = None
    username: str | None = None
    transport: str = "udp"
    provider: str = "gateway"
    realm: str | None = None
    caller_id: str | None = None
    allowed_countries: tuple[str, ...] = ()
    auth: str = "register"
    networks: tuple[str, ...] = ()
    srtp: str = "off"
    outbound_proxy: str | None = None
    user_phone: bool = False
    number_format: str = "e164"
    dial_prefix: str = ""
    country: str | None = None
    caller_id_in: str = "auto"
    keep_alive: str = "none"
    fallback: tuple[str, ...] = ()
    revision: int = 0
    sip_code: int | None = None
    detail: str | None = None
    status_at: datetime | None = None
    inbound_uri: str | None = None
    dids: tuple[Did, ...] = ()

    def sip_uri(self, number: str) -> str:
        """Return the SIP URI that dials a number, `+33…`, through this trunk."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"sip:{number}@{host}"


@dataclass(frozen=True, kw_only=True)
class TrunkPreset(Shown):
    """The settings that trunks of a carrier or a PBX need. `ask`: what only you know."""

    preset: str
    title: str
    kind: str = "carrier"
    settings: dict[str, Any] = field(default_factory=dict)
    ask: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    source: str = ""
    checked: str = "documentation"


@dataclass(frozen=True, kw_only=True)
class Event(Shown):
    """Something that happened. `data` is as the API shows the thing; `call` the call, if any."""

    event_id: str
    type: str
    at: datetime
    call_id: str | None = None
    version: int | None = None
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def call(self) -> Call | None:
        """Return the call at that moment, without `audio`."""
        shown = self.data.get("call")
        return decode(Call, shown) if isinstance(shown, dict) else None


@dataclass(frozen=True, kw_only=True)
class Key(Shown):
    """An API key, without the secret that was shown once."""

    key_id: str
    label: str = ""
    last4: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class NewKey(Key):
    """A new key, in clear: the only time that it is shown."""

    key: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Account(Shown):
    """Your account and its limits."""

    account_id: str
    name: str = ""
    created_at: datetime | None = None
    limits: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class NewAccount(Account):
    """A new account with its first key, in clear: the only time that it is shown."""

    key: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class AgentToken(Shown):
    """The secret by which your agent recognises the API's connections, and its version."""

    token: str = field(repr=False)
    version: int = 1


@dataclass(frozen=True, kw_only=True)
class Endpoint(Shown):
    """A URL of yours to which events are posted."""

    endpoint_id: str
    url: str
    events: tuple[str, ...] = ()
    label: str = ""
    enabled: bool = True
    disabled_reason: str | None = None
    failing_since: datetime | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class NewEndpoint(Endpoint):
    """A new endpoint with its secret, `whsec_…`, in clear: the only time that it is shown."""

    secret: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Delivery(Shown):
    """An event on its way to an endpoint, or there. `status` is the endpoint's last answer."""

    delivery_id: str
    endpoint_id: str
    event_id: str
    type: str
    state: str
    attempts: int = 0
    status: int | None = None
    error: str | None = None
    next_at: datetime | None = None
    created_at: datetime | None = None
