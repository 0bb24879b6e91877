"""Audio between the stack and the gateway: one 20 ms clock for all calls of a child.

The stack uses PCM, 16 bit at 8 kHz, whatever codec the far end chose; the gateway uses mu-law. All
calls are converted together, because numpy's cost depends on the number of calls to it and not on
the number of samples.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

import numpy as np
from baresip import AudioNotActive, AudioRestarted, Call

from common import g711
from gateway.legs.sip.codec import FRAME, AudioBatch

PERIOD = 0.020
PCM_FRAME = 2 * FRAME

_CUSHION = 3 * PCM_FRAME
"""PCM bytes of silence before the first frame: they cover the time by which our clock and the
stack's may differ."""

_DEEPEST = 15 * PCM_FRAME
"""Limit of the PCM bytes that wait to be sent (300 ms). After a stall all late frames arrive at
once; without a limit, everything after them would stay late."""

_STALL = 1.0

_AT_ONCE = 10 * PCM_FRAME
_CHECK_EVERY = 25


class CallAudio:
    """The audio of one call, in both directions."""

    def __init__(self, number: int, call: Call) -> None:
        self.number = number
        self._audio = call.audio
        self._rest = b""
        self._cushioned = False
        self._frames = self._skip = 0
        self.skipped = 0
        """Frames dropped so that the far end hears the present audio and not old audio."""

    def heard(self) -> bytes:
        """Return the PCM that came in since the last tick, in whole frames; the rest waits."""
        with contextlib.suppress(AudioNotActive, AudioRestarted):
            self._rest += self._audio.read(_AT_ONCE)
        whole = len(self._rest) - len(self._rest) % PCM_FRAME
        pcm, self._rest = self._rest[:whole], self._rest[whole:]
        return pcm

    def say(self, pcm: bytes) -> None:
        """Send a frame to the far end; drop it if there is no room."""
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
    """The clock of a child: every 20 ms it reads the frames of all calls and sends them to the
    gateway. Frames from the gateway it writes to the calls."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._calls: dict[int, CallAudio] = {}
        self._batch = AudioBatch()
        self.lag = 0.0
        """The longest delay of a tick since this was last set to 0, in seconds."""

    def add(self, number: int, call: Call) -> None:
        """Add a call that has been answered."""
        self._calls[number] = CallAudio(number, call)

    def discard(self, number: int) -> int:
        """Remove a call that is over; return the number of frames that were dropped."""
        audio = self._calls.pop(number, None)
        return audio.skipped if audio is not None else 0

    def say(self, number: int, ulaw: bytes) -> None:
        """Send a frame of mu-law to the far end of one call."""
        if (audio := self._calls.get(number)) is not None:
            audio.say(g711.decode(ulaw))

    async def run(self) -> None:
        """Run the clock until cancelled."""
        due = time.monotonic()
        while True:
            due += PERIOD
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            late = time.monotonic() - due
            self.lag = max(self.lag, late)
            if late > _STALL:
                due = time.monotonic()  # ticks that were missed are not made up for
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
