"""One side of SIP under test: its transactions, a clock, and what was sent and told."""

from __future__ import annotations

from gateway.sip.syntax.message import Request, Response, parse, respond
from gateway.sip.transaction.flow import Flow, Outbox
from gateway.sip.transaction.layer import TransactionLayer
from gateway.sip.transaction.timers import Timers

UDP = Flow("UDP", ("192.0.2.2", 5060), ("192.0.2.1", 5060))
TCP = Flow("TCP", ("192.0.2.2", 40_000), ("192.0.2.1", 5060), 1)
FLOWS = [UDP, TCP]


def request(method="INVITE", branch="z9hG4bK1", *, via="", fields="", **replaced) -> Request:
    """Make a request; `replaced` are fields by their names with underscores."""
    lines = {
        "Via": via or f"SIP/2.0/UDP 192.0.2.2;branch={branch}",
        "Max-Forwards": "70",
        "From": "<sip:a@h>;tag=1",
        "To": "<sip:b@h>",
        "Call-ID": "call",
        "CSeq": f"7 {method}",
    } | {name.replace("_", "-"): value for name, value in replaced.items()}
    text = "\n".join(f"{name}: {value}" for name, value in lines.items())
    message = parse(f"{method} sip:b@h SIP/2.0\n{text}\n{fields}\n".encode())
    assert isinstance(message, Request)
    return message


class Scene:
    """Drives a layer, and is all its users."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers = Timers()
        self.outbox = Outbox()
        self.layer = TransactionLayer(self.timers, self.outbox, self)
        self.sent = []
        """(when, the flow, the message)."""
        self.told = []
        """What the users were told, in order."""
        self.requests = []
        """The server transactions that began."""

    # The users.

    def on_request(self, transaction, now):
        transaction.user = self
        self.requests.append(transaction)
        self.told.append(f"request {transaction.request.method}")

    def on_ack(self, ack, now):
        self.told.append("ACK")

    def on_stray(self, response, flow, now):
        self.told.append(f"stray {response.status}")

    def on_cancel(self, transaction, now):
        self.told.append("cancel")

    def on_no_ack(self, transaction, now):
        self.told.append(f"no ACK at {now:g}")

    def on_response(self, transaction, response, now):
        self.told.append(str(response.status))

    def on_failure(self, transaction, failure, now):
        self.told.append(f"{failure.value} at {now:g}")

    # What happens.

    def receive(self, message, flow=UDP):
        self.layer.receive(
            message if isinstance(message, bytes) else bytes(message), flow, self.now
        )
        self.collect()

    def send(self, message, flow=UDP):
        transaction = self.layer.send(message, flow, self, self.now)
        self.collect()
        return transaction

    def answer(self, transaction, status, tag="99"):
        """Answer a request of the peer."""
        transaction.respond(respond(transaction.request, status, tag=tag), self.now)
        self.collect()

    def get(self, transaction, status, tag="99"):
        """Have the peer answer a request of ours."""
        self.receive(respond(transaction.request, status, tag=tag), transaction.flow)

    def run_to(self, end: float) -> None:
        """Let the time pass, and wake whoever is to be woken at their times."""
        while (at := self.timers.next_at()) is not None and at <= end:
            self.now = max(self.now, at)
            self.timers.fire(self.now)
            self.collect()
        self.now = max(self.now, end)

    def collect(self):
        self.sent += [(self.now, flow, parse(data)) for flow, data in self.outbox.take()]

    # What is seen.

    def times(self, what: str | int) -> list[float]:
        """Return when requests of that method, or responses of that status, were sent."""
        return [
            when
            for when, _, message in self.sent
            if what == (message.method if isinstance(message, Request) else message.status)
        ]

    def last(self) -> Request | Response:
        """Return what was sent last."""
        return self.sent[-1][2]

    @property
    def empty(self) -> bool:
        """Return whether nothing is held any more."""
        return not self.layer.clients and not self.layer.servers and not len(self.timers)
