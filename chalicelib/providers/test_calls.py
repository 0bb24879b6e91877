"""Test calls: a browser as the caller, on a socket of our gateway."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote

from wire import call_ticket
from wire.call_ticket import Ticket


@dataclass(frozen=True)
class TestCalls:
    """The gateway's sockets, and the secret that tickets are signed with."""

    __test__ = False  # pytest's: this is none

    socket_url: str
    secret: str = field(repr=False)
    provider: str = "gateway"
    """Whose numbers can be called this way."""

    def url(self, ticket: Ticket) -> str:
        """Where the browser places the call of a ticket. As secret as that."""
        text = call_ticket.issue(self.secret, ticket)
        return f"{self.socket_url}/legs/call?ticket={quote(text)}"
