"""What a bridge acts on: two legs, and the world around it. Interfaces only."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from relay.wire.agent import FromAgent, Sids

LIVE = frozenset(("connecting", "ringing", "active"))
"""The states of a call that goes on; any other is final."""


class AgentAddress(msgspec.Struct, frozen=True):
    """Where a call's agent is to be dialled, and the headers that show that it is us."""

    url: str
    headers: dict[str, str] = {}


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


class Dialect(Protocol):
    """How one connection of an agent is spoken to: text messages to it (None: it has no such), and
    what its own mean."""

    started: bool
    """Whether it has been told that audio flows."""

    @property
    def resumes(self) -> bool:
        """Whether marks of the connection before it are its own."""
        ...

    def start(self, call: dict[str, Any], sids: Sids, /, *, resumed: bool) -> list[bytes]:
        """Audio flows from here on."""
        ...

    def dtmf(self, digit: str) -> bytes | None:
        """The caller pressed a key."""
        ...

    def mark(self, name: str, *, played: bool) -> bytes | None:
        """Playout got to a mark, or never will."""
        ...

    def dropped(self, direction: str, ms: int, why: str) -> bytes | None:
        """Audio was thrown away."""
        ...

    def error(self, code: str, detail: str) -> bytes | None:
        """Something the agent sent was not done."""
        ...

    def stop(self, reason: str | None, state: str, /) -> bytes | None:
        """The call is over."""
        ...

    def parse(self, text: bytes | memoryview) -> FromAgent:
        """A text message of the agent's. BadMessageError."""
        ...


class AgentLeg(ProviderLeg, Protocol):
    """The agent's socket, as the bridge sees it: like the provider's, with audio."""

    @property
    def dialect(self) -> Dialect:
        """How it is spoken to."""
        ...

    @property
    def dialled(self) -> bool:
        """Whether we opened the connection."""
        ...

    def send_audio(self, audio: bytes, /) -> None:
        """Queue one message of audio."""
        ...

    def pause(self, seconds: float) -> None:
        """Read nothing for so long (what was read already still comes)."""
        ...

    def lead(self, relay_url: str) -> bool:
        """Another relay holds the call: lead it there. False if that cannot be."""
        ...


class Port(Protocol):
    """What a bridge may ask of the world around it."""

    def report(self, kind: str, why: str = "") -> None:
        """Report to the application; `answered` or `unanswered` follows."""
        ...

    def pressed(self, digit: str) -> None:
        """The caller pressed a key; nothing follows."""
        ...

    def dial(self, agent: AgentAddress) -> None:
        """Open a connection to the agent; `agent_joined` or `agent_unreached` follows."""
        ...

    def wake_at(self, at: float) -> None:
        """Call `tick` at that time (again, if asked again)."""
        ...

    def forget(self) -> None:
        """Nothing is left to do for this call here."""
        ...
