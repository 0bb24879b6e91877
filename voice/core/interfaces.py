"""The world around a hosted call, and the items that it reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from voice.core.turn_taking import Turn

Item = dict[str, Any]
"""An item of a report, as docs/contracts.md has it."""


class World(Protocol):
    """The world around one call. Nothing of it raises or waits."""

    def send_audio(self, pcm: bytes) -> None:
        """Send audio to the caller, PCM s16le at 8000 Hz."""

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a text message to the relay, behind the audio that was sent before."""

    def clear(self) -> None:
        """Send `clear`, in place of audio and marks that are not sent yet."""

    def feed(self, pcm: bytes) -> None:
        """Give the recogniser a frame of the caller's audio, speech or not."""

    def recognise(self, turn: Turn) -> None:
        """Begin to recognise a turn; `Conversation.recognised` takes the text."""

    def withdraw(self, turn: Turn) -> None:
        """Throw away the recognition of a turn that goes on."""

    def partial(self, turn: Turn) -> None:
        """Recognise what there is of a turn; `Conversation.partly_recognised` takes the text."""

    def report(self, item: Item) -> None:
        """Report an item to the application."""

    def count(self, what: str, ms: float = 0.0) -> None:
        """Count something that happened, and how long it took."""
