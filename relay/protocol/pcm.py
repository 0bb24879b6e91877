"""Streaming transcoders between the provider's mu-law at 8 kHz and the agent's audio format.

Each is a callable that takes a chunk of any size (bytes or a view, even half a sample) and returns
the audio that it is enough for; filter history and left-over bytes are kept for the next chunk, so
that a stream gives the same samples however it is cut. `clear()` forgets both, so that after a
barge-in no tail of the old utterance is in the new one. mu-law itself needs no transcoder.
Changing the rate takes a filter (rate_filters.py), whose delay is 1.1 ms.
"""

from __future__ import annotations

from typing import Protocol

from common import g711, media_stream
from relay.protocol import rate_filters
from relay.protocol.agent import AudioFormat
from relay.protocol.rate_filters import DECODE, ENCODE, HISTORY, Buffer


class Transcoder(Protocol):
    """A transcoder of one direction of one audio stream."""

    def __call__(self, chunk: Buffer) -> bytes:
        """Transcode the next chunk. Return the audio that is ready, maybe none."""
        ...

    def clear(self) -> None:
        """Forget filter history and left-over bytes."""
        ...


class ToCaller(Transcoder, Protocol):
    """A transcoder of the agent's audio, whose samples are longer than a byte and may be cut."""

    def skip(self, size: int) -> None:
        """Leave `size` bytes of the stream out: forget the history, but keep to whole samples."""
        ...


def transcoders(audio: AudioFormat) -> tuple[Transcoder | None, ToCaller | None]:
    """Return (mu-law -> agent, agent -> mu-law) for a format; None: bytes pass as they are."""
    if audio.format == "mulaw":
        return None, None
    ratio = audio.sample_rate // media_stream.SAMPLE_RATE
    if ratio == 1:
        return Expander(), Compander()
    return Upsampler(ratio), Downsampler(ratio)


class Expander:
    """Transcoder from mu-law at 8 kHz to s16le at 8 kHz."""

    def __call__(self, chunk: Buffer) -> bytes:
        """Transcode 160 bytes to 320, and so on."""
        return g711.decode(chunk)

    def clear(self) -> None:
        """Do nothing: nothing is kept."""


class _WholeGroups:
    """Cuts a byte stream into whole groups of `size` bytes, keeping the rest for the next chunk."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._rest = b""

    def __call__(self, chunk: Buffer) -> Buffer:
        if self._rest:
            chunk = self._rest + chunk
            self._rest = b""
        odd = len(chunk) % self._size
        if odd:
            self._rest = bytes(chunk[-odd:])
            return chunk[:-odd]
        return chunk

    def clear(self) -> None:
        self._rest = b""

    def skip(self, size: int) -> None:
        # Of a group that was begun, the missing bytes are filled up with zeros.
        self._rest = bytes((len(self._rest) + size) % self._size)


class Compander:
    """Transcoder from s16le at 8 kHz to mu-law at 8 kHz."""

    def __init__(self) -> None:
        self._whole = _WholeGroups(2)

    def __call__(self, chunk: Buffer) -> bytes:
        """Transcode 320 bytes to 160; an odd byte waits for its other half."""
        return g711.encode(self._whole(chunk))

    def clear(self) -> None:
        """Forget the byte that waits."""
        self._whole.clear()

    def skip(self, size: int) -> None:
        """Leave `size` bytes out."""
        self._whole.skip(size)


class Upsampler:
    """Transcoder from mu-law at 8 kHz to s16le at `ratio` times 8 kHz (2 or 3)."""

    def __init__(self, ratio: int) -> None:
        self._taps = rate_filters.upsampling_taps(ratio)
        self._history = bytearray(2 * HISTORY)

    def __call__(self, chunk: Buffer) -> bytes:
        """Transcode 160 bytes to 160 * ratio * 2, and so on."""
        return rate_filters.upsample(chunk, self._history, self._taps, DECODE)

    def clear(self) -> None:
        """Forget the filter's history."""
        self._history[:] = bytes(len(self._history))


class Downsampler:
    """Transcoder from s16le at `ratio` times 8 kHz (2 or 3) to mu-law at 8 kHz."""

    def __init__(self, ratio: int) -> None:
        self._taps = rate_filters.downsampling_taps(ratio)
        self._history = bytearray(2 * HISTORY * ratio)
        self._whole = _WholeGroups(2 * ratio)

    def __call__(self, chunk: Buffer) -> bytes:
        """Transcode 160 * ratio * 2 bytes to 160; bytes of an incomplete output sample wait."""
        return rate_filters.downsample(self._whole(chunk), self._history, self._taps, ENCODE)

    def clear(self) -> None:
        """Forget the filter's history and the bytes that wait."""
        self.skip(0)
        self._whole.clear()

    def skip(self, size: int) -> None:
        """Leave `size` bytes out."""
        self._history[:] = bytes(len(self._history))
        self._whole.skip(size)
