"""Two user agents and the network between them, with a clock that tests move.

Datagrams are delivered in order at once, unless a test loses, holds or looks at them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from gateway.sip.agent import UserAgent
from gateway.sip.context import Identity
from gateway.sip.dialog.inbound import InboundCall
from gateway.sip.dialog.outbound import Dial, OutboundCall
from gateway.sip.errors import Refusal
from gateway.sip.events import Event, IncomingCall
from gateway.sip.exchange import Authoriser
from gateway.sip.syntax.headers import Address
from gateway.sip.syntax.message import Request, Response, parse
from gateway.sip.transaction.flow import Flow

ALICE, BOB = ("192.0.2.1", 5060), ("192.0.2.2", 5060)


class Sound:
    """The media of a test: an offer or answer is a line that says whose it is."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.offers = 0
        self.theirs = b""
        self.open = False
        self.refuses = False

    def make_offer(self, direction: str) -> bytes:
        self.offers += 1
        self.open = True
        return f"v=0 {self.name} offers {direction} {self.offers}".encode()

    repeat_offer = make_offer

    def take_offer(self, offer: bytes) -> bytes:
        if self.refuses:
            raise Refusal(488, "no audio in common", Warning='304 test "no audio in common"')
        self.theirs = offer
        return f"v=0 {self.name} answers".encode()

    def take_answer(self, answer: bytes) -> None:
        if self.refuses or not answer:
            raise Refusal(488, "no audio in common")
        self.theirs, self.open = answer, False

    def rollback(self) -> None:
        self.open = False

    def fork(self) -> Sound:
        copied = Sound(self.name)
        copied.offers, copied.open, copied.refuses = self.offers, self.open, self.refuses
        return copied


class Party:
    """A user agent at one address."""

    def __init__(self, net: Network, name: str, address: tuple[str, int]) -> None:
        self.net, self.name, self.address = net, name, address
        seeds = itertools.count(1)
        self.agent = UserAgent(
            Identity(address[0], name),
            random_bytes=lambda n: (f"{name}{next(seeds)}".encode() * n)[-n:],
        )
        self.events: list[Event] = []

    def flow_to(self, address: tuple[str, int]) -> Flow:
        return Flow("UDP", address, self.address)

    def of(self, kind: type[Any]) -> list[Any]:
        """Return the events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def one(self, kind: type[Any]) -> Any:
        """Return the only event of a kind."""
        (event,) = self.of(kind)
        return event

    @property
    def caller(self) -> InboundCall:
        """Return the call that came in last."""
        call = self.of(IncomingCall)[-1].call
        assert isinstance(call, InboundCall)
        return call


class Network:
    """The two parties, their clock, and all messages that were sent."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.alice, self.bob = Party(self, "alice", ALICE), Party(self, "bob", BOB)
        self.sent: list[tuple[str, Request | Response]] = []
        """(sender, message) of everything that was sent, lost messages as well."""
        self.made: list[OutboundCall] = []
        """The calls that Alice has dialled."""
        self.loses: Callable[[str, Request | Response], bool] = lambda sender, message: False

    @property
    def parties(self) -> tuple[Party, Party]:
        return self.alice, self.bob

    def settle(self) -> None:
        """Deliver until nobody has anything to send."""
        busy = True
        while busy:
            busy = False
            for party in self.parties:
                for flow, data in party.agent.take_output():
                    busy = True
                    self._deliver(party, flow, data)
                party.events += party.agent.take_events()

    def _deliver(self, sender: Party, flow: Flow, data: bytes) -> None:
        message = parse(data)
        self.sent.append((sender.name, message))
        if self.loses(sender.name, message):
            return
        for party in self.parties:
            if party.address == flow.remote:
                party.agent.receive(data, party.flow_to(sender.address), self.now)

    def wait(self, seconds: float) -> None:
        """Let time pass, waking both parties whenever a timer of theirs is due."""
        self.settle()
        end = self.now + seconds
        while True:
            timers = [party.agent.next_timer() for party in self.parties]
            due = min((at for at in timers if at is not None), default=end + 1)
            if due > end:
                break
            self.now = max(self.now, due)
            for party in self.parties:
                party.agent.fire(self.now)
            self.settle()
        self.now = end

    def messages(self, sender: str = "") -> list[str]:
        """Return what was sent, shortened: `INVITE`, `180 INVITE`, `200 BYE`."""
        return [brief(message) for name, message in self.sent if sender in ("", name)]

    def last(self, what: str) -> Request | Response:
        """Return the last message of that kind."""
        return next(message for _, message in reversed(self.sent) if brief(message) == what)

    def dial(
        self, sound: Sound | None = None, authoriser: Authoriser | None = None, **more: Any
    ) -> OutboundCall:
        """Let Alice call Bob; return her call once the INVITE has arrived."""
        dial = Dial(
            target="sip:bob@192.0.2.2",
            to=Address.parse("<sip:bob@192.0.2.2>"),
            from_=Address.parse('"Alice" <sip:alice@192.0.2.1>'),
            flow=self.alice.flow_to(BOB),
            user="alice",
            **more,
        )
        call = self.alice.agent.dial(dial, sound or Sound("alice"), self.now, authoriser)
        self.made.append(call)
        self.settle()
        return call

    def connect(self, **more: Any) -> tuple[OutboundCall, InboundCall]:
        """Let Alice call Bob and Bob answer; return both sides' calls."""
        out = self.dial(**more)
        call = self.bob.caller
        assert call.take(Sound("bob"), self.now)
        call.answer(self.now)
        self.settle()
        return out, call

    def remains(self) -> list[object]:
        """Return whatever the parties still hold."""
        found: list[object] = []
        for party in self.parties:
            context = party.agent.context
            found += [*context.calls, *context.invites]
            for transactions in (context.transactions.clients, context.transactions.servers):
                found += [(key, each.state) for key, each in transactions.items()]
            found += ["a timer"] * len(context.timers)
        return found

    def nothing_left(self) -> bool:
        """Return whether neither party holds anything any more."""
        return not self.remains()


def brief(message: Request | Response) -> str:
    """Return a message in one or two words."""
    if isinstance(message, Request):
        return message.method
    return f"{message.status} {message.cseq.method}"
