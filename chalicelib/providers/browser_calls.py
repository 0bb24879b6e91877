"""Test calls: a browser as the caller, on a socket of our gateway."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote

from common import call_ticket
from common.call_ticket import Ticket


@dataclass(frozen=True)
class BrowserCalls:
    """The gateway's sockets, and the secret that tickets are signed with."""

    __test__ = False  # pytest must not collect it

    socket_url: str
    secret: str = field(repr=False)
    provider: str = "gateway"
    """The provider whose numbers can be called this way."""

    def url(self, ticket: Ticket) -> str:
        """Return the URL at which the browser places a ticket's call. As secret as the ticket."""
        text = call_ticket.issue(self.secret, ticket)
        return f"{self.socket_url}/legs/call?ticket={quote(text)}"
