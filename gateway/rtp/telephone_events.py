"""Keys as telephone-events: read them, each once, and write them, one after the other.

Source: RFC 4733 2.3 (payload), 2.5.1 (sending), 2.5.2 (receiving), 3.2 (events 0 to 15).
"""

from __future__ import annotations

import struct
from collections import deque
from typing import NamedTuple

from gateway.rtp.g711 import FRAME

KEYS = "0123456789*#ABCD"
"""The keys, in the order of their events. Events from 16 on (flash, tones) are no keys."""
MAX_KEYS = 64
"""Keys that wait to be sent; of more, the last are refused."""
TONE_FRAMES = 5
END_PACKETS = 3
KEY_FRAMES = 8
"""Frames of a key: 100 ms of tone, then 60 ms of pause in which its end is told twice more."""
_EVENT = struct.Struct("!BBH")
_END, _VOLUME = 0x80, 10
_OLDEST = 80_000
"""Samples by which an event may be older than the newest one; beyond, timestamps began anew."""


def event_of(key: str) -> int:
    """Return the event of a key. Raises ValueError if it is none."""
    event = KEYS.find(key.upper())
    if len(key) != 1 or event < 0:
        raise ValueError(f"{key!r} is no key: press one of {KEYS}")
    return event


class KeyReader:
    """The keys of a stream. An event is known by its timestamp, which all of its packets have."""

    __slots__ = ("_duration", "_ended", "_event", "_timestamp")

    def __init__(self) -> None:
        self._event = -1
        self._timestamp = self._duration = 0
        self._ended = True

    def read(self, timestamp: int, payload: bytes, *, marker: bool = False) -> str | None:
        """Return the key if this is the first packet of it that came; else None.

        A payload that is too short is ignored. A marker after the end begins another key, even if
        the sender's timestamps stand still.
        """
        if len(payload) < _EVENT.size:
            return None
        event, flags, duration = _EVENT.unpack_from(payload)
        later = timestamp - self._timestamp & 0xFFFFFFFF
        if self._event >= 0 and later > 0xFFFFFFFF - _OLDEST:
            return None  # a packet of a former event
        begins = marker and self._ended and duration < self._duration
        known = event == self._event and (later == 0 or self._goes_on(later)) and not begins
        self._ended = bool(flags & _END) or (known and later == 0 and self._ended)
        self._duration = max(duration, self._duration) if known and later == 0 else duration
        self._event, self._timestamp = event, timestamp
        return None if known or event >= len(KEYS) else KEYS[event]

    def _goes_on(self, later: int) -> bool:
        """Return whether an event that begins so much later is the same key, still held down.

        Beyond 8 s an event goes on under another timestamp (RFC 4733 2.5.1.3), and some phones move
        the timestamp with each packet. Between two keys, though, is a pause.
        """
        return not self._ended and later <= self._duration


class KeyPacket(NamedTuple):
    """A telephone-event to be sent now.

    `offset` is how many samples ago the event began; `marker` is set in its first packet.
    """

    payload: bytes
    offset: int
    marker: bool


class KeyWriter:
    """The keys to be sent. Call `tick` every 20 ms while it is `busy`."""

    __slots__ = ("_frames", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[int] = deque()
        self._frames = 0

    @property
    def busy(self) -> bool:
        """Return whether a key is being sent, or waits: there is no audio meanwhile."""
        return bool(self._waiting)

    def press(self, key: str) -> bool:
        """Queue a key. Return False if too many wait. Raises ValueError if it is none."""
        event = event_of(key)
        if len(self._waiting) >= MAX_KEYS:
            return False
        self._waiting.append(event)
        return True

    def clear(self) -> None:
        """Forget the keys that wait, and the one that is being sent."""
        self._waiting.clear()
        self._frames = 0

    def tick(self) -> KeyPacket | None:
        """Return the packet of these 20 ms; None in the pause after a key."""
        done = self._frames
        self._frames += 1
        event = self._waiting[0]
        if self._frames == KEY_FRAMES:
            self._waiting.popleft()
            self._frames = 0
        if done >= TONE_FRAMES + END_PACKETS - 1:
            return None
        ended = _END if done >= TONE_FRAMES - 1 else 0
        duration = min(done + 1, TONE_FRAMES) * FRAME
        payload = _EVENT.pack(event, ended | _VOLUME, duration)
        return KeyPacket(payload, done * FRAME, done == 0)
