"""What the services reach the world through; handed in by `bootstrap.py` (or by a test)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from chalicelib.providers.base import Provider
from chalicelib.providers.outgoing_http import Poster
from chalicelib.providers.test_calls import TestCalls
from chalicelib.providers.trunk_host import TrunkHost
from chalicelib.store.accounts import AccountStore
from chalicelib.store.calls import CallStore
from chalicelib.store.courier import Courier
from chalicelib.store.deliveries import DeliveryStore
from chalicelib.store.dialling import DiallingStore
from chalicelib.store.dids import DidStore
from chalicelib.store.endpoints import EndpointStore
from chalicelib.store.events import EventStore
from chalicelib.store.idempotency import IdempotencyStore
from chalicelib.store.lines import LineStore
from chalicelib.store.rate_limits import RateLimitStore
from chalicelib.store.ring_timer import RingTimer
from chalicelib.store.trunk_limits import TrunkLimits
from chalicelib.store.trunks import TrunkStore
from chalicelib.store.vault import Vault


@dataclass(frozen=True)
class Ports:
    """Stores, providers and the clock (`now()` is epoch ms, `pause()` takes seconds)."""

    accounts: AccountStore
    calls: CallStore
    deliveries: DeliveryStore
    dialling: DiallingStore
    endpoints: EndpointStore
    events: EventStore
    idempotency: IdempotencyStore
    lines: LineStore
    rate_limits: RateLimitStore
    dids: DidStore
    trunks: TrunkStore
    trunk_limits: TrunkLimits
    timer: RingTimer
    courier: Courier
    poster: Poster
    providers: Mapping[str, Provider]
    now: Callable[[], int]
    pause: Callable[[float], None]
    token_secret: str = field(repr=False)
    relay_url: str
    agent_token_secret: str = field(default="", repr=False)
    """What accounts' agent tokens are derived from; blank: from the oldest of `token_secret`."""
    vault: Vault | None = field(default=None, repr=False)
    """Seals trunks' passwords; without one no trunk can be connected."""
    trunk_host: TrunkHost | None = None
    """Who registers trunks; None without a gateway."""
    test_calls: TestCalls | None = None
    """Who takes calls from browsers; None where nobody does."""
    twilio_sip_domain: str | None = None
    """Where trunks of provider twilio send their calls."""
    private_trunks: bool = False
    """Whether a trunk's host may be one of our own network."""
    private_webhooks: bool = False
    """Whether a webhook endpoint may be in our own network, and http://."""
    sign_up_open: bool = True
    """Whether anybody may open an account."""
