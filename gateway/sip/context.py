"""The state that all parts of one user agent share: timers, what is to be sent and told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.sip.errors import Refusal
from gateway.sip.events import Event
from gateway.sip.syntax.headers import Via
from gateway.sip.syntax.message import Request, Response, respond
from gateway.sip.transaction.flow import Flow, Outbox
from gateway.sip.transaction.layer import TransactionLayer, TransactionUser
from gateway.sip.transaction.server import ServerTransaction
from gateway.sip.transaction.timers import Timers
from gateway.sip.words import RandomBytes, Words

if TYPE_CHECKING:
    from gateway.sip.dialog.call import Call

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, PRACK, REFER, NOTIFY"
SUPPORTED = frozenset({"100rel", "timer", "replaces"})


@dataclass(frozen=True, slots=True)
class Identity:
    """The names of this user agent on the wire."""

    host: str = ""
    """The host in Via and Contact; "" for the flow's own address."""
    software: str = ""
    """User-Agent and Server; "" for none."""


class Context:
    """The state that the parts share."""

    def __init__(
        self, identity: Identity, user: TransactionUser, random_bytes: RandomBytes
    ) -> None:
        self.identity = identity
        self.timers = Timers()
        self.outbox = Outbox()
        self.words = Words(random_bytes)
        self.events: list[Event] = []
        self.calls: dict[tuple[str, str], Call] = {}
        """The calls by Call-ID and our tag."""
        self.invites: set[tuple[str, str, int]] = set()
        """The INVITEs of inbound calls, by what their branches have in common."""
        self.transactions = TransactionLayer(self.timers, self.outbox, user)

    def keep(self, call: Call) -> None:
        """Find the call from now on when a message is of its dialog."""
        self.calls[call.call_id, call.tag] = call

    def forget(self, call: Call) -> None:
        """Answer messages of the call's dialog with 481 from now on."""
        if self.calls.pop((call.call_id, call.tag), None) is not None:
            call.forgotten()

    def tell(self, event: Event) -> None:
        """Tell an event, behind all others."""
        self.events.append(event)

    def host_of(self, flow: Flow) -> str:
        """Return the host by which the far end of a flow reaches us."""
        return self.identity.host or flow.local[0]

    def contact(self, flow: Flow, user: str) -> str:
        """Return our Contact for messages on that flow."""
        host = self.host_of(flow)
        host = f"[{host}]" if ":" in host else host
        transport = "" if flow.transport == "UDP" else f";transport={flow.transport.lower()}"
        at = f"{user}@" if user else ""
        return f"<sip:{at}{host}:{flow.local[1]}{transport}>"

    def stamp(self, request: Request, flow: Flow) -> None:
        """Give a request a Via with a new branch, in place of the one of an earlier try."""
        via = Via(flow.transport, self.host_of(flow), flow.local[1])
        via.params["rport"] = None
        via.params["branch"] = self.words.branch()
        request.headers.remove("Via")
        request.headers.add_first("Via", via)
        if self.identity.software:
            request.headers.put("User-Agent", self.identity.software)

    def respond(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Send a response, with our software's name."""
        if self.identity.software:
            response.headers.put("Server", self.identity.software)
        transaction.respond(response, now)

    def refuse(
        self, transaction: ServerTransaction, refusal: Refusal, now: float, *, tag: str
    ) -> None:
        """Answer a request with the status, the reason and the fields of a refusal."""
        reason = " ".join(refusal.reason.split())  # one line, whoever wrote it
        response = respond(
            transaction.request, refusal.status, reason, tag=tag, headers=refusal.headers
        )
        self.respond(transaction, response, now)

    def send_ack(self, ack: Request, flow: Flow) -> bytes:
        """Send the ACK of a 2xx, which has no transaction. Return its bytes for repetitions."""
        self.stamp(ack, flow)
        data = bytes(ack)
        self.outbox.send(flow, data)
        return data
