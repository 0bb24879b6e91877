"""What is spoken in browser tests, and how it is recognised in what somebody heard."""

from __future__ import annotations

import asyncio
import tempfile
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np

from gateway.softphone import wav
from local.listening import Samples, follow
from tests.sip.peers.rtp import ULAW
from tests.support.engine import ROOT

ENOUGH = 0.8
"""Of the stretches of 100 ms: a browser that shares two cores with all other tests loses some."""
VOICE_HZ = 3000
"""Above it, what browsers resample with differs."""
MICROPHONE_HZ = 48_000
LATEST_S = 5
"""It is said every two seconds; an older recording is of no use, and searching it takes a core."""
_LOOK_S = 1.0
_SILENCE = 0xFF


class Voice:
    """A clip of examples/audio, 1.5 s of it."""

    def __init__(self, name: str) -> None:
        self._mulaw = wav.read(ROOT / "examples" / "audio" / f"{name}.wav")[: 8000 * 3 // 2]
        self.samples: Samples = ULAW[np.frombuffer(self._mulaw, np.uint8)]
        self._folder = tempfile.TemporaryDirectory(prefix="voice-")
        self.microphone = Path(self._folder.name) / "microphone.wav"
        """Half a second of silence, and the clip: a file that browsers speak again and again."""
        self._record()

    def _record(self) -> None:
        spoken = np.concatenate([np.zeros(4000), self.samples])
        times = MICROPHONE_HZ // 8000
        spectrum = np.fft.rfft(spoken)
        raised = np.fft.irfft(spectrum, len(spoken) * times) * times
        with wave.open(str(self.microphone), "wb") as file:
            file.setparams((1, 2, MICROPHONE_HZ, 0, "NONE", ""))
            file.writeframes(np.clip(raised, -32768, 32767).astype("<i2").tobytes())

    def mulaw(self, times: int = 4) -> bytes:
        """The same for an agent's socket: silence, the clip, and so on."""
        return times * (bytes([_SILENCE]) * 4000 + self._mulaw)


async def until_heard(
    voice: Voice, recording: Callable[[], Awaitable[Samples]], within_s: float = 60
) -> None:
    """Until most of what was said is in what `recording` gives, in its order. It is said again and
    again: what counts is the time at which it came through best.
    """
    said, best = _low(voice.samples), 0.0
    try:
        async with asyncio.timeout(within_s):
            while best < ENOUGH:
                latest = (await recording())[-8000 * LATEST_S :]
                best = max(best, follow(said, _low(latest)).share)
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        raise AssertionError(f"heard {best:.0%} of it within {within_s} s") from None


def _low(samples: Samples) -> Samples:
    return band(samples, 8000, VOICE_HZ)


def band(samples: Samples, rate: float, highest_hz: float) -> Samples:
    """Without what is above `highest_hz`."""
    size = 1 << len(samples).bit_length()
    spectrum = np.fft.rfft(samples, size)
    spectrum[np.fft.rfftfreq(size, 1 / rate) > highest_hz] = 0
    return np.fft.irfft(spectrum, size)[: len(samples)].astype(np.int16)
