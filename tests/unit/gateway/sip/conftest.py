from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator

import pytest

from gateway.calls.leg import Destination
from gateway.config import Config
from gateway.legs.sip.sip_legs import SipLegs
from gateway.trunks.trunk import Trunk
from local.sip_phone import SipPhone, Talking, sip_phone
from tests.support.ports import HOST, free_port, free_ports

TRUNK_A, TRUNK_B = "trunk_" + "a" * 26, "trunk_" + "c" * 26
CALLER, CALLED = "+33199005678", "+33199001234"
WITHIN_S = 10
_PAIRS = 40


class RecordingCall:
    """A call that records its leg's reports, as (name, arguments…)."""

    def __init__(self) -> None:
        self.events: list[tuple] = []
        self.news = asyncio.Event()

    def __getattr__(self, name):
        def note(*arguments):
            self.events.append((name, *arguments))
            self.news.set()

        return note

    @property
    def names(self) -> list[str]:
        """What was reported, but for the audio and its facts."""
        return [name for name, *_ in self.events if name not in {"on_audio", "on_media"}]

    async def hears(self, name: str) -> tuple:
        """Wait for the first event of that name; return it."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                self.news.clear()
                for event in self.events:
                    if event[0] == name:
                        return event
                await self.news.wait()


class RecordingExchange:
    """An exchange that admits every call, and hands out its leg, its call and the facts."""

    def __init__(self) -> None:
        self.admitted: asyncio.Queue = asyncio.Queue()
        self.full: set[str] = set()

    def trunk_full(self, trunk_id):
        return trunk_id in self.full

    def admit(self, leg, **facts):
        call = RecordingCall()
        leg.attach(call, "CA1")
        self.admitted.put_nowait((leg, call, facts))

    async def next(self):
        return await asyncio.wait_for(self.admitted.get(), WITHIN_S)


@contextlib.asynccontextmanager
async def sip_legs(servers=None, **settings) -> AsyncIterator[SipLegs]:
    """The SIP of a gateway on loopback, and a queue of what it says of trunks."""
    statuses: asyncio.Queue = asyncio.Queue()
    first = free_ports(2 * _PAIRS)
    defaults = {
        "account_sid": "AC" + "0" * 32,
        "auth_token": "t",
        "voice_url": "http://127.0.0.1:1/",
        "allow_private_trunks": True,
        "sip_port": free_port(),
        "rtp_ports": (first, first + 2 * _PAIRS - 1),
    }
    config = Config(**{**defaults, **settings})
    exchange = RecordingExchange()
    legs = SipLegs(config, exchange, lambda *status: statuses.put_nowait(status), servers)
    legs.statuses, legs.exchange = statuses, exchange
    legs.uri = f"sip:{CALLED}@{HOST}:{config.sip_port}"
    await legs.start()
    try:
        yield legs
    finally:
        await legs.stop()


@pytest.fixture
async def legs():
    async with sip_legs() as made:
        yield made


@pytest.fixture
async def phone():
    async with sip_phone(free_port()) as made:
        yield made


def trunk(trunk_id: str, port: int) -> Trunk:
    return Trunk(
        trunk_id=trunk_id,
        revision=1,
        host="127.0.0.1",
        port=port,
        transport="udp",
        username="acct",
        password="s3cret",
    )


async def applied(legs: SipLegs, wanted: Trunk, until: str) -> None:
    """Apply a trunk; wait until its registration has come that far."""
    legs.apply(wanted)
    async with asyncio.timeout(WITHIN_S):
        while True:
            trunk_id, revision, status, *_ = await legs.statuses.get()
            if (trunk_id, revision, status) == (wanted.trunk_id, wanted.revision, until):
                return


def by_address(trunk_id: str, port: int, **settings) -> Trunk:
    """A trunk without an account: its carrier knows us by our address, and we it by its network."""
    return Trunk(
        trunk_id=trunk_id,
        revision=1,
        host="127.0.0.1",
        port=port,
        transport="udp",
        auth="ip",
        networks=(ipaddress.ip_network("127.0.0.0/24"),),
        **settings,
    )


def dialled(legs: SipLegs, trunk_id: str, caller: str = CALLER, routes=()):
    """A leg through a trunk, whose INVITE is sent, and the call that it reports to."""
    call = RecordingCall()
    leg = legs.route(Destination(to=CALLED, from_=caller, trunk_id=trunk_id, routes=tuple(routes)))
    leg.attach(call, "CA1")
    leg.ring()
    return leg, call


async def called(legs: SipLegs, phone: SipPhone) -> tuple:
    """A call of the phone's, ringing: the phone's side, the leg and the call it reports to."""
    talking: Talking = phone.start(legs.uri)
    leg, call, _ = await legs.exchange.next()
    leg.ring()
    await asyncio.wait_for(talking.ringing.wait(), WITHIN_S)
    return talking, leg, call
