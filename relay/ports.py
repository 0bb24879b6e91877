"""What a bridge acts on: two legs, and the world around it. Interfaces only."""

from __future__ import annotations

from typing import Protocol

LIVE = frozenset(("connecting", "ringing", "active"))
"""The states of a call that goes on; any other is final."""


class ProviderLeg(Protocol):
    """The provider's socket, as the bridge sees it. A closed leg feeds nothing to the bridge."""

    choked: bool
    """True while too much is waiting to be written."""
    order: int
    """Greater than that of any socket of its kind that connected before it."""

    def send_text(self, text: bytes, /) -> None:
        """Queue one text message."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close the socket; nothing comes from it any more, save that it is gone."""
        ...


class AgentLeg(ProviderLeg, Protocol):
    """The agent's socket, as the bridge sees it: like the provider's, with binary audio."""

    def send_audio(self, audio: bytes, /) -> None:
        """Queue one binary message."""
        ...

    def pause(self, seconds: float) -> None:
        """Read nothing for so long (what was read already still comes)."""
        ...


class Port(Protocol):
    """What a bridge may ask of the world around it."""

    def report(self, kind: str) -> None:
        """Report to the application; `answered` or `unanswered` follows."""
        ...

    def wake_at(self, at: float) -> None:
        """Call `tick` at that time (again, if asked again)."""
        ...

    def forget(self) -> None:
        """Nothing is left to do for this call here."""
        ...
