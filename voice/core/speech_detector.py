"""Tell speech from silence and noise, 20 ms at a time, by WebRTC's detector and by loudness."""

from __future__ import annotations

import numpy as np
import webrtcvad

_MODE = 2
"""0 to 3: how readily the detector takes a frame for noise. 3 loses quiet beginnings."""
_FLOOR = 60.0
"""A frame whose RMS is below this is silence: 55 dB below full scale."""
_BELOW_SPEECH = 1 / 16
"""A frame that is this much quieter than the caller's speech (24 dB) is noise of the line, or
somebody else in the room. WebRTC's detector takes steady noise for speech.
"""
_RISE, _FALL = 0.1, 0.998
"""The pace at which the level follows: up by a tenth of the gap each frame, down by half in 7 s."""


class SpeechDetector:
    """The detector of one call. It adapts to the noise of the line and to the caller's loudness."""

    def __init__(self) -> None:
        self._detector = webrtcvad.Vad(_MODE)  # type: ignore[no-untyped-call]
        self._level = 0.0
        """RMS of the caller's speech."""

    def __call__(self, pcm: bytes) -> bool:
        """Return whether there is speech in 20 ms of PCM s16le at 8000 Hz."""
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32)
        rms = float(np.sqrt(np.dot(samples, samples) / len(samples)))
        self._level *= _FALL
        voiced: bool = self._detector.is_speech(pcm, 8000)  # type: ignore[no-untyped-call]
        if not voiced or rms < max(_FLOOR, self._level * _BELOW_SPEECH):
            return False
        if rms > self._level:
            self._level += (rms - self._level) * _RISE
        return True
