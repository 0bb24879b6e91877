"""Repeats a 2xx to an INVITE until its ACK comes (RFC 3261 13.3.1.4)."""

from __future__ import annotations

from collections.abc import Callable

from gateway.sip.syntax.message import Request, Response
from gateway.sip.transaction.server import ServerTransaction
from gateway.sip.transaction.table import LIFE, T1, T2
from gateway.sip.transaction.timers import Timers


class AnswerRepeater:
    """The 2xx to INVITEs of one call. At most one waits for its ACK at a time."""

    def __init__(self, timers: Timers, on_no_ack: Callable[[float], None]) -> None:
        self._timers = timers
        self._on_no_ack = on_no_ack
        self._transaction: ServerTransaction | None = None
        self._response: Response | None = None
        self._wait = T1

    @property
    def waiting(self) -> bool:
        """Return whether an ACK is still to come."""
        return self._transaction is not None

    def start(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Begin to repeat a 2xx that has been sent once."""
        self._transaction, self._response, self._wait = transaction, response, T1
        self._timers.start(self, "repeat", now + T1)
        self._timers.start(self, "give up", now + LIFE)

    def on_ack(self, ack: Request) -> bool:
        """Stop if this ACK is of the 2xx. Return whether it is, for the first time."""
        transaction = self._transaction
        if transaction is None or ack.cseq.number != transaction.request.cseq.number:
            return False
        self.stop()
        return True

    def stop(self) -> None:
        """Stop repeating."""
        self._timers.stop(self)
        self._transaction = self._response = None

    def on_timer(self, name: str, now: float) -> None:
        """Send the 2xx again, or give up."""
        if self._transaction is None or self._response is None:
            return
        if name == "give up":
            self.stop()
            self._on_no_ack(now)
            return
        self._transaction.respond(self._response, now)
        self._wait = min(2 * self._wait, T2)
        self._timers.start(self, "repeat", now + self._wait)
