"""Microphone and speakers, by the optional package `sounddevice`."""

from __future__ import annotations

import importlib
import queue
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from chamade.audio.line import Format
from chamade.errors import ChamadeError

_FRAME_S = 0.02
_BEHIND = 25
"""Frames of the microphone that may wait; older ones are dropped."""


class Microphone:
    """The microphone and loudspeaker of this machine: 16 bit PCM at 16 kHz. ChamadeError if there
    are none.
    """

    def __init__(self) -> None:
        self._rate = Format().rate
        self._said: queue.Queue[bytes] = queue.Queue(_BEHIND)

    def __enter__(self) -> Microphone:
        devices = _sounddevice()
        settings = {
            "samplerate": self._rate,
            "channels": 1,
            "dtype": "int16",
            "blocksize": int(self._rate * _FRAME_S),
        }
        try:
            self._mouth = devices.RawInputStream(callback=self._spoken, **settings)
            self._ear = devices.RawOutputStream(**settings)
            self._mouth.start()
            self._ear.start()
        except devices.PortAudioError as error:
            raise ChamadeError(f"microphone or speakers cannot be used: {error}") from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._mouth.close()
        self._ear.close()

    def frames(self) -> Iterator[bytes]:
        """Yield the microphone's audio as it comes, for ever."""
        while True:
            yield self._said.get()

    def hear(self, frame: bytes) -> None:
        """Play a frame."""
        self._ear.write(frame)

    def _spoken(self, frame: Any, *_: Any) -> None:
        if self._said.full():
            self._said.get_nowait()
        self._said.put_nowait(bytes(frame))


def _sounddevice() -> Any:
    try:
        return importlib.import_module("sounddevice")
    except (ImportError, OSError) as error:  # OSError: it is there, PortAudio is not
        raise ChamadeError(
            'a microphone needs the package sounddevice and PortAudio: pip install "chamade[mic]" '
            f"({error})"
        ) from None
