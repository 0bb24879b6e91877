"""What the services reach the world through; handed in by `bootstrap.py` (or by a test)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from chalicelib.providers.base import Provider
from chalicelib.store.accounts import AccountStore
from chalicelib.store.calls import CallStore
from chalicelib.store.events import EventStore
from chalicelib.store.lines import LineStore
from chalicelib.store.ring_timer import RingTimer


@dataclass(frozen=True)
class Ports:
    """Stores, providers and the clock (`now()` is epoch ms, `pause()` takes seconds)."""

    accounts: AccountStore
    calls: CallStore
    events: EventStore
    lines: LineStore
    timer: RingTimer
    providers: Mapping[str, Provider]
    now: Callable[[], int]
    pause: Callable[[float], None]
    token_secret: str = field(repr=False)
    relay_url: str
