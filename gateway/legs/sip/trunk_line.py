"""Keeps one trunk connected and registered with its carrier."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from gateway.legs.sip.pace import Pace
from gateway.legs.sip.stack import SipStack
from gateway.sip.digest.authoriser import DigestAuthoriser
from gateway.sip.events import NotRegistered, Registered
from gateway.sip.registration import ANSWER_WITHIN, Registrar, Registration
from gateway.sip.syntax.uri import SipUri, escape_user, format_host
from gateway.sip.transaction.flow import Flow
from gateway.trunks.remedies import retry_after_s
from gateway.trunks.trunk import Status, Trunk

Standing = tuple[Status, int | None, str]
"""Status, SIP code, reason."""
Report = Callable[["TrunkLine", Status, int | None, str], None]

_RECONNECT_AFTER = 1.0
_RECONNECT_AFTER_AT_MOST = 60.0
"""Seconds before a connection that broke is made again: doubled until the registrar answers."""


class Kit(NamedTuple):
    """Things that all lines share. `edge` is host:port of the edge that all SIP goes through."""

    stack: SipStack
    edge: str | None
    pace: Pace
    report: Report


class TrunkLine:
    """Keeps one trunk registered with fixed settings, until it is stopped.

    The contact that it registers is random and only the registrar learns it: an INVITE to it comes
    by this trunk.
    """

    def __init__(self, trunk: Trunk, address: str, kit: Kit) -> None:
        """`address` is the checked address of the trunk's host."""
        self.trunk = trunk
        self.address = address
        self.contact = secrets.token_hex(8)
        self.authoriser = DigestAuthoriser(trunk.username, trunk.password, os.urandom)
        self.dials_by_account = False
        """True if the carrier accepts no number in From."""
        self.flow: Flow | None = None
        """The connection to the carrier, or to the edge; None while there is none."""
        self.told: Standing = ("registering", None, "")
        """The last reported state."""
        self._stack, self._edge, self._pace, self._report = kit
        self._registration: Registration | None = None
        self._lost = asyncio.Event()
        self._former: Flow | None = None
        """The connection that broke, by which calls may still be going."""
        self._losses = 0
        self._tell(*self.told)
        self._task = asyncio.create_task(self._run())

    @property
    def registration(self) -> Registration | None:
        """Return the user agent's registration; None before there is a connection."""
        return self._registration

    @property
    def domain(self) -> str:
        """Return the part after the @: the realm, or else the host."""
        return self.trunk.realm or self.trunk.host

    @property
    def routes(self) -> tuple[str, ...]:
        """Return the Route of requests: the edge takes its next hop from it (gateway/edge)."""
        if self._edge is None:
            return ()
        trunk = self.trunk
        # With TLS the hop is the host's name, because the certificate is checked against it.
        host = trunk.host if trunk.transport == "tls" else self.address
        hop = f"{format_host(host)}:{trunk.port}"
        return (
            f"<sip:{self._edge};transport=udp;lr;hop={hop};via={trunk.transport}"
            f";trunk={trunk.trunk_id}>",
        )

    def suits(self, trunk: Trunk) -> bool:
        """Return whether a trunk differs from the line's in nothing but its revision."""
        return replace(self.trunk, revision=trunk.revision) == trunk

    def change(self, trunk: Trunk) -> None:
        """Take over a revision without changes for the carrier; report the state again."""
        self.trunk = trunk
        self._tell(*self.told)

    def lose(self, flow: Flow) -> None:
        """Note that a connection broke; if it was the line's, another one is made."""
        if flow == self.flow:
            self.flow, self._former = None, flow
            self._losses += 1
            self._lost.set()

    def end(self) -> None:
        """Unregister. Calls of the line stay up."""
        self._task.cancel()
        if self._registration is not None:
            self._registration.end(self._stack.now)
            self._stack.flush()

    def happened(self, event: Registered | NotRegistered) -> None:
        """Report the outcome of a REGISTER."""
        if isinstance(event, Registered):
            self._losses = 0
            self._tell("registered", 200, "OK")
            return
        self._tell("failed", event.status, event.reason)
        if event.status is None and self.flow is not None and self.flow.reliable:
            # Others may be served by this connection. If nobody is, it may be dead.
            self._stack.drop_silent(self.flow, ANSWER_WITHIN)

    async def _run(self) -> None:
        """Connect, register, and connect again whenever the connection breaks."""
        while True:
            await self._pace.turn()
            self._use(await self._connect())
            await self._lost.wait()
            doubled = _RECONNECT_AFTER * 2.0 ** min(self._losses - 1, 16)
            await asyncio.sleep(min(doubled, _RECONNECT_AFTER_AT_MOST))

    def _use(self, flow: Flow) -> None:
        """Register by a connection, and let the calls of the one before go on by it."""
        self.flow = flow
        self._lost.clear()
        if self._former is not None:
            self._stack.agent.move_calls(self._former, flow)
        if self._registration is None:
            self._register(flow)
        else:
            self._registration.move(flow, self._stack.now)
        self._stack.flush()

    async def _connect(self) -> Flow:
        failures = 0
        while True:
            try:
                if self._edge is not None:
                    host, _, port = self._edge.rpartition(":")
                    return await self._stack.connect("udp", (host.strip("[]"), int(port)), "")
                trunk = self.trunk
                target = (self.address, trunk.port)
                return await self._stack.connect(trunk.transport, target, trunk.host)
            except (OSError, ValueError) as error:  # ValueError: a name that TLS cannot check
                failures += 1
                self._tell("failed", None, _worded(error))
                await asyncio.sleep(retry_after_s(failures, None, secrets.randbelow(1000) / 1000))

    def _register(self, flow: Flow) -> None:
        registrar = Registrar(
            uri=str(SipUri(self.domain)),
            aor=str(SipUri(self.domain, escape_user(self.trunk.username))),
            flow=flow,
            user=self.contact,
            expires=self._stack.register_interval,
            routes=self.routes,
            pause=retry_after_s,
        )
        agent = self._stack.agent
        self._registration = agent.register(registrar, self._stack.now, self.authoriser)

    def _tell(self, status: Status, sip_code: int | None, reason: str) -> None:
        self.told = (status, sip_code, reason)
        self._report(self, status, sip_code, reason)


def _worded(error: OSError | ValueError) -> str:
    """Return why there is no connection, in words that the remedies know."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS handshake failed: {error.reason or error}"
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, OSError) and error.errno:
        with contextlib.suppress(ValueError, TypeError):
            return os.strerror(error.errno)
    return str(error)
