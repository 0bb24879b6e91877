"""The sending half of a leg: frames cut into packets, and keys, which replace audio.

Source: RFC 3550 5.1, RFC 3551 4.1 (the marker begins a talk spurt), RFC 4733 2.5.1.
"""

from __future__ import annotations

from gateway.rtp import packet
from gateway.rtp.g711 import FRAME, ULAW_SILENCE, ULAW_TO_ALAW
from gateway.rtp.settings import Law, Settings
from gateway.rtp.telephone_events import KeyWriter, event_of

_SAMPLES_PER_MS = 8
_NOTHING: tuple[bytes, ...] = ()


class Sender:
    """The RTP of one leg. Call `tick` every 20 ms, with the frame to be sent or None."""

    __slots__ = (
        "_alaw", "_event_type", "_keys", "_marker", "_payload_type", "_pending", "_size",
        "octets", "packets", "sequence", "ssrc", "timestamp",
    )  # fmt: skip

    def __init__(self, ssrc: int, sequence: int, timestamp: int) -> None:
        self.ssrc = ssrc
        self.sequence = sequence
        """The sequence number of the next packet."""
        self.timestamp = timestamp
        """The timestamp of the next frame."""
        self.packets = self.octets = 0
        self._payload_type, self._alaw, self._size = 0, False, FRAME
        self._event_type: int | None = None
        self._keys = KeyWriter()
        self._pending = b""
        self._marker = True

    def apply(self, settings: Settings) -> None:
        """Send as agreed from the next frame on."""
        self._payload_type = settings.payload_type
        self._alaw = settings.law is Law.ALAW
        self._size = settings.ptime * _SAMPLES_PER_MS
        self._event_type = settings.event_type
        if settings.event_type is None:
            self._keys.clear()

    def press(self, key: str) -> bool:
        """Queue a key.

        Return False if the far end takes no telephone-events, or if too many wait. Raises
        ValueError if it is no key.
        """
        if self._event_type is None:
            event_of(key)
            return False
        return self._keys.press(key)

    def pause(self) -> None:
        """Let 20 ms pass in which nothing may be sent; keys wait."""
        self.timestamp = self.timestamp + FRAME & 0xFFFFFFFF
        self._pending = b""
        self._marker = True

    def tick(self, frame: bytes | None) -> tuple[bytes, ...] | list[bytes]:
        """Return the packets of these 20 ms. Hot path.

        Raises ValueError if the frame has not 160 bytes.
        """
        timestamp = self.timestamp
        self.timestamp = timestamp + FRAME & 0xFFFFFFFF
        if self._keys.busy:
            return self._flushed(timestamp) + self._key(timestamp)
        if frame is None:
            flushed = self._flushed(timestamp)
            self._marker = True
            return flushed
        if len(frame) != FRAME:
            raise ValueError(f"a frame to be sent has {FRAME} bytes, not {len(frame)}")
        if self._size == FRAME and not self._pending:
            return (self._audio(frame, timestamp),)
        return self._cut(frame, timestamp)

    def _cut(self, frame: bytes, timestamp: int) -> list[bytes]:
        at = timestamp - len(self._pending)
        audio, size = self._pending + frame, self._size
        whole = len(audio) - len(audio) % size
        self._pending = audio[whole:]
        return [
            self._audio(audio[start : start + size], at + start & 0xFFFFFFFF)
            for start in range(0, whole, size)
        ]

    def _flushed(self, timestamp: int) -> tuple[bytes, ...]:
        """Return the packet of what waits, filled up with silence: nothing will follow it."""
        waiting, self._pending = self._pending, b""
        if not waiting:
            return _NOTHING
        filled = waiting + ULAW_SILENCE * (self._size - len(waiting))
        return (self._audio(filled, timestamp - len(waiting) & 0xFFFFFFFF),)

    def _key(self, timestamp: int) -> tuple[bytes, ...]:
        event = self._keys.tick()
        self._marker = True
        if event is None or self._event_type is None:
            return _NOTHING
        begun = timestamp - event.offset & 0xFFFFFFFF
        return (self._packet(self._event_type, begun, event.payload, marker=event.marker),)

    def _audio(self, ulaw: bytes, timestamp: int) -> bytes:
        payload = ulaw.translate(ULAW_TO_ALAW) if self._alaw else ulaw
        marker, self._marker = self._marker, False
        return self._packet(self._payload_type, timestamp, payload, marker=marker)

    def _packet(self, payload_type: int, timestamp: int, payload: bytes, *, marker: bool) -> bytes:
        sequence = self.sequence
        self.sequence = sequence + 1 & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        head = packet.header(payload_type, sequence, timestamp, self.ssrc, marker=marker)
        return head + payload
