"""Matches messages with transactions (RFC 3261 17.1.3, 17.2.3, 18); refuses what is malformed."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Protocol

from gateway.sip.errors import Refusal, SipSyntaxError
from gateway.sip.syntax.checks import check_request, check_response
from gateway.sip.syntax.headers import Address, Via
from gateway.sip.syntax.message import Request, Response, parse, respond
from gateway.sip.transaction.client import (
    ClientTransaction,
    ClientUser,
    InviteClient,
    NonInviteClient,
)
from gateway.sip.transaction.flow import DEFAULT_PORT, Flow, Outbox
from gateway.sip.transaction.server import InviteServer, NonInviteServer, ServerTransaction
from gateway.sip.transaction.timers import Timers

MAX_SERVERS = 20_000
"""Requests of others that are held at a time; the next is answered 503 and not held."""
_COOKIE = "z9hG4bK"


class TransactionUser(Protocol):
    """The core above the transactions."""

    def on_request(self, transaction: ServerTransaction, now: float) -> None:
        """Answer a new request, now or later."""

    def on_ack(self, ack: Request, now: float) -> None:
        """Take the ACK of a 2xx. If there is no dialog of it, it is of a refusal by this layer."""

    def on_stray(self, response: Response, flow: Flow, now: float) -> None:
        """Take a response whose transaction is over: the 2xx of a late fork."""


class TransactionLayer:
    """All transactions of one user agent."""

    def __init__(self, timers: Timers, outbox: Outbox, user: TransactionUser) -> None:
        self.clients: dict[tuple[str, str], ClientTransaction] = {}
        self.servers: dict[tuple[str, ...], ServerTransaction] = {}
        self.counts: Counter[str] = Counter()
        """Messages that were dropped or refused here, by reason."""
        self._timers = timers
        self._outbox = outbox
        self._user = user

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """Take a datagram, or a whole message of a stream."""
        try:
            message = parse(data)
        except SipSyntaxError:
            # Without a start line and fields there is nobody to answer.
            self.counts["not SIP"] += 1
            return
        self.dispatch(message, flow, now)

    def dispatch(self, message: Request | Response, flow: Flow, now: float) -> None:
        """Take a message that has been read already."""
        if isinstance(message, Response):
            self._response(message, flow, now)
        else:
            self._request(message, flow, now)

    def send(self, request: Request, flow: Flow, user: ClientUser, now: float) -> ClientTransaction:
        """Send a request, which has its Via already, in a transaction of its own."""
        kind = InviteClient if request.method == "INVITE" else NonInviteClient
        transaction = kind(self._timers, self._outbox, request, flow, user)
        self.clients[transaction.key] = transaction
        transaction.on_end = lambda: self._forget_client(transaction)
        transaction.start(now)
        return transaction

    def lose_flow(self, flow: Flow, now: float) -> None:
        """Fail the requests that wait for responses by a connection that broke."""
        for transaction in [t for t in self.clients.values() if t.flow == flow]:
            transaction.lose_flow(now)

    # Responses.

    def _response(self, response: Response, flow: Flow, now: float) -> None:
        try:
            check_response(response)
            key = (response.via.branch, response.cseq.method)
        except SipSyntaxError:
            self.counts["malformed response"] += 1
            return
        transaction = self.clients.get(key)
        if transaction is not None:
            transaction.receive(response, now)
        elif key[1] == "INVITE" and 200 <= response.status < 300:
            self._user.on_stray(response, flow, now)
        else:
            self.counts["response to nothing"] += 1

    def _forget_client(self, transaction: ClientTransaction) -> None:
        if self.clients.get(transaction.key) is transaction:
            del self.clients[transaction.key]

    # Requests.

    def _request(self, request: Request, flow: Flow, now: float) -> None:
        try:
            via = request.via
        except SipSyntaxError:
            self.counts["request without Via"] += 1
            return
        flow = _stamp(request, via, flow)
        key = _key(request, via)
        try:
            check_request(request)
        except Refusal as refusal:
            self._refuse(request, refusal, flow)
            return
        known = self.servers.get(key)
        match request.method:
            case "ACK" if known is not None and known.status >= 300:
                known.acknowledge(now)
            case "ACK":
                self._user.on_ack(request, now)
            case "CANCEL":
                self._cancel(request, flow, key, now)
            case _ if known is not None:
                known.repeat(now)
            case _ if len(self.servers) >= MAX_SERVERS:
                self._refuse(request, Refusal(503, "Too many requests", Retry_After="10"), flow)
            case _:
                self._user.on_request(self._begin(request, flow, key, now), now)

    def _begin(
        self, request: Request, flow: Flow, key: tuple[str, ...], now: float
    ) -> ServerTransaction:
        kind = InviteServer if request.method == "INVITE" else NonInviteServer
        transaction = kind(self._timers, self._outbox, request, flow, key)
        self.servers[key] = transaction
        transaction.on_end = lambda: self._forget_server(transaction)
        transaction.start(now)
        return transaction

    def _forget_server(self, transaction: ServerTransaction) -> None:
        self.servers.pop(transaction.key, None)

    def _cancel(self, request: Request, flow: Flow, key: tuple[str, ...], now: float) -> None:
        """Answer a CANCEL, and tell the INVITE's user (RFC 3261 9.2)."""
        own = (*key, "CANCEL")
        if (repeated := self.servers.get(own)) is not None:
            repeated.repeat(now)
            return
        invite = self.servers.get(key)
        if invite is None:
            self._refuse(request, Refusal(481, "There is no such INVITE"), flow)
            return
        tag = Address.parse(invite.to).tag or _tag(request)
        answer = respond(request, 200, tag=tag)
        self._begin(request, flow, own, now).respond(answer, now)
        if invite.status < 200 and invite.user is not None:
            invite.user.on_cancel(invite, now)

    def _refuse(self, request: Request, refusal: Refusal, flow: Flow) -> None:
        """Answer without a transaction: the same request gets the same answer."""
        self.counts[f"refused {refusal.status}"] += 1
        if request.method == "ACK":
            return
        response = respond(
            request, refusal.status, refusal.reason, tag=_tag(request), headers=refusal.headers
        )
        self._outbox.send(flow, bytes(response))


def _tag(request: Request) -> str:
    """Return the To tag of an answer that is not remembered: the same each time (8.2.7)."""
    words = (request.via.branch, request.call_id, request.headers.get("From"))
    text = "\n".join(words).encode("utf-8", "surrogateescape")
    return hashlib.blake2s(text, digest_size=8).hexdigest()


def _stamp(request: Request, via: Via, flow: Flow) -> Flow:
    """Note in the Via whence the request came (18.2.1, RFC 3581). Return the responses' flow.

    Without `rport`, a response by UDP goes to the port that the Via names (18.2.2).
    """
    host, port = flow.remote
    wants_port = "rport" in via.params
    if wants_port or via.host != host:
        via.params["received"] = host
    if wants_port:
        via.params["rport"] = str(port)
    others = request.headers.values("Via")[1:]
    request.headers.remove("Via")
    # One line each, as everybody writes them: simple proxies take off a line, not a value.
    for value in reversed([str(via), *others]):
        request.headers.add_first("Via", value)
    if flow.reliable or wants_port:
        return flow
    return flow.to_port(via.port or DEFAULT_PORT)


def _key(request: Request, via: Via) -> tuple[str, ...]:
    """Return the key of a server transaction; ACK and CANCEL have their INVITE's (17.2.3)."""
    method = "INVITE" if request.method in ("ACK", "CANCEL") else request.method
    sender = f"{via.host}:{via.port or ''}"
    if via.branch.startswith(_COOKIE) and len(via.branch) > len(_COOKIE):
        return via.branch, sender, method
    # RFC 2543 has no such branch. To's tag is left out: the ACK has one that the INVITE had not.
    cseq = request.headers.get("CSeq").split(" ")[0]
    return via.branch, sender, method, request.call_id, request.headers.get("From"), cseq
