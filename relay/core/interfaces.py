"""The interfaces through which the core acts: on the two legs of a call, and on what is around it.

`relay/network/` implements them; tests have doubles.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import msgspec

from relay.core.recorder import Segment
from relay.core.who_answered import Found
from relay.protocol.agent import FromAgent, Sids
from relay.protocol.line import Line

LIVE = frozenset(("connecting", "ringing", "active"))
"""The states of a call that goes on; any other is final."""


class AgentAddress(msgspec.Struct, frozen=True):
    """The URL at which a call's agent is dialled, and the headers that prove that it is us."""

    url: str
    headers: dict[str, str] = {}
    dialect: Literal["twilio", "chamade"] = "twilio"
    format: str = "mulaw"
    rate: int = 8000
    """The format of audio in our own dialect; the rate is in Hz."""
    others: tuple[str, ...] = ()
    """URLs that are dialled in turn when `url` cannot be reached or is lost."""
    trusted: bool = False
    """True if it is a host of the operator, which may have a private address."""

    def at(self, turn: int) -> AgentAddress:
        """Return the address of the dial number `turn`, the first one being 0."""
        urls = (self.url, *self.others)
        return msgspec.structs.replace(self, url=urls[turn % len(urls)])


class ProviderLeg(Protocol):
    """The provider's socket. Once closed it passes nothing on to the bridge."""

    choked: bool
    """True while too many bytes wait to be written."""
    order: int
    """Greater than that of any socket of its kind that connected before it."""

    def send_text(self, text: bytes, /) -> None:
        """Queue one text message."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close the socket; the bridge is told once more, when it is gone."""
        ...


class Dialect(Protocol):
    """The dialect of an agent's connection: encodes messages to it and parses messages from it.

    A method that encodes returns None if the dialect has no such message.
    """

    started: bool
    """True once the agent has been sent its `start`."""
    is_held: bool
    """True if `held` was the last that it was told of that."""

    @property
    def resumes(self) -> bool:
        """Return whether a connection takes over the marks of the one before it."""
        ...

    def start(self, call: dict[str, Any], sids: Sids, /, *, resumed: bool) -> list[bytes]:
        """Encode that audio flows from here on."""
        ...

    def restarted(self) -> bytes | None:
        """Encode a `start` for an agent that has had one: it is not held, unless it is told so
        next.
        """
        ...

    def dtmf(self, digit: str) -> bytes | None:
        """Encode that the caller pressed a key."""
        ...

    def mark(self, name: str, *, played: bool) -> bytes | None:
        """Encode that playout has reached a mark, or never will."""
        ...

    def dropped(self, direction: str, ms: int, why: str, keys: int = 0) -> bytes | None:
        """Encode that audio, or so many keys, were dropped."""
        ...

    def warning(self, code: str, detail: str) -> bytes | None:
        """Encode that the agent seems to make a mistake."""
        ...

    def error(self, code: str, detail: str) -> bytes | None:
        """Encode that a message of the agent's was not followed."""
        ...

    def stop(self, reason: str | None, state: str, /) -> bytes | None:
        """Encode that the call is over."""
        ...

    def held(self, why: str) -> bytes | None:
        """Encode that the caller neither hears the agent nor is heard from here on."""
        ...

    def unheld(self, ms: int) -> bytes | None:
        """Encode that they hear each other again, after `ms` of the caller's audio left out."""
        ...

    def answered_by(self, by: str, at_ms: int) -> bytes | None:
        """Encode who answered a call that was dialled."""
        ...

    def greeting_ended(self, by: str, at_ms: int) -> bytes | None:
        """Encode that a machine's greeting is over."""
        ...

    def request(self, id_: str, method: str, params: msgspec.Raw, /) -> bytes | None:
        """Encode a request, which the agent answers with a `reply`."""
        ...

    def parse(self, text: bytes | memoryview) -> FromAgent:
        """Parse a text message of the agent's. BadMessageError."""
        ...


class AgentLeg(ProviderLeg, Protocol):
    """The agent's socket: like the provider's, with audio."""

    @property
    def dialect(self) -> Dialect:
        """Return the dialect of the connection."""
        ...

    @property
    def dialled(self) -> bool:
        """Return whether the relay opened the connection."""
        ...

    @property
    def if_free(self) -> bool:
        """Return whether it wants the call only if no agent is connected."""
        ...

    def send_audio(self, audio: bytes, /) -> None:
        """Queue one message of audio."""
        ...

    def pause(self, seconds: float) -> None:
        """Stop reading for so long; what was read already still comes."""
        ...

    def pipe_to(self, relay_url: str) -> bool:
        """Pipe the agent to the relay that holds the call. Return False if that is impossible."""
        ...


class PeerLink(Protocol):
    """The way to the other call of a bridge. Once closed it passes nothing on."""

    choked: bool
    """True while too many bytes wait to be written."""

    def send_ulaw(self, ulaw: bytes, now: float, /) -> None:
        """Send the caller's audio to the other call. Hot path."""
        ...

    def send_key(self, digit: str, now: float, /) -> None:
        """Send a key that the caller pressed."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close the way; the other side is told."""
        ...


class BridgeActions(Protocol):
    """Actions that a bridge asks for: reports, dials and timers."""

    def report(self, kind: str, why: str | None = None) -> None:
        """Report to the application; `answered` or `unanswered` follows. `why`: the reason why the
        agent was not reached.
        """
        ...

    def tell_of_agent(self, why: str) -> None:
        """Report why the agent was not reached, or "" once it is there. A newer reason replaces one
        that waits; nothing follows.
        """
        ...

    def pressed(self, digit: str) -> None:
        """Report that the caller pressed a key; nothing follows."""
        ...

    def fetch_clip(self, clip_id: str) -> None:
        """Fetch a clip; `clip_fetched` follows."""
        ...

    def connect_peer(self, line: Line) -> None:
        """Connect to the other call of a bridge; `peer_joined` or `peer_unreached` follows."""
        ...

    def bridged(self, number: int) -> None:
        """Report that the caller hears the other call's, once the line had this number; nothing
        follows.
        """
        ...

    def answer_found(self, found: Found) -> None:
        """Report what was found out about the answer; nothing follows, but answers that still ask
        for it.
        """
        ...

    def dial(self, agent: AgentAddress) -> None:
        """Open a connection to the agent; `agent_joined` or `dial_failed` follows."""
        ...

    def recorded(self, segment: Segment) -> None:
        """Upload a part of the call's recording; nothing follows."""
        ...

    def recording_over(self, recording_id: str) -> None:
        """Tell the application, once all is uploaded, that no more of a recording comes."""
        ...

    def wake_at(self, at: float) -> None:
        """Call `tick` at that time, which replaces the time that was asked for before."""
        ...

    def forget(self) -> None:
        """Forget the bridge: it has nothing left to do."""
        ...
