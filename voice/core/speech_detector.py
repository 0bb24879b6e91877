"""Tell speech from silence and noise, 20 ms at a time, by WebRTC's detector."""

from __future__ import annotations

import numpy as np
import webrtcvad

_MODE = 2
"""0 to 3: how readily a frame is taken for noise. 3 loses quiet beginnings."""
_FLOOR_RMS = 60.0
"""A quieter frame is silence whatever it holds: -55 dB below full scale."""


class SpeechDetector:
    """The detector of one call. It adapts to the noise of the line."""

    def __init__(self) -> None:
        self._detector = webrtcvad.Vad(_MODE)  # type: ignore[no-untyped-call]

    def __call__(self, pcm: bytes) -> bool:
        """Return whether there is speech in 20 ms of PCM s16le at 8000 Hz."""
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32)
        if float(np.dot(samples, samples)) < _FLOOR_RMS**2 * len(samples):
            return False
        speech: bool = self._detector.is_speech(pcm, 8000)  # type: ignore[no-untyped-call]
        return speech
