"""A carrier: a registrar with one subscriber, and the phones behind it, by UDP, TCP or TLS.

It is made of the libraries `gateway/sip` and `gateway/rtp`; another process than the gateway's runs
it. It can be restarted, lose packets, and be told not to send some requests of a call.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.rtp.plane import Plane
from gateway.sip.agent import UserAgent
from gateway.sip.dialog.call import Call
from gateway.sip.dialog.inbound import InboundCall
from gateway.sip.dialog.outbound import Dial
from gateway.sip.events import Ended, Event, IncomingCall
from gateway.sip.network.endpoint import Endpoint
from gateway.sip.syntax.headers import Address
from gateway.sip.syntax.uri import SipUri, parse_sip_uri
from gateway.sip.transaction.flow import Flow
from tests.load.registrar_agent import RegistrarAgent
from tests.load.sip_long.phone import Phone
from tests.support.ports import HOST

Answers = Callable[[InboundCall], Phone]


class Wire(Endpoint):
    """Sockets that lose a part of all datagrams, and what a call is told not to send."""

    def __init__(self, agent: UserAgent, on_event: Callable[[Event], None], loses: float) -> None:
        super().__init__(agent, on_event)
        self.muted: dict[str, bytes] = {}
        """By Call-ID: the method that is never sent."""
        self._loses = loses

    def datagram(self, data: bytes, remote: tuple[str, int]) -> None:
        if random.random() >= self._loses:
            super().datagram(data, remote)

    def _send(self, flow: Flow, data: bytes) -> None:
        if random.random() < self._loses and flow.transport == "UDP":
            return
        if self.muted:
            for call_id, method in self.muted.items():
                if data.startswith(method) and call_id.encode() in data:
                    return
        super()._send(flow, data)


class Carrier:
    """`start` it; `restart` makes it forget its subscriber and break its connections."""

    def __init__(self, name: str, transport: str, plane: Plane, *, loses: float = 0.0) -> None:
        self.name, self.transport, self.loses = name, transport, loses
        self.plane = plane
        self.agent = RegistrarAgent(self._registered)
        self.wire = Wire(self.agent, self._happened, loses)
        self.restarts: list[tuple[float, float]] = []
        """When it was away: until the subscriber had registered again."""
        self.calls: dict[Call, Phone] = {}
        self._expected: dict[str, Answers] = {}
        self._tls: ssl.SSLContext | None = None
        self._ports = (0, 0)
        self._bound = asyncio.Event()

    @property
    def port(self) -> int:
        """Return the port for the trunk's settings."""
        return self._ports[1] if self.transport == "tls" else self._ports[0]

    @property
    def now(self) -> float:
        """Return the time for commands."""
        return self.wire.now

    async def start(self, port: int, certificates: Path) -> None:
        """Listen at a port; by TLS at the next one."""
        if self.transport == "tls":
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificates / "carrier.pem", certificates / "carrier.key")
        self._ports = (port, port + 1)
        await self._listen()

    async def _listen(self) -> None:
        await self.wire.start(HOST, self._ports[0], tls_port=self._ports[1], tls=self._tls)

    def stop(self) -> None:
        """Close all sockets."""
        self.wire.stop()

    async def registered(self, within_s: float) -> None:
        """Wait for the subscriber."""
        await asyncio.wait_for(self._bound.wait(), within_s)

    async def restart(self, away_s: float, within_s: float) -> None:
        """Be away for a while and come back without bindings; wait for the subscriber."""
        began = self.now
        self.agent.forget_all()
        self._bound.clear()
        self.wire.stop()
        self.restarts.append((began, float("inf")))
        await asyncio.sleep(away_s)
        await self._listen()
        try:
            await self.registered(within_s)
        finally:
            self.restarts[-1] = (began, self.now)

    def _registered(self) -> None:
        if self.agent.bindings:
            self._bound.set()
        else:
            self._bound.clear()

    def was_away(self, since: float) -> bool:
        """Return whether it was away at any time since then."""
        return any(until >= since for _, until in self.restarts)

    # Calls.

    def expect(self, number: str, answers: Answers) -> None:
        """Give a call to that number to `answers`."""
        self._expected[number] = answers

    def forget(self, number: str) -> None:
        """Expect no more calls to that number."""
        self._expected.pop(number, None)

    def dial(self, phone: Phone, number: str, caller: str, **more: Any) -> None:
        """Call the subscriber as a caller of that number."""
        bindings = list(self.agent.bindings.values())
        if not bindings:
            raise NotThere(f"the trunk is not registered with {self.name}")
        contact, flow = bindings[0]
        domain = SipUri(HOST, number)
        dial = Dial(
            target=contact,
            to=Address(domain),
            from_=Address(SipUri(HOST, caller)),
            flow=flow,
            user=caller,
            **more,
        )
        phone.call = self.agent.dial(dial, phone.media, self.now)
        self.calls[phone.call] = phone
        self.wire.flush()

    def hang_up_all(self) -> None:
        """End the calls that are up."""
        for call in list(self.calls):
            call.hangup(self.now)
        self.wire.flush()

    def abandon(self, phone: Phone) -> None:
        """Forget a call without a word to anybody."""
        assert phone.call is not None
        self.calls.pop(phone.call, None)
        self.agent.context.calls.pop((phone.call.call_id, phone.call.tag), None)
        self.agent.context.timers.stop(phone.call.session_timer)
        phone.close()

    def _happened(self, event: Event) -> None:
        if isinstance(event, IncomingCall):
            self._ring(event.call)
            return
        call = getattr(event, "call", None)
        phone = self.calls.get(call) if call is not None else None
        if isinstance(event, Ended):
            self.calls.pop(event.call, None)
        if phone is not None:
            phone.happened(event)

    def _ring(self, call: InboundCall) -> None:
        called = parse_sip_uri(call.invite.uri).user
        answers = self._expected.get(called)
        if answers is None:
            call.reject(self.now, 404)
            return
        phone = answers(call)
        phone.call = call
        self.calls[call] = phone
        phone.rings()


class NotThere(Exception):
    """The trunk is not registered at present."""
