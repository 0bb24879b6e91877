"""Stores, providers and the clock of the services; made by `bootstrap.py` (or by a test)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chalicelib.domain.delivery_bounds import TRIES_AT_ONCE
from chalicelib.providers.base import Provider
from chalicelib.providers.browser_calls import BrowserCalls
from chalicelib.providers.outgoing_http import Poster
from chalicelib.providers.trunk_host import TrunkHost
from chalicelib.store.accounts import AccountStore
from chalicelib.store.call_lines import CallLineStore
from chalicelib.store.call_media import MediaStore
from chalicelib.store.calls import CallStore
from chalicelib.store.clips import ClipStore
from chalicelib.store.deliveries import DeliveryStore
from chalicelib.store.dialling import DiallingStore
from chalicelib.store.dids import DidStore
from chalicelib.store.endpoints import EndpointStore
from chalicelib.store.events import EventStore
from chalicelib.store.gateway_leases import GatewayLeases
from chalicelib.store.idempotency import IdempotencyStore
from chalicelib.store.keypads import KeypadStore
from chalicelib.store.lines import LineStore
from chalicelib.store.places import PlaceStore
from chalicelib.store.rate_limits import RateLimitStore
from chalicelib.store.recordings import RecordingStore
from chalicelib.store.timers import DeliveryScheduler, RingTimer
from chalicelib.store.transcripts import TranscriptStore
from chalicelib.store.trunk_limits import TrunkLimits
from chalicelib.store.trunks import TrunkStore
from chalicelib.store.turned_away import TurnedAwayStore
from chalicelib.store.vault import Vault
from chalicelib.store.waiting import WaitingStore

if TYPE_CHECKING:
    from chalicelib.providers.relay_door import RelayDoor
    from chalicelib.providers.voice_hosts import VoiceHosts
    from chalicelib.store.objects import Composer, ObjectStore


@dataclass(frozen=True)
class Stores:
    """The stores, one for each aggregate."""

    accounts: AccountStore
    call_lines: CallLineStore
    calls: CallStore
    media: MediaStore
    clips: ClipStore
    deliveries: DeliveryStore
    dialling: DiallingStore
    dids: DidStore
    endpoints: EndpointStore
    events: EventStore
    gateway_leases: GatewayLeases
    idempotency: IdempotencyStore
    keypads: KeypadStore
    lines: LineStore
    places: PlaceStore
    rate_limits: RateLimitStore
    recordings: RecordingStore
    transcripts: TranscriptStore
    trunk_limits: TrunkLimits
    trunks: TrunkStore
    turned_away: TurnedAwayStore
    waiting: WaitingStore


@dataclass(frozen=True)
class Timers:
    """Step Functions: the deadline of a call that rings, and the tries of a delivery."""

    ring: RingTimer
    deliveries: DeliveryScheduler


@dataclass(frozen=True)
class Secrets:
    """Secrets that tokens are signed with. Each may hold several, comma-separated, newest first."""

    tokens: str = field(repr=False)
    media: str = field(repr=False)
    """The secret of tokens for audio sockets; relays have it, too, since they check the tokens."""
    agent_tokens: str = field(default="", repr=False)
    """The secret from which agent tokens are derived; blank: the oldest of `tokens`."""


@dataclass(frozen=True)
class Settings:
    """The operator's settings that use cases read."""

    relay_url: str
    twilio_sip_domain: str | None = None
    """The SIP domain to which trunks of provider twilio send their calls."""
    private_trunks: bool = False
    """True if a trunk's host may be one of our own network."""
    trunks_by_address: bool = True
    """True if a trunk may place calls without a registration (`auth: ip`): its carrier knows only
    the address of this installation, which all accounts have in common."""
    own_hosts: frozenset[str] = frozenset()
    """Host names of this installation (as `parse_host` writes them), which no trunk may have."""
    private_webhooks: bool = False
    """True if a webhook endpoint may be in our own network, and http://."""
    tries_at_once: int = TRIES_AT_ONCE
    """Tries of an account's deliveries at a time; of `call.ringing` half as many more."""
    many_gateways: bool = False
    """True if there are several gateways, which divide the trunks by leases."""
    sign_up_open: bool = True
    """True if anybody may open an account."""


@dataclass(frozen=True)
class RecordingStorage:
    """The storage of recordings, the function that composes them, for how long they are kept, and
    how many bytes of an account are kept at most.
    """

    objects: ObjectStore
    composer: Composer
    kept_ms: int
    account_bytes: int


@dataclass(frozen=True)
class Dependencies:
    """Everything that a use case works with. `now()` is epoch ms, `pause()` takes seconds."""

    stores: Stores
    timers: Timers
    providers: Mapping[str, Provider]
    poster: Poster
    """Posts events to webhook endpoints."""
    now: Callable[[], int]
    pause: Callable[[float], None]
    secrets: Secrets
    settings: Settings
    vault: Vault | None = field(default=None, repr=False)
    """Seals trunks' passwords; without one no trunk can be connected."""
    trunk_host: TrunkHost | None = None
    """The host that registers trunks; None without a gateway."""
    test_calls: BrowserCalls | None = None
    """Takes calls from browsers; None where there are none."""
    relay_door: RelayDoor | None = None
    """The way to the relays that hold calls; None: they are not reached, and ask by themselves."""
    voice_hosts: VoiceHosts | None = None
    """Speak and hear for agents without audio; None where there are none."""
    recordings: RecordingStorage | None = None
    """The storage of recordings; None: calls are not recorded."""
