"""Two legs and a wire between them, without sockets: time is what the test says."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

from gateway.rtp import packet as rtp
from gateway.rtp.leg import Datagram, Leg
from gateway.rtp.packet import Packet
from gateway.rtp.settings import Address, Settings

HERE, THERE = ("192.0.2.1", 4000), ("192.0.2.2", 5000)
TICK = 0.02


class End:
    """A leg that records what it hears."""

    def __init__(self, address: Address, seed: int) -> None:
        self.address = address
        self.leg = Leg(randomness=random.Random(seed), cname=f"leg-{seed}")
        self.heard: list[bytes] = []
        self.keys = ""
        self.sent: list[Datagram] = []
        self.leg.sink = self.heard.append
        self.leg.on_key = self._key

    def _key(self, key: str) -> None:
        self.keys += key

    def says(self, audio: Callable[[int, int], bytes]) -> None:
        """Have it send `audio(place, 160)`, frame after frame."""
        frames = itertools.count()
        self.leg.source = lambda: audio(next(frames) * 160, 160)

    def packets(self) -> list[Packet]:
        """What it sent as RTP."""
        return [rtp.parse(each.data) for each in self.sent if not each.control]


class Wire:
    """Two ends, 5 ms apart in phase. What one sends the other has at once."""

    def __init__(self, here: Settings | None = None, there: Settings | None = None) -> None:
        self.here, self.there = End(HERE, 1), End(THERE, 2)
        self.now = 100.0
        self.here.leg.apply(here or Settings(THERE), self.now)
        self.there.leg.apply(there or Settings(HERE), self.now)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK)):
            for one, other, phase in (
                (self.here, self.there, 0.0),
                (self.there, self.here, 0.005),
            ):
                datagrams = one.leg.tick(self.now + phase)
                one.sent += datagrams
                for each in datagrams:
                    deliver(each, one, other, self.now + phase)
            self.now += TICK


def deliver(datagram: Datagram, one: End, other: End, now: float) -> None:
    host, port = one.address
    if datagram.control:
        other.leg.receive_rtcp(datagram.data, (host, port + 1), now)
    else:
        other.leg.receive(datagram.data, (host, port), now)
