"""Streams of audio for tests: packets as a sender makes them, and a network that delays them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from gateway.rtp.g711 import FRAME, from_linear
from gateway.rtp.jitter_buffer import JitterBuffer

TICK = 0.02


class Arrival(NamedTuple):
    at: float
    sequence: int
    timestamp: int
    payload: bytes


def tone(samples: int, hz: float = 440, level: int = 8000, start: int = 0) -> bytes:
    """Mu-law of a sine."""
    places = np.arange(start, start + samples, dtype=np.float64)
    return from_linear((level * np.sin(2 * math.pi * hz * places / 8000)).astype(np.float32))


def numbered(place: int, samples: int) -> bytes:
    """Audio of which each frame of 20 ms shows where it belongs: loud codes, none of them quiet."""
    return bytes(1 + (place + each) // FRAME % 50 for each in range(samples))


def stream(  # what a sender can do otherwise
    seconds: float,
    delay: Callable[[float], float] = lambda _: 0.03,
    *,
    ptime: int = 20,
    sequence: int = 1000,
    timestamp: int = 5000,
    clock: float = 1.0,
    start: float = 0.0,
    audio: Callable[[int, int], bytes] = numbered,
) -> list[Arrival]:
    """The packets of a sender, in the order in which they arrive."""
    size = ptime * 8
    sent = (
        Arrival(
            start + at * ptime / 1000 * clock + delay(start + at * ptime / 1000),
            sequence + at & 0xFFFF,
            timestamp + at * size & 0xFFFFFFFF,
            audio(at * size, size),
        )
        for at in range(round(seconds * 1000 / ptime))
    )
    return sorted(sent, key=lambda each: each.at)


def play(
    buffer: JitterBuffer,
    arrivals: Iterable[Arrival],
    until: float,
    start: float = 0.0,
    phase: float = 0.007,
) -> list[bytes | None]:
    """The frames of a buffer, one for each 20 ms of the time from `start`."""
    coming = list(arrivals)
    frames = []
    for tick in range(round((until - start) / TICK)):
        now = start + tick * TICK + phase
        while coming and coming[0].at <= now:
            first = coming.pop(0)
            buffer.push(first.sequence, first.timestamp, first.payload, first.at)
        frames.append(buffer.pop(now))
    return frames


def jittery(most: float, seed: int = 1) -> Callable[[float], float]:
    """Delays from 30 ms to `most` above, at random."""
    chance = random.Random(seed)
    return lambda _: 0.03 + chance.uniform(0, most)


def spikes(every: float, length: float) -> Callable[[float], float]:
    """A network that holds everything up for `length` seconds, now and then."""
    return lambda at: 0.03 + max(0.0, length - at % every) * (at >= every)


def delay_of(frames: list[bytes | None], first: int) -> int:
    """How many frames after its sending that frame was played, if its audio is `numbered`."""
    return (
        next(at for at in range(first, len(frames)) if frames[at] == numbered(first * FRAME, FRAME))
        - first
    )
