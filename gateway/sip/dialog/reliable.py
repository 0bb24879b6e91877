"""Provisional responses that the caller must acknowledge by PRACK (RFC 3262)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.sip.errors import Refusal
from gateway.sip.syntax.message import Response
from gateway.sip.transaction.server import ServerTransaction
from gateway.sip.transaction.table import LIFE, T1

if TYPE_CHECKING:
    from gateway.sip.dialog.inbound import InboundCall


class ReliableResponses:
    """The provisional responses of one INVITE. At most one waits for its PRACK (RFC 3262 3).

    They are reliable if the caller requires it. A caller that only supports it gets plain ones,
    as nothing in ours must not be lost.
    """

    def __init__(self, call: InboundCall, transaction: ServerTransaction) -> None:
        self._call = call
        self._transaction = transaction
        self._timers = call.context.timers
        self.required = "100rel" in call.invite.headers.tokens("Require")
        self._rseq = 1 + int.from_bytes(call.context.words.random_bytes(2), "big")
        self._sent: Response | None = None
        self._next: Response | None = None
        self._wait = T1

    @property
    def waiting(self) -> bool:
        """Return whether a PRACK is still to come."""
        return self._sent is not None

    def send(self, response: Response, now: float) -> None:
        """Send a response, or keep the latest one until the one before is acknowledged."""
        if not self.required:
            self._transaction.respond(response, now)
            return
        if self._sent is not None:
            self._next = response
            return
        self._rseq += 1
        response.headers.put("Require", "100rel")
        response.headers.put("RSeq", self._rseq)
        self._sent, self._wait = response, T1
        self._transaction.respond(response, now)
        self._timers.start(self, "repeat", now + T1)
        self._timers.start(self, "give up", now + LIFE)

    def on_prack(self, transaction: ServerTransaction, now: float) -> None:
        """Take a PRACK. Raise Refusal if it acknowledges nothing that was sent (481)."""
        words = transaction.request.headers.get("RAck").split()
        cseq = self._call.invite.cseq
        if self._sent is None or words != [str(self._rseq), str(cseq.number), "INVITE"]:
            raise Refusal(481, "This PRACK acknowledges nothing")
        body = self._call.renegotiation.answer_to(transaction.request)
        self.stop()
        self._call.reply(transaction, 200, now, body=body)
        following, self._next = self._next, None
        if following is not None:
            self.send(following, now)

    def on_timer(self, name: str, now: float) -> None:
        """Send the response again, or refuse the call of a caller that acknowledges nothing."""
        if self._sent is None:
            return
        if name == "give up":
            self._call.reject(now, 504, "The PRACK did not come")
            return
        self._transaction.respond(self._sent, now)
        self._wait *= 2
        self._timers.start(self, "repeat", now + self._wait)

    def stop(self) -> None:
        """Stop repeating."""
        self._timers.stop(self)
        self._sent = None
