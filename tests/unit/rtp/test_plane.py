"""Tests of the plane: one clock for all legs, and no leg that disturbs another."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from gateway.rtp.g711 import ALAW_TO_ULAW, FRAME, ULAW_TO_ALAW
from gateway.rtp.leg import Datagram, Leg
from gateway.rtp.plane import (
    MAX_CATCH_UP_S,
    MAX_PACKETS_PER_TURN,
    PERIOD_S,
    SLOTS,
    STEP_S,
    Plane,
)
from gateway.rtp.ports import NoPortError
from gateway.rtp.settings import Law, Settings
from gateway.rtp.srtp import Keys, Suite
from tests.unit.rtp.sockets import free_range, has_ipv6
from tests.unit.rtp.streams import tone

HOST = "127.0.0.1"
ONE, TWO = bytes(range(30)), bytes(range(50, 80))


class HandClock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.callbacks = {}

    def time(self):
        return self.now

    def call_at(self, when, callback):
        timer = Timer(self, when)
        self.callbacks[timer] = callback
        return timer

    def turn(self, seconds):
        """Let time pass, and call what is due, each at its time."""
        end = self.now + seconds
        while due := [each for each in self.callbacks if each.when <= end]:
            timer = min(due, key=lambda each: each.when)
            self.now = max(self.now, timer.when)
            self.callbacks.pop(timer)()
        self.now = end

    def stall(self, seconds):
        """Let time pass in which nothing is called."""
        self.now += seconds


class Timer:
    def __init__(self, clock, when):
        self.clock, self.when = clock, when

    def cancel(self):
        self.clock.callbacks.pop(self, None)


class FakeLeg:
    """A leg that notes what it is given."""

    def __init__(self, peer=None):
        self.ticks, self.got, self.reports = [], [], []
        self.peer = peer
        self.on_receive = lambda: None

    def receive(self, data, address, now):
        self.got.append((data, address))
        self.on_receive()

    def receive_rtcp(self, data, address, now):
        self.reports.append((data, address))

    def tick(self, now):
        self.ticks.append(now)
        return [Datagram(b"audio", self.peer)] if self.peer else []

    def goodbye(self, now):
        return [Datagram(b"bye", self.peer, control=True)] if self.peer else []


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def plane(clock):
    one = Plane(HOST, free_range(6), clock)
    yield one
    one.close()


@pytest.fixture
def peer():
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as one:
        one.bind((HOST, 0))
        one.settimeout(5)
        yield one


def failing(error):
    raise AssertionError("a leg failed") from error


def test_each_leg_ticks_every_20_ms_and_four_have_each_a_time_of_their_own(plane, clock):
    legs = [FakeLeg() for _ in range(SLOTS)]
    for leg in legs:
        plane.open(leg, failing)
    clock.turn(1.0)
    assert [len(leg.ticks) for leg in legs] == [50] * SLOTS
    assert sorted(leg.ticks[0] for leg in legs) == pytest.approx(
        [1000.0 + (at + 1) * STEP_S for at in range(SLOTS)]
    )
    for leg in legs:
        assert leg.ticks[-1] - leg.ticks[0] == pytest.approx(49 * PERIOD_S)


def test_late_ticks_are_made_up_for_and_a_long_stall_is_not(plane, clock):
    leg = FakeLeg()
    plane.open(leg, failing)
    clock.stall(0.5)
    clock.turn(0.0)
    assert len(leg.ticks) == 25
    clock.stall(60)
    clock.turn(0.0)
    assert len(leg.ticks) <= 25 + MAX_CATCH_UP_S / PERIOD_S + 1
    clock.turn(1.0)
    assert len(leg.ticks) == pytest.approx(25 + 50 + 50, abs=1)
    assert plane.lag().worst >= 59_000
    assert plane.lag().p50 < 1


def test_a_stall_is_forgotten_with_the_last_leg(plane, clock):
    leg = FakeLeg()
    plane.open(leg, failing)
    clock.stall(0.5)
    clock.turn(0.0)
    assert plane.lag().worst >= 400
    plane.discard(leg)
    clock.turn(1.0)
    assert plane.lag().worst == 0


def test_what_waits_after_a_stall_is_taken_in_step_with_what_is_played(plane, clock, peer):
    leg = FakeLeg()
    port = plane.open(leg, failing)
    ahead = []
    leg.on_receive = lambda: ahead.append(len(leg.got) - len(leg.ticks))
    for _ in range(50):
        peer.sendto(b"audio", (HOST, port))
    clock.stall(1.0)
    clock.turn(0.0)
    assert len(leg.got) == len(leg.ticks) == 50
    assert max(ahead) <= 28  # frames that a jitter buffer has room for


def test_without_legs_the_clock_stands_still(plane, clock):
    leg = FakeLeg()
    plane.open(leg, failing)
    plane.discard(leg)
    clock.turn(0.1)
    assert clock.callbacks == {}
    plane.open(leg, failing)
    clock.turn(0.1)
    assert len(leg.ticks) == 5


def test_datagrams_go_to_the_leg_whose_port_they_came_to(plane, clock, peer):
    one, two = FakeLeg(), FakeLeg()
    first, second = plane.open(one, failing), plane.open(two, failing)
    peer.sendto(b"to one", (HOST, first))
    peer.sendto(b"report", (HOST, first + 1))
    peer.sendto(b"to two", (HOST, second))
    clock.turn(STEP_S)
    address = peer.getsockname()
    assert one.got == [(b"to one", address)]
    assert one.reports == [(b"report", address)]
    assert two.got == [(b"to two", address)]


def test_what_a_leg_sends_comes_from_its_ports(plane, clock, peer):
    leg = FakeLeg(peer.getsockname())
    port = plane.open(leg, failing)
    clock.turn(PERIOD_S)
    assert peer.recvfrom(100) == (b"audio", (HOST, port))
    plane.discard(leg)
    assert peer.recvfrom(100) == (b"bye", (HOST, port + 1))


def test_a_flood_to_one_leg_does_not_delay_another(plane, clock, peer):
    flooded, quiet = FakeLeg(), FakeLeg()
    port, other = plane.open(flooded, failing), plane.open(quiet, failing)
    for _ in range(200):
        peer.sendto(b"flood", (HOST, port))
    peer.sendto(b"audio", (HOST, other))
    received = []
    quiet.on_receive = lambda: received.append(len(flooded.got))
    clock.turn(STEP_S)
    assert len(flooded.got) == MAX_PACKETS_PER_TURN
    assert received[0] <= 1
    assert len(flooded.ticks) + len(quiet.ticks) == 1


@pytest.mark.parametrize("where", ["tick", "receive"])
def test_a_leg_that_raises_is_closed_and_told_and_the_others_go_on(plane, clock, peer, where):
    broken, fine = FakeLeg(), FakeLeg()
    told = []
    free = plane.free
    error = RuntimeError("broken")

    def fail(*_):
        raise error

    setattr(broken, where, fail)
    port = plane.open(broken, told.append)
    other = plane.open(fine, failing)
    for _ in range(3):
        peer.sendto(b"audio", (HOST, port))
        peer.sendto(b"audio", (HOST, other))
    clock.turn(0.1)
    assert told == [error]
    assert len(fine.ticks) == 5
    assert len(fine.got) == 3
    assert plane.free == free - 1
    plane.discard(broken)


def test_a_callback_may_close_other_legs_and_the_plane(plane, clock, peer):
    one, two = FakeLeg(), FakeLeg()
    port, other = plane.open(one, failing), plane.open(two, failing)
    one.on_receive = lambda: plane.discard(two)
    for _ in range(2):
        peer.sendto(b"audio", (HOST, port))
        peer.sendto(b"audio", (HOST, other))
    clock.turn(0.1)
    assert len(one.ticks) == 5
    assert two.ticks == []
    assert len(two.got) <= 1
    one.on_receive = plane.close
    peer.sendto(b"audio", (HOST, port))
    clock.turn(0.1)
    assert len(one.ticks) == 5
    assert clock.callbacks == {}


def test_a_leg_that_another_closes_is_not_ticked_any_more(plane, clock):
    legs = [FakeLeg() for _ in range(SLOTS + 1)]
    for leg in legs:
        plane.open(leg, failing)
    first, last = legs[0], legs[-1]  # of the same slot

    def tick(now):
        plane.discard(last)
        return []

    first.tick = tick
    clock.turn(0.1)
    assert last.ticks == []


def test_an_address_that_nothing_can_be_sent_to_is_counted_and_harms_nobody(plane, clock):
    leg = FakeLeg(("2001:db8::1", 4000))
    plane.open(leg, failing)
    clock.turn(PERIOD_S)
    assert plane.unsent(leg) == 1


def test_without_a_free_port_a_leg_is_refused(plane):
    legs = [FakeLeg() for _ in range(6)]
    for leg in legs:
        plane.open(leg, failing)
    with pytest.raises(NoPortError):
        plane.open(FakeLeg(), failing)
    plane.discard(legs[0])
    plane.open(FakeLeg(), failing)


def test_closing_says_goodbye_for_all_legs_and_gives_their_ports_back(clock, peer):
    ports = free_range(2)
    plane = Plane(HOST, ports, clock)
    for _ in range(2):
        plane.open(FakeLeg(peer.getsockname()), failing)
    plane.close()
    assert len(plane) == 0
    assert {peer.recv(100) for _ in range(2)} == {b"bye"}
    again = Plane(HOST, ports, clock)
    again.open(FakeLeg(), failing)
    again.close()


# Two legs over real sockets, in real time.

SECURE = (
    Keys(Suite.AES_CM_128_HMAC_SHA1_80, ONE, TWO),
    Keys(Suite.AES_CM_128_HMAC_SHA1_80, TWO, ONE),
)
RUN = 25
"""Frames in a row that have to arrive as they were sent: half a second."""


class Listener:
    """Follows a tone of which each frame is another, and knows when enough of it came in a row."""

    def __init__(self, through=lambda frame: frame):
        self.frames = [tone(FRAME, 437, start=at * FRAME) for at in range(50)]
        self.numbers = {through(each): at for at, each in enumerate(self.frames)}
        assert len(self.numbers) == 50
        self.sent = self.run = 0
        self.last = None
        self.enough = asyncio.Event()

    def source(self):
        frame = self.frames[self.sent % 50]
        self.sent += 1
        return frame

    def sink(self, frame):
        number = self.numbers.get(frame)
        follows = None not in (number, self.last) and number == (self.last + 1) % 50
        self.run = self.run + 1 if follows else 0
        self.last = number
        if self.run >= RUN:
            self.enough.set()


def by_a_law(frame):
    return frame.translate(ULAW_TO_ALAW).translate(ALAW_TO_ULAW)


@pytest.mark.parametrize(
    ("host", "agreed", "keys", "through"),
    [
        (HOST, {}, (None, None), None),
        (HOST, {"ptime": 10}, (None, None), None),
        (HOST, {"ptime": 30}, (None, None), None),
        (HOST, {"ptime": 60}, (None, None), None),
        (HOST, {"payload_type": 8, "law": Law.ALAW}, (None, None), by_a_law),
        (HOST, {}, SECURE, None),
        (HOST, {"latching": True}, (None, None), None),
        pytest.param(
            "::1",
            {},
            (None, None),
            None,
            marks=pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on loopback"),
        ),
    ],
    ids=["mu-law", "10 ms", "30 ms", "60 ms", "A-law", "SRTP", "latching", "IPv6"],
)
async def test_a_tone_arrives_over_loopback_as_it_was_sent(host, agreed, keys, through):
    plane = Plane(host, free_range(2))
    listener = Listener(through) if through else Listener()
    one, two = Leg(), Leg()
    one.source, two.sink = listener.source, listener.sink
    ports = [plane.open(leg, failing) for leg in (one, two)]
    now = asyncio.get_running_loop().time()
    one.apply(Settings((host, ports[1]), keys=keys[0], **agreed), now)
    two.apply(Settings((host, ports[0]), keys=keys[1], **agreed), now)
    async with asyncio.timeout(20):
        await listener.enough.wait()
    plane.close()
