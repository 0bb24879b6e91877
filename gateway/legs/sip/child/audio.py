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

_DEEPEST = 10 * PCM_FRAME
"""PCM bytes that may wait to be sent: beyond it the far end would hear a conversation of old."""

_AT_ONCE = 10 * PCM_FRAME
_CHECK_EVERY = 25


class CallAudio:
    """One call's two directions."""

    def __init__(self, number: int, call: Call) -> None:
        self.number = number
        self._audio = call.audio
        self._rest = b""
        self._cushioned = False
        self._written = 0

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
            self._written += 1
            if self._written % _CHECK_EVERY == 0 and self._audio.info().tx_buffered > _DEEPEST:
                self._audio.flush_tx()
                self._audio.write(bytes(_CUSHION))
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

    def discard(self, number: int) -> None:
        """The call is over."""
        self._calls.pop(number, None)

    def say(self, number: int, ulaw: bytes) -> None:
        """A frame of mu-law for one call's far end."""
        if (audio := self._calls.get(number)) is not None:
            audio.say(g711.decode(ulaw))

    async def run(self) -> None:
        """Ticks until cancelled."""
        due = time.monotonic()
        while True:
            due += PERIOD
            late = time.monotonic() - due
            if late < 0:
                await asyncio.sleep(-late)
            else:
                self.lag = max(self.lag, late)
                if late > 1.0:
                    due = time.monotonic()  # a stall: what was missed is missed
                await asyncio.sleep(0)
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
