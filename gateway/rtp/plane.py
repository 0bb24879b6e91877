"""All legs of this process: their sockets, and their clock.

Sockets are not watched, but looked at by the clock: one `epoll.poll(0)` finds everything that came
in the last 5 ms. That is one wake-up for all calls instead of one for each packet. A leg's 20 ms
begin in one of four slots, so that they do not all send at once. Late ticks are made up for.
"""

from __future__ import annotations

import asyncio
import select
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from gateway.rtp.leg import Datagram
from gateway.rtp.ports import PortPair, Ports
from gateway.rtp.settings import Address

PERIOD_S = 0.020
SLOTS = 4
STEP_S = PERIOD_S / SLOTS
MAX_PACKETS_PER_TURN = 8
"""Packets taken from one socket every 5 ms; others wait in the kernel, or are dropped there."""
_SOCKETS_PER_POLL = 1024
MAX_CATCH_UP_S = 1.0
"""Seconds that are made up for after a stall; a longer one leaves a gap."""
_STEPS_PER_TURN = 2 * SLOTS
"""Steps that are made up for before others of the event loop have their turn."""
_DATAGRAM = 2048
"""Bytes of a datagram that are read; the rest is cut off."""
_BEHIND_S = 2 * PERIOD_S
_EARLY_S = 0.0005
"""A step that is due so soon is taken now: a timer of its own would cost more."""
_LAGS = 2000


class MediaLeg(Protocol):
    """The methods of a leg (`leg.Leg`) that the plane needs."""

    def receive(self, data: bytes, address: Address, now: float) -> None:
        """Take a datagram that came to the port of RTP."""

    def receive_rtcp(self, data: bytes, address: Address, now: float) -> None:
        """Take a datagram that came to the port of RTCP."""

    def tick(self, now: float) -> list[Datagram]:
        """Play 20 ms, and return what is to be sent."""

    def goodbye(self, now: float) -> list[Datagram]:
        """Return what is to be sent at the end."""


class Timer(Protocol):
    """A call that was asked of a clock."""

    def cancel(self) -> None:
        """Do not call."""


class Clock(Protocol):
    """The methods of an event loop that the plane needs."""

    def time(self) -> float:
        """Return the time in seconds."""

    def call_at(self, when: float, callback: Callable[[], None], /) -> Timer:
        """Call back at that time."""


Failed = Callable[[Exception], None]


class Lag(NamedTuple):
    """Lateness of the clock in the last ten seconds, in ms."""

    p50: float
    p99: float
    worst: float


class _Line:
    """A leg with its sockets."""

    __slots__ = ("leg", "on_failed", "pair", "slot", "unsent")

    def __init__(self, leg: MediaLeg, pair: PortPair, slot: int, on_failed: Failed) -> None:
        self.leg, self.pair, self.slot, self.on_failed = leg, pair, slot, on_failed
        self.unsent = 0

    def send(self, datagrams: Iterable[Datagram]) -> None:
        """Send what the kernel takes; the rest is lost, as on any network. Hot path."""
        for data, address, control in datagrams:
            try:
                (self.pair.rtcp if control else self.pair.rtp).sendto(data, address)
            except OSError:
                self.unsent += 1


_Reader = tuple[Callable[[int], tuple[bytes, Address]], Callable[[bytes, Address, float], None]]


class Plane:
    """The legs of one host address, on one event loop."""

    def __init__(self, host: str, ports: range, loop: Clock | None = None) -> None:
        """`host` is the IP address to bind to, `loop` the running event loop if none is given.
        Raises ValueError if the host is a name, or if the range has no pair of ports.
        """
        self._ports = Ports(host, ports)
        self._loop = loop or asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._lines: dict[MediaLeg, _Line] = {}
        self._readers: dict[int, tuple[_Reader, _Line]] = {}
        self._slots: tuple[dict[MediaLeg, _Line], ...] = tuple({} for _ in range(SLOTS))
        self._slot = 0
        self._due = 0.0
        self._timer: Timer | None = None
        self._lags: deque[float] = deque(maxlen=_LAGS)

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def free(self) -> int:
        """Return how many more legs have ports."""
        return self._ports.free

    def open(self, leg: MediaLeg, on_failed: Failed) -> int:
        """Bind ports for a leg and run it; return the port of RTP, RTCP has the next one.

        If the leg raises anything it is closed, and `on_failed` is told. Raises NoPortError.
        """
        pair = self._ports.take()
        slot = min(range(SLOTS), key=lambda each: len(self._slots[each]))
        line = _Line(leg, pair, slot, on_failed)
        self._lines[leg] = self._slots[slot][leg] = line
        for sock, take in ((pair.rtp, leg.receive), (pair.rtcp, leg.receive_rtcp)):
            self._readers[sock.fileno()] = ((sock.recvfrom, take), line)
            self._epoll.register(sock, select.EPOLLIN)
        if self._timer is None:
            self._due = self._loop.time() + STEP_S
            self._timer = self._loop.call_at(self._due, self._fire)
        return pair.port

    def discard(self, leg: MediaLeg) -> None:
        """Say goodbye for a leg and give its ports back; do nothing if it is not open."""
        line = self._lines.get(leg)
        if line is not None:
            try:
                line.send(leg.goodbye(self._loop.time()))
            finally:
                self._drop(line)

    def unsent(self, leg: MediaLeg) -> int:
        """Return how many datagrams of an open leg the kernel did not take."""
        return self._lines[leg].unsent

    def lag(self) -> Lag:
        """Return how late the clock was lately; 0 while there are no legs."""
        lags = sorted(self._lags) or [0.0]
        p50, p99 = lags[len(lags) // 2], lags[len(lags) * 99 // 100]
        return Lag(p50 * 1000, p99 * 1000, lags[-1] * 1000)

    def close(self) -> None:
        """Close all legs, and stop."""
        for leg in list(self._lines):
            self.discard(leg)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._epoll.close()

    def _drop(self, line: _Line) -> None:
        if self._lines.pop(line.leg, None) is None:
            return
        del self._slots[line.slot][line.leg]
        for sock in (line.pair.rtp, line.pair.rtcp):
            del self._readers[sock.fileno()]
            self._epoll.unregister(sock)
        self._ports.give_back(line.pair)

    def _fail(self, line: _Line, error: Exception) -> None:
        """Close a leg that raised: one broken call must not silence all others."""
        self._drop(line)
        line.on_failed(error)

    # The clock.

    def _fire(self) -> None:
        now = self._loop.time()
        self._lags.append(now - self._due)
        try:
            self._catch_up(now)
        finally:
            self._timer = None
            if self._lines:
                self._timer = self._loop.call_at(self._due, self._fire)
            else:
                self._lags.clear()

    def _catch_up(self, now: float) -> None:
        """Take what came, and tick the legs of the slots that are due."""
        self._due = max(self._due, now - MAX_CATCH_UP_S)
        for step in range(_STEPS_PER_TURN):
            due = self._due
            if due > now + _EARLY_S:
                return
            self._due += STEP_S
            if now - due < _BEHIND_S:
                self._drain(now, MAX_PACKETS_PER_TURN)
            elif step % 2:
                # After a stall, what waits is taken in step with what is played: all at once, it
                # would overflow the jitter buffers.
                self._drain(now, 1)
            self._tick(due)

    def _tick(self, due: float) -> None:
        self._slot = (self._slot + 1) % SLOTS
        slot = self._slots[self._slot]
        for leg, line in list(slot.items()):
            if leg not in slot:
                continue  # another leg's callback closed it
            try:
                line.send(leg.tick(due))
            except Exception as error:
                self._fail(line, error)

    def _drain(self, now: float, packets: int) -> None:
        """Take up to so many packets of each socket, one at a time: a flood delays nobody."""
        readers, poll = self._readers, self._epoll.poll
        for _ in range(packets):
            if self._epoll.closed:
                return  # a leg's callback closed the plane
            ready = poll(0, _SOCKETS_PER_POLL)
            for fd, _event in ready:
                found = readers.get(fd)
                if found is None:
                    continue  # its leg was closed a moment ago
                (receive, take), line = found
                try:
                    data, address = receive(_DATAGRAM)
                except OSError:
                    continue
                try:
                    take(data, address[:2], now)
                except Exception as error:
                    self._fail(line, error)
            if not ready:
                return
