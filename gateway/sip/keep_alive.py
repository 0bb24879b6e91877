"""Asks far ends whether they are there, and keeps the ways to them open.

Firewalls and address translators forget a way by which nothing goes for half a minute.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.sip.context import Context
from gateway.sip.events import PingAnswered, PingUnanswered
from gateway.sip.exchange import Authoriser, Exchange
from gateway.sip.syntax.body import SDP
from gateway.sip.syntax.framing import PING
from gateway.sip.syntax.message import Request, Response
from gateway.sip.transaction.flow import Flow
from gateway.sip.transaction.table import Failure

ANSWER_WITHIN = 8.0
"""Seconds in which a working far end has answered, four repetitions included."""
_NOBODY = frozenset({408, 476, 477, 478})
"""Answers of a proxy on our side for a far end that it did not reach (Kamailio's 476 to 478)."""
_REFUSED = frozenset({401, 403, 407})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinged:
    """A far end that is asked, and as whom."""

    uri: str
    """The request URI, and To."""
    us: str
    """The URI in From."""
    flow: Flow
    every: float
    """Seconds between two OPTIONS."""
    user: str = ""
    """The user part of our Contact."""
    routes: tuple[str, ...] = ()


class Ping:
    """Sends OPTIONS to one far end until it is stopped (RFC 3261 11)."""

    def __init__(self, context: Context, pinged: Pinged, authoriser: Authoriser | None) -> None:
        self.pinged = pinged
        self.flow = pinged.flow
        self.routes = pinged.routes
        """The routes of the next OPTIONS."""
        self._context = context
        self._authoriser = authoriser
        self._call_id = context.words.call_id(context.host_of(self.flow))
        self._cseq = 0
        self._silences = 0
        self._exchange: Exchange | None = None

    def start(self, now: float) -> None:
        """Ask now."""
        self._send(now)

    def move(self, flow: Flow, now: float) -> None:
        """Ask by another flow from now on, at once."""
        self.flow = flow
        self._send(now)

    def stop(self) -> None:
        """Ask no more."""
        self._forget()
        self._context.timers.stop(self)

    def on_timer(self, name: str, now: float) -> None:
        """Ask again, or tell that nobody answers, long before the transaction does."""
        if name == "again":
            self._send(now)
        else:
            self._miss(None, Failure.TIMEOUT.value)

    def _send(self, now: float) -> None:
        self._forget()
        pinged = self.pinged
        request = Request("OPTIONS", pinged.uri)
        for route in self.routes:
            request.headers.add("Route", route)
        request.headers.add("Max-Forwards", 70)
        request.headers.add("From", f"<{pinged.us}>;tag={self._context.words.tag()}")
        request.headers.add("To", f"<{pinged.uri}>")
        request.headers.add("Call-ID", self._call_id)
        request.headers.add("CSeq", f"{self._next_cseq()} OPTIONS")
        request.headers.add("Contact", self._context.contact(self.flow, pinged.user))
        request.headers.add("Accept", SDP)
        exchange = self._exchange = Exchange(
            context=self._context,
            flow=self.flow,
            request=request,
            authoriser=self._authoriser,
            next_cseq=self._next_cseq,
            on_answer=lambda response, _: self._on_response(exchange, response),
            on_no_answer=lambda failure, _: self._on_failure(exchange, failure),
        )
        # Spread, so that many that began together do not come back together.
        pause = self._context.words.between(0.9 * pinged.every, pinged.every)
        self._context.timers.start(self, "again", now + pause)
        self._context.timers.start(self, "unanswered", now + min(ANSWER_WITHIN, pinged.every / 2))
        exchange.start(now)

    def _next_cseq(self) -> int:
        self._cseq += 1
        return self._cseq

    def _forget(self) -> None:
        """Let the last try be: it must not be signed and sent once more."""
        if self._exchange is not None:
            self._exchange.wanted = False
        self._exchange = None

    def _on_failure(self, exchange: Exchange, failure: Failure) -> None:
        if exchange is self._exchange:
            self._miss(None, failure.value)

    def _on_response(self, exchange: Exchange, response: Response) -> None:
        if exchange is not self._exchange or response.status < 200:
            return
        if response.status in _NOBODY:
            self._miss(response.status, response.reason)
            return
        if response.status in _REFUSED:
            # It is there, and that is all that we ask. Carriers count wrong passwords.
            self._authoriser = None
        self._settle()
        self._silences = 0
        self._context.tell(PingAnswered(self, response.status, response.reason))

    def _miss(self, status: int | None, reason: str) -> None:
        self._settle()
        self._silences += 1
        self._context.tell(PingUnanswered(self, status, reason, self._silences))

    def _settle(self) -> None:
        self._forget()
        self._context.timers.stop(self, "unanswered")


class Crlf:
    """Sends a double CRLF by a flow until it is stopped (RFC 5626 3.5.1)."""

    def __init__(self, context: Context, flow: Flow, every: float) -> None:
        self._context = context
        self._flow = flow
        self._every = every

    def start(self, now: float) -> None:
        """Begin: the first one goes when the time is over."""
        self._context.timers.start(self, "again", now + self._every)

    def stop(self) -> None:
        """Send no more."""
        self._context.timers.stop(self)

    def on_timer(self, name: str, now: float) -> None:  # noqa: ARG002 - there is one timer
        """Send one."""
        self._context.outbox.send(self._flow, PING)
        self.start(now)
