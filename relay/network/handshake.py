"""An agent's handshake: the token and the subprotocol in its request, and how to repeat it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlencode

SUBPROTOCOL = "chamade.v1"
_WITH_TOKEN = "chamade.token."  # noqa: S105
_AUDIO_PARAMETERS = ("dialect", "format", "rate")
_IF_FREE = "if_free"


def offered(headers: Sequence[str]) -> list[str]:
    """Return the subprotocols that a client offers in its `Sec-WebSocket-Protocol` headers."""
    return [name.strip() for header in headers for name in header.split(",")]


def agent_token(authorization: str, subprotocols: Sequence[str], query: Mapping[str, str]) -> str:
    """Return an agent's token, or "".

    The header counts before the subprotocol, which browsers use as they cannot set headers; the
    query comes last, as proxies write it into their logs.
    """
    scheme, _, bearer = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return bearer.strip()
    for name in subprotocols:
        if name.startswith(_WITH_TOKEN):
            return name.removeprefix(_WITH_TOKEN)
    return query.get("token", "")


@dataclass(frozen=True)
class AgentHandshake:
    """An agent's handshake as it is repeated to another relay."""

    call_id: str
    query: dict[str, str]
    headers: dict[str, str]

    @classmethod
    def of(cls, call_id: str, token: str, query: Mapping[str, str]) -> Self:
        """Make the handshake of an agent that came with this token and query."""
        kept = {name: query[name] for name in (*_AUDIO_PARAMETERS, _IF_FREE) if name in query}
        return cls(call_id, kept, {"Authorization": f"Bearer {token}"})

    def path(self, *, started: bool) -> str:
        """Return the path with its query. `started`: the agent has had its `start`; it has the call
        by now and need not find it free again.
        """
        query = {
            name: self.query[name] for name in self.query if not (started and name == _IF_FREE)
        }
        return f"/media/agent/{self.call_id}?{urlencode(query)}"
