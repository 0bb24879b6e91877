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


class Authoriser(Protocol):
    """Whoever has credentials for challenges."""

    def answer(self, request: Request, response: Response) -> bool:
        """Put credentials for a 401 or 407 into the request. Return False if there are none."""

    def anticipate(self, request: Request) -> None:
        """Put credentials into the request for challenges that are known from before."""


@dataclass(eq=False, slots=True, kw_only=True)
class Exchange:
    """One request of ours with all the tries that challenges cause."""

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
        self.on_answer(response, now)

    def on_failure(self, transaction: ClientTransaction, failure: Failure, now: float) -> None:
        """Pass it on that nobody answered."""
        if transaction is self.transaction:
            self.on_no_answer(failure, now)

    def _answer(self, response: Response) -> bool:
        if self.authoriser is None or not self.wanted or self._challenges >= MAX_CHALLENGES:
            return False
        self._challenges += 1
        return self.authoriser.answer(self.request, response)

    def _send(self, now: float) -> None:
        self.context.stamp(self.request, self.flow)
        self.transaction = self.context.transactions.send(self.request, self.flow, self, now)
