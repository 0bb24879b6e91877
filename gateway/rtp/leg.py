"""Turns one call's datagrams into audio and keys, and audio and keys into datagrams. No socket.

`source` is asked for 160 bytes of mu-law every 20 ms; None is silence that is not sent. `sink` is
given 160 bytes every 20 ms from the first audio on, silence if nothing comes. `on_key` is told each
key that the far end presses, once.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from gateway.rtp import packet as rtp
from gateway.rtp.g711 import SAMPLES_PER_S
from gateway.rtp.latch import Latch
from gateway.rtp.receiver import Receiver
from gateway.rtp.reports import Reports
from gateway.rtp.sender import Sender
from gateway.rtp.settings import Address, Direction, Settings
from gateway.rtp.srtp import SecureSession, SRTPError
from gateway.rtp.voice_quality import Packets

FRAME_MS = 20


class Datagram(NamedTuple):
    """Bytes to be sent, and to whom; from the port of RTCP if `control`."""

    data: bytes
    address: Address
    control: bool = False


@dataclass(frozen=True, slots=True)
class Stats:
    """A leg's counts so far. Times are in ms, None if nobody told."""

    sent: int
    received: int
    refused: int
    """Packets from addresses that are not the far end's."""
    invalid: int
    """Packets that are no RTP or RTCP, not protected as agreed, or far from their stream."""
    unknown: int
    """Packets of payload types that were not agreed on."""
    lost: int
    bursts: int
    """Runs of lost packets."""
    late: int
    dropped: int
    concealed: int
    held: float
    spread: float
    jitter: float
    round_trip: float | None
    far_loss: float | None
    """The part of what was sent that the far end lost lately, 0 to 1."""
    ended: bool
    """True if the far end reported that it is gone (BYE)."""

    @property
    def packets(self) -> Packets:
        """Return the packets as they could be played: one that came too late was lost."""
        return Packets(max(0, self.received - self.late), self.lost, self.bursts)

    @property
    def one_way(self) -> float:
        """Return the delay from the far end to what is played, in ms: half the round trip if it is
        known, a packet, and what the jitter buffer holds.
        """
        return (self.round_trip or 0.0) / 2 + FRAME_MS + self.spread


class Leg:
    """Receives and sends one call's audio. It does nothing before its first `apply`."""

    def __init__(self, *, randomness: random.Random | None = None, cname: str = "") -> None:
        randomness = randomness or random.SystemRandom()
        self.source: Callable[[], bytes | None] | None = None
        self.sink: Callable[[bytes], None] | None = None
        self.on_key: Callable[[str], None] = lambda _: None
        self._settings: Settings | None = None
        self._latch = Latch()
        self._receiver = Receiver()
        self._pop = self._receiver.pop
        # A sequence number that wraps soon could be miscounted by a far end that loses the first
        # packets of SRTP (RFC 3711 3.3.1): it begins in the lower half.
        self._sender = Sender(
            randomness.getrandbits(32), randomness.getrandbits(15), randomness.getrandbits(32)
        )
        # A CNAME names nobody: RFC 7022 4.2 has it random for each call.
        cname = cname or f"{randomness.getrandbits(96):024x}"
        self._reports = Reports(self._sender, cname, randomness.random)
        self._secure: SecureSession | None = None
        self._sends = False
        self._far_rtcp: Address | None = None
        self._one_port = False
        self._reported_at = 0.0
        self._refused = self._invalid = 0
        self._listening_since: float | None = None

    @property
    def ssrc(self) -> int:
        """Return the SSRC of what is sent."""
        return self._sender.ssrc

    @property
    def latched(self) -> Address | None:
        """Return the address that audio comes from; None before the first."""
        return self._latch.latched

    def apply(self, settings: Settings, now: float) -> None:
        """Go on as agreed. The same keys keep their session, the same address its latch."""
        before, self._settings = self._settings, settings
        self._latch.apply(settings.remote, allowed=settings.latching)
        self._receiver.apply(settings)
        self._sender.apply(settings)
        self._sends = settings.direction.sends and settings.remote is not None
        if before is None or before.remote != settings.remote:
            self._far_rtcp, self._one_port = None, False
        if settings.keys is None:
            self._secure = None
        elif self._secure is None:
            self._secure = SecureSession(settings.keys)
        else:
            self._secure.rekey(settings.keys)
        if settings.direction is not Direction.SENDRECV or settings.remote is None:
            self._listening_since = None
        elif self._listening_since is None:
            self._listening_since = now

    def press(self, key: str) -> bool:
        """Press a key: queue it behind those that wait.

        Return False if the far end takes no telephone-events, or if too many wait. Raises
        ValueError if it is no key.
        """
        return self._sender.press(key)

    def silent_for(self, now: float) -> float:
        """Return for how many seconds nothing came, though both ends were to send.

        It is 0 before the first `apply`, and while either end has the other on hold: many a far end
        then sends nothing.
        """
        if self._listening_since is None:
            return 0.0
        last = max(self._listening_since, self._latch.heard_at, self._reported_at)
        return max(0.0, now - last)

    def receive(self, data: bytes, address: Address, now: float) -> None:
        """Take a datagram that came to the port of RTP. Hot path."""
        latch = self._latch
        latched = address == latch.latched
        if not latched and not latch.may_admit(address, now):
            self._refused += 1
            return
        try:
            packet = rtp.parse(data if self._secure is None else self._secure.unprotect(data))
        except (rtp.MalformedPacketError, SRTPError):
            self._receive_other(data, address, now)
            return
        if not latched and not latch.admit(address, packet.ssrc, packet.sequence):
            self._refused += 1
            return
        latch.heard_at = now
        key = self._receiver.take(packet, now)
        if key is not None:
            self.on_key(key)

    def receive_rtcp(
        self, data: bytes, address: Address, now: float, *, one_port: bool = False
    ) -> None:
        """Take a datagram that came to the port of RTCP; or to that of RTP, if `one_port`."""
        if not self._knows(address[0]):
            self._refused += 1
            return
        try:
            plain = data if self._secure is None else self._secure.unprotect_rtcp(data)
            self._reports.take(plain, self._receiver.source, now)
        except (rtp.MalformedPacketError, SRTPError):
            self._invalid += 1
            return
        self._reported_at = now
        self._far_rtcp, self._one_port = address, one_port

    def tick(self, now: float) -> list[Datagram]:
        """Play and send 20 ms. `now` is when the tick was due. Hot path."""
        frame = self._pop(now)
        if frame is not None and self.sink is not None:
            self.sink(frame)
        source = self.source
        out = source() if source is not None else None
        address = self._latch.destination
        if not self._sends or address is None:
            self._sender.pause()
            return self._report(now) if self._reports.due(now) else []
        secure = self._secure
        datagrams = [
            Datagram(each if secure is None else secure.protect(each), address)
            for each in self._sender.tick(out)
        ]
        return datagrams + self._report(now) if self._reports.due(now) else datagrams

    def goodbye(self, now: float) -> list[Datagram]:
        """Return the last report, with a BYE: to be sent when the call is over."""
        return self._report(now, goodbye=True) if self._settings is not None else []

    def stats(self) -> Stats:
        """Return the counts so far."""
        receiver, buffer, reports = self._receiver, self._receiver.buffer, self._reports
        source, round_trip = receiver.source, reports.round_trip
        return Stats(
            sent=self._sender.packets,
            received=receiver.received,
            refused=self._refused,
            invalid=self._invalid + receiver.invalid,
            unknown=receiver.unknown,
            lost=buffer.lost,
            bursts=buffer.bursts,
            late=buffer.late,
            dropped=buffer.dropped,
            concealed=buffer.concealed,
            held=_ms(buffer.held),
            spread=_ms(buffer.spread),
            jitter=_ms(source.jitter) if source is not None else 0.0,
            round_trip=round_trip * 1000 if round_trip is not None else None,
            far_loss=reports.fraction_lost,
            ended=reports.ended,
        )

    def _receive_other(self, data: bytes, address: Address, now: float) -> None:
        """Take what came to the port of RTP and is none: reports, of who has one port for both."""
        if rtp.kind_of(data) is rtp.Kind.RTCP:
            self.receive_rtcp(data, address, now, one_port=True)
        else:
            self._invalid += 1

    def _knows(self, host: str) -> bool:
        remote = self._settings.remote if self._settings is not None else None
        return any(each is not None and each[0] == host for each in (self._latch.latched, remote))

    def _report(self, now: float, *, goodbye: bool = False) -> list[Datagram]:
        address = self._report_address()
        if address is None:
            return []
        data = self._reports.compose(self._receiver.source, now, goodbye=goodbye)
        if self._secure is not None:
            data = self._secure.protect_rtcp(data)
        return [Datagram(data, address, control=not self._one_port)]

    def _report_address(self) -> Address | None:
        if self._far_rtcp is not None:
            return self._far_rtcp
        settings, address = self._settings, self._latch.destination
        if settings is None or address is None:
            return None
        if settings.remote_rtcp is not None:
            return settings.remote_rtcp
        host, port = address
        return (host, port + 1) if port < 65535 else None


def _ms(samples: float) -> float:
    return samples * 1000 / SAMPLES_PER_S
