"""The receiving half of a leg: audio into the jitter buffer, keys, comfort noise, counts.

Source: RFC 3550 5.1 and A.1; RFC 3551 6 (payload types 0, 8 and 13).
"""

from __future__ import annotations

from gateway.rtp.g711 import ALAW_TO_ULAW
from gateway.rtp.jitter_buffer import JitterBuffer
from gateway.rtp.packet import Packet
from gateway.rtp.settings import Law, Settings
from gateway.rtp.source import VALID, Source, Verdict
from gateway.rtp.telephone_events import KeyReader

_COMFORT_NOISE = 13
_STATIC: dict[int, bytes | None] = {0: None, 8: ALAW_TO_ULAW}
"""Payload types that always mean the same, and the table that makes mu-law of them."""


class Receiver:
    """The RTP of one leg. Give it the packets of the latched address only."""

    __slots__ = (
        "_audio", "_event_type", "_hears", "_keys", "buffer", "invalid", "pop", "received",
        "source", "unknown",
    )  # fmt: skip

    def __init__(self) -> None:
        self._audio = dict(_STATIC)
        self._event_type: int | None = None
        self._hears = True
        self._keys = KeyReader()
        self.buffer = JitterBuffer()
        self.pop = self.buffer.pop
        self.source: Source | None = None
        """The stream that is heard; None before the first packet."""
        self.received = self.invalid = self.unknown = 0

    def apply(self, settings: Settings) -> None:
        """Receive as agreed from the next packet on."""
        table = ALAW_TO_ULAW if settings.law is Law.ALAW else None
        self._audio = _STATIC | {settings.payload_type: table}
        self._event_type = settings.received_event_type
        if self._event_type is None:
            self._event_type = settings.event_type
        self._hears = settings.direction.receives

    def take(self, packet: Packet, now: float) -> str | None:
        """Take a packet; return the key that it begins, if it does. Hot path."""
        payload_type, sequence, timestamp, ssrc, payload, *_ = packet
        source = self.source
        if source is None or ssrc != source.ssrc:
            source = self._begin(ssrc, sequence)
        verdict = source.received(sequence)
        if verdict is not VALID:
            if verdict is Verdict.INVALID:
                self.invalid += 1
                return None
            self._restart()
        self.received += 1
        if payload_type in self._audio:
            source.timed(timestamp, now)
            if self._hears:
                table = self._audio[payload_type]
                ulaw = payload if table is None else payload.translate(table)
                self.buffer.push(sequence, timestamp, ulaw, now)
            return None
        return self._take_other(packet)

    def _take_other(self, packet: Packet) -> str | None:
        if packet.payload_type == self._event_type:
            self.buffer.skip(packet.sequence)
            return self._keys.read(packet.timestamp, packet.payload, marker=packet.marker)
        if packet.payload_type == _COMFORT_NOISE:
            self.buffer.rest(packet.sequence, packet.timestamp)
            return None
        self.buffer.skip(packet.sequence)
        self.unknown += 1
        return None

    def _begin(self, ssrc: int, sequence: int) -> Source:
        self.source = Source(ssrc, sequence)
        self._restart()
        return self.source

    def _restart(self) -> None:
        self._keys = KeyReader()
        self.buffer.restart()
