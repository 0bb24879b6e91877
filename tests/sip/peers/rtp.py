"""The sound of a call whose signalling is sipp's: sends and records RTP (RFC 3550, 3551, 4733)."""

from __future__ import annotations

import asyncio
import itertools
import random
import struct
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tests.sip.peers.udp import UdpPeer

Samples = npt.NDArray[np.int16]

PCMU, PCMA, EVENTS = 0, 8, 101
FRAME = 160
_FRAME_S = 0.02
_KEYS = "0123456789*#ABCD"
_VOLUME = 10


@dataclass(frozen=True)
class Packet:
    """One that came; `at` by this machine's monotonic clock."""

    at: float
    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


class Rtp(UdpPeer):
    """A socket that records all it gets in `packets`, and plays when told to."""

    def __init__(self, port: int | None = None) -> None:
        super().__init__(port)
        self.packets: list[Packet] = []
        self._ssrc = random.getrandbits(32)
        self._sequence = random.getrandbits(16)
        self._timestamp = random.getrandbits(32)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) < 12 or data[0] >> 6 != 2:
            return
        first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
        start = 12 + 4 * (first & 15)
        marker, payload_type = bool(second & 0x80), second & 0x7F
        self.packets.append(
            Packet(time.monotonic(), payload_type, marker, sequence, timestamp, ssrc, data[start:])
        )

    def heard(self) -> Samples:
        """Return the audio by timestamp: a lost packet is silence, a repeated one nothing."""
        sound = [one for one in self.packets if one.payload_type in (PCMU, PCMA)]
        if not sound:
            return np.zeros(0, np.int16)
        begin = sound[0].timestamp
        placed = {}
        for one in sound:
            table = ULAW if one.payload_type == PCMU else ALAW
            # Signed: the second packet may come before the first.
            after = (one.timestamp - begin + 0x80000000) % 0x100000000 - 0x80000000
            placed[after] = table[np.frombuffer(one.payload, np.uint8)]
        early = min(placed)
        recorded = np.zeros(max(at + len(it) for at, it in placed.items()) - early, np.int16)
        for at, samples in placed.items():
            recorded[at - early : at - early + len(samples)] = samples
        return recorded

    def keys(self, payload_type: int = EVENTS) -> str:
        """The keys that were pressed (RFC 4733 events), each once."""
        events = {
            one.timestamp: _KEYS[one.payload[0]]
            for one in self.packets
            if one.payload_type == payload_type and one.payload and one.payload[0] < len(_KEYS)
        }
        return "".join(events.values())

    async def play(self, samples: Samples, to: tuple[str, int], payload_type: int = PCMU) -> None:
        """Sends it in real time, 20 ms a packet."""
        table = ULAW if payload_type == PCMU else ALAW
        coded = encode(samples, table)
        begin = time.monotonic()
        for count, at in enumerate(range(0, len(coded), FRAME)):
            self._send(coded[at : at + FRAME], to, payload_type, marker=count == 0)
            self._timestamp += FRAME
            await asyncio.sleep(max(0.0, begin + (count + 1) * _FRAME_S - time.monotonic()))

    async def press(
        self, keys: str, to: tuple[str, int], payload_type: int = EVENTS, frames: int = 5
    ) -> None:
        """Presses each key for `frames` packets, then a pause as long; the end comes thrice."""
        for key in keys:
            for frame in itertools.chain(range(1, frames + 1), [frames] * 3):
                is_end = frame == frames
                event = struct.pack("!BBH", _KEYS.index(key), _VOLUME | is_end << 7, frame * FRAME)
                self._send(event, to, payload_type, marker=frame == 1)
                await asyncio.sleep(_FRAME_S)
            self._timestamp += 2 * frames * FRAME
            await asyncio.sleep(frames * _FRAME_S)

    def _send(self, payload: bytes, to: tuple[str, int], payload_type: int, marker: bool) -> None:
        self._sequence += 1
        head = struct.pack(
            "!BBHII", 0x80, marker << 7 | payload_type, self._sequence & 0xFFFF,
            self._timestamp & 0xFFFFFFFF, self._ssrc,
        )  # fmt: skip
        self._transport.sendto(head + payload, to)


def _ulaw() -> Samples:
    code = ~np.arange(256) & 0xFF
    level = ((((code & 15) << 3) + 132) << (code >> 4 & 7)) - 132
    return np.where(code & 0x80, -level, level).astype(np.int16)


def _alaw() -> Samples:
    code = np.arange(256) ^ 0x55
    segment, step = code >> 4 & 7, code & 15
    level = np.where(segment == 0, step * 16 + 8, (step * 16 + 264) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, level, -level).astype(np.int16)


ULAW, ALAW = _ulaw(), _alaw()
"""Code -> sample. Our own tables: the code under test must not be its own judge."""


def encode(samples: Samples, table: Samples) -> bytes:
    """The code whose sample is nearest."""
    order = np.argsort(table, kind="stable")
    levels = table[order].astype(np.int32)
    right = np.clip(np.searchsorted(levels, samples), 1, 255)
    wide = samples.astype(np.int32)
    nearer_left = wide - levels[right - 1] < levels[right] - wide
    return order[right - nearer_left].astype(np.uint8).tobytes()
