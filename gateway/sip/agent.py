"""The user agent: the one object to feed with bytes and time, and to take bytes and events from.

    agent.receive(data, flow, now)       what came by UDP, or a message cut out of a stream
    agent.fire(now)                      when `agent.next_timer()` is due
    agent.take_output()                  (flow, bytes) pairs to send
    agent.take_events()                  what happened

After each of the first two, and after each command to a call, take output and events.
"""

from __future__ import annotations

import secrets

from gateway.sip.context import ALLOW, SUPPORTED, Context, Identity
from gateway.sip.dialog.inbound import InboundCall, invite_key
from gateway.sip.dialog.media import Media
from gateway.sip.dialog.outbound import Dial, OutboundCall
from gateway.sip.dialog.replaces import replaced_call
from gateway.sip.errors import Refusal
from gateway.sip.events import Event, IncomingCall
from gateway.sip.exchange import Authoriser
from gateway.sip.keep_alive import Crlf, Ping, Pinged
from gateway.sip.registration import Registrar, Registration
from gateway.sip.syntax.body import SDP
from gateway.sip.syntax.message import Request, Response, respond
from gateway.sip.transaction.client import ClientUser
from gateway.sip.transaction.flow import Flow
from gateway.sip.transaction.server import ServerTransaction
from gateway.sip.words import RandomBytes

MAX_CALLS = 2_000
"""Calls of one user agent at a time."""
_ABILITIES = {"Allow": ALLOW, "Accept": SDP, "Supported": ", ".join(sorted(SUPPORTED))}
_IN_DIALOG = frozenset({"BYE", "UPDATE", "INFO", "PRACK", "REFER", "NOTIFY"})
_KNOWN = frozenset({"REGISTER", "SUBSCRIBE", "MESSAGE", "PUBLISH"})
"""Methods that are understood and not offered: 405. Others are 501 (RFC 3261 8.2.1, 21.5.2)."""


class UserAgent:
    """Calls in and out and registrations, by any number of flows."""

    def __init__(
        self,
        identity: Identity | None = None,
        *,
        max_calls: int = MAX_CALLS,
        random_bytes: RandomBytes = secrets.token_bytes,
    ) -> None:
        self.context = Context(identity or Identity(), self, random_bytes)
        self._max_calls = max_calls

    # Feeding.

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """Take a datagram."""
        self.context.transactions.receive(data, flow, now)

    def receive_message(self, message: Request | Response, flow: Flow, now: float) -> None:
        """Take a message that `Framer` has cut out of a stream."""
        self.context.transactions.dispatch(message, flow, now)

    def lose_flow(self, flow: Flow, now: float) -> None:
        """Note that a connection broke."""
        self.context.transactions.lose_flow(flow, now)

    def fire(self, now: float) -> None:
        """Handle all timers that have run out."""
        self.context.timers.fire(now)

    def next_timer(self) -> float | None:
        """Return when to `fire` next; None if no timer runs."""
        return self.context.timers.next_at()

    def take_output(self) -> list[tuple[Flow, bytes]]:
        """Return what is to be sent."""
        return self.context.outbox.take()

    def take_events(self) -> list[Event]:
        """Return what has happened."""
        events, self.context.events = self.context.events, []
        return events

    # Commands.

    def dial(
        self, dial: Dial, media: Media, now: float, authoriser: Authoriser | None = None
    ) -> OutboundCall:
        """Call somebody. Raises RuntimeError if there are as many calls as there may be."""
        if len(self.context.calls) >= self._max_calls:
            raise RuntimeError(f"this side has {self._max_calls} calls, as many as it may have")
        call = OutboundCall(self.context, dial, media, authoriser)
        call.start(now)
        return call

    def register(
        self, registrar: Registrar, now: float, authoriser: Authoriser | None = None
    ) -> Registration:
        """Register an address and keep it registered."""
        registration = Registration(self.context, registrar, authoriser)
        registration.start(now)
        return registration

    def ping(self, pinged: Pinged, now: float, authoriser: Authoriser | None = None) -> Ping:
        """Ask a far end from time to time whether it is there."""
        ping = Ping(self.context, pinged, authoriser)
        ping.start(now)
        return ping

    def keep_open(self, flow: Flow, every: float, now: float) -> Crlf:
        """Send a double CRLF by a flow each so many seconds."""
        crlf = Crlf(self.context, flow, every)
        crlf.start(now)
        return crlf

    def move_calls(self, old: Flow, new: Flow) -> None:
        """Send the requests of calls by another flow from now on, since the old one broke."""
        for call in self.context.calls.values():
            if call.flow == old:
                call.flow = new

    def send(self, request: Request, flow: Flow, user: ClientUser, now: float) -> None:
        """Send a request outside of calls, once; `user` is told what comes of it."""
        self.context.stamp(request, flow)
        self.context.transactions.send(request, flow, user, now)

    # TransactionUser.

    def on_request(self, transaction: ServerTransaction, now: float) -> None:
        """Answer a new request: in a dialog by its call, else here."""
        request = transaction.request
        try:
            check_extensions(request)
            if tag := request.to.tag:
                self._in_dialog(transaction, tag, now)
            else:
                self._outside(transaction, now)
        except Refusal as refusal:
            self.context.refuse(transaction, refusal, now, tag=self.context.words.tag())

    def on_ack(self, ack: Request, now: float) -> None:
        """Pass the ACK of a 2xx on to its call."""
        call = self.context.calls.get((ack.call_id, ack.to.tag))
        if call is not None and call.dialog_of(ack) is not None:
            call.on_ack(ack, now)

    def on_stray(self, response: Response, flow: Flow, now: float) -> None:
        """Drop a 2xx that comes when its INVITE is long over."""

    def _in_dialog(self, transaction: ServerTransaction, tag: str, now: float) -> None:
        call = self.context.calls.get((transaction.request.call_id, tag))
        if call is None:
            raise Refusal(481, "")
        call.on_request(transaction, now)

    def _outside(self, transaction: ServerTransaction, now: float) -> None:
        request = transaction.request
        match request.method:
            case "INVITE":
                self._invite(transaction, now)
            case "OPTIONS":
                tag = self.context.words.tag()
                response = respond(request, 200, tag=tag, headers=_ABILITIES)
                self.context.respond(transaction, response, now)
            case method if method in _IN_DIALOG:
                raise Refusal(481, "")
            case method if method in _KNOWN:
                raise Refusal(405, "", Allow=ALLOW)
            case _:
                raise Refusal(501, "", Allow=ALLOW)

    def _invite(self, transaction: ServerTransaction, now: float) -> None:
        request = transaction.request
        if invite_key(request) in self.context.invites:
            raise Refusal(482, "Another branch of this call is here already")
        if len(self.context.calls) >= self._max_calls:
            raise Refusal(503, "This side has as many calls as it may have", Retry_After="10")
        replaced = replaced_call(request, transaction.flow, self.context.calls.values())
        call = InboundCall(self.context, transaction, replaced)
        transaction.respond(respond(request, 100), now)
        self.context.tell(IncomingCall(call))


def check_extensions(request: Request) -> None:
    """Raise Refusal if a request requires an extension that is not known (8.2.2.3).

    A BYE is taken all the same: a call must not stay up because of how its end is worded.
    """
    unknown = request.headers.tokens("Require") - SUPPORTED
    if unknown and request.method not in ("BYE", "CANCEL"):
        raise Refusal(420, "", Unsupported=", ".join(sorted(unknown)))
