"""Changes the sample rate of a stream to telephone rate, with soxr."""

from __future__ import annotations

import numpy as np
import soxr

from voice.engines.base import SAMPLE_RATE


class ToTelephone:
    """A stream of PCM s16le, mono, at any rate, which comes out at 8000 Hz.

    It may be cut anywhere, even inside a sample, and gives the same audio.
    """

    def __init__(self, rate: int) -> None:
        self._stream = (
            None
            if rate == SAMPLE_RATE
            else soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="int16", quality="HQ")
        )
        self._rest = b""

    def __call__(self, chunk: bytes, *, last: bool = False) -> bytes:
        """Return the audio that is ready; with the last chunk, what the filter still holds."""
        chunk = self._rest + chunk
        whole = len(chunk) & ~1
        self._rest = chunk[whole:]
        samples = np.frombuffer(chunk[:whole], "<i2")
        if self._stream is None:
            return samples.tobytes()
        out: bytes = self._stream.resample_chunk(samples, last=last).astype("<i2").tobytes()
        return out
