"""The network of `network` with proxies between the two parties."""

from __future__ import annotations

from collections.abc import Callable

from gateway.sip.dialog.outbound import Dial, OutboundCall
from gateway.sip.exchange import Authoriser
from gateway.sip.syntax.headers import Address as NameAddr
from gateway.sip.syntax.headers import Via
from gateway.sip.syntax.message import Request, Response, parse, respond
from gateway.sip.transaction.flow import Flow
from tests.unit.sip.network import ALICE, BOB, Network, Party, Sound, brief

Address = tuple[str, int]
ATLANTA, BILOXI = ("192.0.2.11", 5060), ("192.0.2.12", 5060)
"""The two proxies of RFC 3665, on Alice's and on Bob's side."""


class Proxy:
    """A stateless proxy that records its route.

    A request goes to the neighbour that it did not come from.
    """

    def __init__(self, name: str, address: Address, neighbours: tuple[Address, Address]) -> None:
        self.name, self.address, self.neighbours = name, address, neighbours
        self.realm = ""
        """The realm for which it wants credentials; "" for none."""
        self.dead = False
        self.answers = 0
        """The status with which it refuses each INVITE instead of forwarding it; 0: it forwards."""
        self.rewrites: Callable[[bytes], bytes] = lambda body: body
        self._uri = f"<sip:{address[0]};lr>"
        self._tag = name.replace(" ", "")

    def receive(self, message: Request | Response, source: Address) -> list[tuple[Address, bytes]]:
        """Return what it sends because of a message."""
        if self.dead:
            return []
        message.body = self.rewrites(message.body)
        if isinstance(message, Response):
            return self._back(message)
        if message.method == "ACK" and message.to.tag == self._tag:
            return []
        forward = self.neighbours[source == self.neighbours[0]]
        if refusal := self._refusal(message):
            return [(source, bytes(refusal))]
        return [*self._trying(message, source), (forward, bytes(self._forwarded(message)))]

    def _refusal(self, request: Request) -> Response | None:
        if request.method != "INVITE":
            return None
        if self.answers:
            return respond(request, self.answers, tag=self._tag)
        signed = any(
            f'realm="{self.realm}"' in v for v in request.headers.all("Proxy-Authorization")
        )
        if not self.realm or signed or "tag=" in request.headers.get("To"):
            return None
        challenge = f'Digest realm="{self.realm}", nonce="{self._tag}", algorithm=MD5, qop="auth"'
        headers = {"Proxy-Authenticate": challenge}
        return respond(request, 407, tag=self._tag, headers=headers)

    def _trying(self, request: Request, source: Address) -> list[tuple[Address, bytes]]:
        return [(source, bytes(respond(request, 100)))] if request.method == "INVITE" else []

    def _forwarded(self, request: Request) -> Request:
        routes = request.headers.values("Route")
        if routes and self.address[0] in routes[0]:
            request.headers.remove("Route")
            for route in routes[1:]:
                request.headers.add("Route", route)
        branch = f"z9hG4bK{self._tag}{request.via.branch}"
        request.headers.add_first("Via", f"SIP/2.0/UDP {self.address[0]}:5060;branch={branch}")
        if request.method == "INVITE":
            request.headers.add_first("Record-Route", self._uri)
        return request

    def _back(self, response: Response) -> list[tuple[Address, bytes]]:
        vias = response.headers.values("Via")
        if response.status == 100 or len(vias) < 2:
            return []  # it has sent a 100 of its own
        response.headers.remove("Via")
        for via in reversed(vias[1:]):
            response.headers.add_first("Via", via)
        after = Via.parse(vias[1])
        return [((after.host, after.port or 5060), bytes(response))]


class ProxiedNetwork(Network):
    """Alice, a proxy or two, and Bob. `flow` has all that was sent, as `Alice INVITE`."""

    def __init__(self, count: int = 2) -> None:
        super().__init__()
        names, places = ("Proxy 1", "Proxy 2")[:count], (ATLANTA, BILOXI)[:count]
        path = [ALICE, *places, BOB]
        self.proxies = [
            Proxy(name, path[at], (path[at - 1], path[at + 1])) for at, name in enumerate(names, 1)
        ]
        self.names = {ALICE: "Alice", BOB: "Bob"} | {p.address: p.name for p in self.proxies}
        self.flow: list[str] = []

    def call(self, authoriser: Authoriser | None = None, by: Address = ATLANTA) -> OutboundCall:
        """Let Alice call Bob by way of a proxy."""
        dial = Dial(
            target="sip:bob@biloxi.example.com",
            to=NameAddr.parse("Bob <sip:bob@biloxi.example.com>"),
            from_=NameAddr.parse("Alice <sip:alice@atlanta.example.com>"),
            flow=self.alice.flow_to(by),
            user="alice",
        )
        call = self.alice.agent.dial(dial, Sound("alice"), self.now, authoriser)
        self.settle()
        return call

    def _deliver(self, sender: Party, flow: Flow, data: bytes) -> None:
        self.sent.append((sender.name, parse(data)))
        self._carry(sender.address, flow.remote, data)

    def _carry(self, source: Address, to: Address, data: bytes) -> None:
        message = parse(data)
        self.flow.append(f"{self.names[source]} {brief(message)}")
        if self.loses(self.names[source], message):
            return
        for party in self.parties:
            if party.address == to:
                party.agent.receive(data, party.flow_to(source), self.now)
        for proxy in self.proxies:
            if proxy.address == to:
                for further, sent in proxy.receive(message, source):
                    self._carry(to, further, sent)
