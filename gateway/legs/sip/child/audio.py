"""Audio between the stack and the gateway: one 20 ms clock for all calls of a child.

The stack speaks PCM, 16 bit at 8 kHz, whatever codec the far end chose; the gateway speaks mu-law.
All calls are converted in one go: numpy costs per call of a function, not per sample.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

import numpy as np
from baresip import AudioNotActive, AudioRestarted, Call

from gateway.legs.sip.codec import FRAME, AudioBatch
from wire import g711

PERIOD = 0.020
PCM_FRAME = 2 * FRAME

_CUSHION = 3 * PCM_FRAME
"""PCM bytes of silence before the first frame: what our clock and the stack's may be apart."""

_DEEPEST = 15 * PCM_FRAME
"""PCM bytes that may wait to be sent (300 ms). After a stall the frames that were late come at
once, and would make everything after them late for good."""

_STALL = 1.0

_AT_ONCE = 10 * PCM_FRAME
_CHECK_EVERY = 25


class CallAudio:
    """One call's two directions."""

    def __init__(self, number: int, call: Call) -> None:
        self.number = number
        self._audio = call.audio
        self._rest = b""
        self._cushioned = False
        self._frames = self._skip = 0
        self.skipped = 0
        """Frames left out so that the far end hears what is said now."""

    def heard(self) -> bytes:
        """PCM that came in since the last tick, in whole frames; the rest waits."""
        with contextlib.suppress(AudioNotActive, AudioRestarted):
            self._rest += self._audio.read(_AT_ONCE)
        whole = len(self._rest) - len(self._rest) % PCM_FRAME
        pcm, self._rest = self._rest[:whole], self._rest[whole:]
        return pcm

    def say(self, pcm: bytes) -> None:
        """A frame to the far end; dropped while there is nowhere to put it."""
        with contextlib.suppress(AudioNotActive, AudioRestarted):
            if not self._cushioned:
                self._cushioned = True
                self._audio.write(bytes(_CUSHION))
            self._frames += 1
            if self._frames % _CHECK_EVERY == 0:
                waiting = self._audio.info().tx_buffered
                if waiting > _DEEPEST:
                    self._skip = (waiting - _CUSHION) // PCM_FRAME
            if self._skip:
                self._skip -= 1
                self.skipped += 1
            else:
                self._audio.write(pcm)


class AudioClock:
    """Reads all calls every 20 ms and hands the frames on; writes what comes for them."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._calls: dict[int, CallAudio] = {}
        self._batch = AudioBatch()
        self.lag = 0.0
        """The longest a tick came too late since this was last set to 0, in seconds."""

    def add(self, number: int, call: Call) -> None:
        """The call is up."""
        self._calls[number] = CallAudio(number, call)

    def discard(self, number: int) -> int:
        """The call is over. How many frames were left out."""
        audio = self._calls.pop(number, None)
        return audio.skipped if audio is not None else 0

    def say(self, number: int, ulaw: bytes) -> None:
        """A frame of mu-law for one call's far end."""
        if (audio := self._calls.get(number)) is not None:
            audio.say(g711.decode(ulaw))

    async def run(self) -> None:
        """Ticks until cancelled."""
        due = time.monotonic()
        while True:
            due += PERIOD
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            late = time.monotonic() - due
            self.lag = max(self.lag, late)
            if late > _STALL:
                due = time.monotonic()  # what was missed is missed
            self._tick()

    def _tick(self) -> None:
        heard = [(audio.number, audio.heard()) for audio in self._calls.values()]
        pcm = b"".join(part for _, part in heard)
        if not pcm:
            return
        ulaw = g711.ENCODE_TABLE[np.frombuffer(pcm, "<u2")].tobytes()
        at = 0
        for number, part in heard:
            for _ in range(len(part) // PCM_FRAME):
                self._batch.add(number, ulaw[at : at + FRAME])
                at += FRAME
        self._send(self._batch.take())
