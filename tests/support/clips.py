"""The recordings of `examples/audio`, and what a phone has heard of them."""

from __future__ import annotations

import asyncio

import numpy as np

from common.g711 import DECODE_TABLE
from gateway.softphone import wav
from local import listening
from tests.support.engine import ROOT

AUDIO = ROOT / "examples" / "audio"
WITHIN_S = 15


def samples(ulaw: bytes) -> np.ndarray:
    """Decode mu-law."""
    return DECODE_TABLE[np.frombuffer(bytes(ulaw), np.uint8)]


def clip(name: str, seconds: float = 2.0) -> bytes:
    """Return the beginning of a recording, as mu-law at 8 kHz."""
    return wav.read(AUDIO / name)[: int(seconds * 8000)]


async def until_heard(caller, played: bytes) -> None:
    """Wait until a phone has heard this, as well as telephones carry it."""
    async with asyncio.timeout(WITHIN_S):
        while not listening.find(samples(played), samples(caller.audio())).heard:
            await caller.wait_frames(len(caller.received) + 10)
