"""Sends a request of ours, again with credentials if it is challenged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gateway.sip.context import Context
from gateway.sip.syntax.message import Request, Response
from gateway.sip.transaction.client import ClientTransaction
from gateway.sip.transaction.flow import Flow
from gateway.sip.transaction.table import Failure

MAX_CHALLENGES = 4
"""Challenges that one request answers: two realms, and each of them stale once."""


CREDENTIALS = ("Authorization", "Proxy-Authorization")


class NotAuthorised(Exception):
    """A challenge that cannot be answered, or credentials that were refused. The text says why."""


class Authoriser(Protocol):
    """Whoever has credentials for challenges."""

    def answer(self, request: Request, response: Response) -> None:
        """Put credentials for a 401 or 407 into the request. Raises NotAuthorised."""

    def anticipate(self, request: Request) -> None:
        """Put credentials into the request for challenges that are known from before."""

    def learn(self, response: Response) -> None:
        """Take what a success says about the next credentials."""


@dataclass(eq=False, slots=True, kw_only=True)
class Exchange:
    """Sends one request, again with credentials each time it is challenged."""

    context: Context
    flow: Flow
    request: Request
    authoriser: Authoriser | None
    next_cseq: Callable[[], int]
    """Numbers the tries."""
    on_answer: Callable[[Response, float], None]
    """Called with each response but the challenges that are answered."""
    on_no_answer: Callable[[Failure, float], None]
    transaction: ClientTransaction | None = None
    wanted: bool = True
    """False: challenges are not answered any more, since the request is to be cancelled."""
    _challenges: int = 0

    def start(self, now: float) -> Exchange:
        """Send the request."""
        if self.authoriser is not None:
            self.authoriser.anticipate(self.request)
        self._send(now)
        return self

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """Answer a challenge, or pass the response on."""
        if transaction is not self.transaction:
            return
        if response.status in (401, 407) and self._answer(response):
            self.request.headers.put("CSeq", f"{self.next_cseq()} {self.request.method}")
            self._send(now)
            return
        if self.authoriser is not None and 200 <= response.status < 300:
            self.authoriser.learn(response)
        self.on_answer(response, now)

    def on_failure(self, transaction: ClientTransaction, failure: Failure, now: float) -> None:
        """Pass it on that nobody answered."""
        if transaction is self.transaction:
            self.on_no_answer(failure, now)

    def _answer(self, response: Response) -> bool:
        """Sign the request anew. If that cannot be, put the reason into the response."""
        if self.authoriser is None or not self.wanted:
            return False
        self._challenges += 1
        try:
            if self._challenges > MAX_CHALLENGES:
                raise NotAuthorised(f"the far end asked {self._challenges} times for credentials")
            self.authoriser.answer(self.request, response)
        except NotAuthorised as error:
            response.reason = str(error)
            return False
        return True

    def _send(self, now: float) -> None:
        self.context.stamp(self.request, self.flow)
        self.transaction = self.context.transactions.send(self.request, self.flow, self, now)


def copy_credentials(request: Request, ack: Request) -> None:
    """Give an ACK the credentials of its INVITE (RFC 3261 22.1)."""
    for name in CREDENTIALS:
        for value in request.headers.all(name):
            ack.headers.add(name, value)
