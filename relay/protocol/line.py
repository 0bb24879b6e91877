"""The member `line` of the application's answers about a call: to whom its caller is connected.

docs/contracts.md specifies it. Unknown fields are ignored; a source of an unknown kind is music.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

MAX_CLIP: Final = 320_000
"""Bytes of mu-law in a clip: 40 s."""


class Source(msgspec.Struct, frozen=True):
    """The audio that a caller on hold hears."""

    kind: str = "silence"
    """`silence`, `music`, `ringback` or `clip`."""
    clip_id: Annotated[str, msgspec.Meta(max_length=128)] = ""
    loop: bool = True
    """False: a clip is played once, and silence follows."""
    country: str = ""
    """The country (ISO 3166-1) whose ringing tone it is; one that is not known has the usual
    European tone."""


class Line(msgspec.Struct, frozen=True):
    """The caller's connection: with the agent, on hold, or bridged with the caller of a call."""

    number: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Rises with each change. Answers overtake each other, so a lower one is old."""
    mode: Literal["agent", "hold", "bridge"] = "agent"
    source: Source | None = None
    """None: silence."""
    peer: str | None = None
    """The id of the other call of a bridge."""
    agent: Literal["stay", "leave"] | None = None
    """`leave`: the agent has to do with the call no more. None: it stays."""
    why: Literal["hold", "transfer"] | None = None
    """The reason that an agent that stays is told; None: `transfer` in a bridge, else `hold`."""
    peer_url: str | None = None
    """The base URL of the relay that holds the other call, if this side is to connect to it."""
    peer_token: str | None = None
    """The token that opens the other call for this one."""

    def same_audio(self, other: Line) -> bool:
        """Return whether the caller goes on hearing the same."""
        return (self.mode, self.source, self.peer) == (other.mode, other.source, other.peer)


AGENT_TALKS: Final = Line()
"""The line of a call about which the application has said nothing."""
