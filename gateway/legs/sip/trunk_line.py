"""Keeps one trunk connected, and registered or asked whether it answers."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from gateway.legs.sip import addressing
from gateway.legs.sip.pace import Pace
from gateway.legs.sip.stack import SipStack, reason_of
from gateway.sip.digest.authoriser import DigestAuthoriser
from gateway.sip.events import NotRegistered, PingAnswered, PingUnanswered, Registered
from gateway.sip.keep_alive import Crlf, Ping, Pinged
from gateway.sip.network.locate import Target
from gateway.sip.registration import ANSWER_WITHIN, Registrar, Registration
from gateway.sip.transaction.flow import Flow
from gateway.trunks.remedies import retry_after_s
from gateway.trunks.trunk import Status, Trunk

Standing = tuple[Status, int | None, str]
"""Status, SIP code, reason."""
Report = Callable[["TrunkLine", Status, int | None, str], None]
News = Registered | NotRegistered | PingAnswered | PingUnanswered

_RECONNECT_AFTER = 1.0
_RECONNECT_AFTER_AT_MOST = 60.0
"""Seconds before a connection that broke is made again: doubled until the registrar answers."""
_ANOTHER_SERVER = frozenset({None, 408, 476, 477, 478, 503})
"""Answers to a REGISTER that are followed by one to the next server (RFC 3263 4.3): none, those by
which the edge says that it reached nobody, and 503."""
_ASK_EVERY = 30.0
"""Seconds between two OPTIONS to one carrier."""
_CRLF_EVERY = 25.0
"""Seconds between two double CRLFs (RFC 5626 4.4.1: at most 29 by UDP)."""
_SILENCES = 2
"""OPTIONS in a row without an answer, after which a way counts as lost."""


class Kit(NamedTuple):
    """Things that all lines share. `edge` is host:port of the edge that all SIP goes through.

    `owners` has the line of each registration and each ping. `ours` is False for the trunks of
    other processes: calls may go out by such a line, and nothing else is sent by it.
    """

    stack: SipStack
    edge: str | None
    pace: Pace
    report: Report
    owners: dict[Registration | Ping, TrunkLine]
    ours: bool = True


class TrunkLine:
    """Keeps one trunk registered, or asked, with fixed settings, until it is stopped.

    The contact that it registers is random and only the registrar learns it: an INVITE to it comes
    by this trunk.
    """

    def __init__(self, trunk: Trunk, targets: Sequence[Target], kit: Kit) -> None:
        """`targets` are the checked addresses of the trunk's servers, in the order to try them."""
        self.trunk = trunk
        self.contact = secrets.token_hex(8)
        self.authoriser: DigestAuthoriser | None = None
        if trunk.username is not None and trunk.password is not None:
            self.authoriser = DigestAuthoriser(trunk.username, trunk.password, os.urandom)
        self.dials_by_account = addressing.dials_by_account(trunk)
        """True if the carrier accepts no number in From."""
        self.flow: Flow | None = None
        """The connection to the carrier, or to the edge; None while there is none."""
        self.told: Standing = ("registering", None, "")
        """The last reported state."""
        self._targets = tuple(targets)
        self._nth = 0
        self._failed = 0
        """Servers that failed in a row."""
        self._stack, self._edge, self._pace, self._report, self._owners, self._ours = kit
        self._registration: Registration | None = None
        self._ping: Ping | None = None
        self._crlf: Crlf | None = None
        self._lost = asyncio.Event()
        self._pause = 0.0
        """Seconds until the next connection is made."""
        self._former: Flow | None = None
        """The connection that broke, by which calls may still be going."""
        self._losses = 0
        self._tell(*self.told)
        self._task = asyncio.create_task(self._run())

    @property
    def target(self) -> Target:
        """Return the server that is used or tried."""
        return self._targets[self._nth]

    @property
    def up(self) -> bool:
        """Return whether the carrier has accepted us: it is registered, or answers."""
        return self.flow is not None and self.told[0] in ("registered", "ready")

    @property
    def registration(self) -> Registration | None:
        """Return the user agent's registration; None before there is a connection."""
        return self._registration

    @property
    def routes(self) -> tuple[str, ...]:
        """Return the Route of requests that begin something."""
        return addressing.routes(self.trunk, self.target, self._edge)

    def suits(self, trunk: Trunk) -> bool:
        """Return whether a trunk differs from the line's in nothing but its revision."""
        return replace(self.trunk, revision=trunk.revision) == trunk

    def change(self, trunk: Trunk) -> None:
        """Take over a revision without changes for the carrier; report the state again."""
        self.trunk = trunk
        self._tell(*self.told)

    def retarget(self, targets: Sequence[Target]) -> None:
        """Take over the servers that were found anew; the present one must be among them."""
        self._nth, self._targets = targets.index(self.target), tuple(targets)

    def lose(self, flow: Flow) -> None:
        """Note that a connection broke; if it was the line's, another one is made."""
        if flow == self.flow:
            self._losses += 1
            doubled = _RECONNECT_AFTER * 2.0 ** min(self._losses - 1, 16)
            self._former = flow
            self._leave(min(doubled, _RECONNECT_AFTER_AT_MOST))

    def end(self) -> None:
        """Unregister. Calls of the line stay up."""
        self._task.cancel()
        if self._crlf is not None:
            self._crlf.stop()
        if self._ping is not None:
            self._ping.stop()
            self._owners.pop(self._ping, None)
        if self._registration is not None:
            self._owners.pop(self._registration, None)
            self._registration.end(self._stack.now)
            self._stack.flush()

    # Events of the user agent.

    def happened(self, event: News) -> None:
        """Report the outcome of a REGISTER or of OPTIONS, and try another server if need be."""
        match event:
            case Registered():
                self._losses = self._failed = 0
                self._tell("registered", 200, "OK")
            case NotRegistered(status=status, reason=reason, retry_in=pause):
                self._not_registered(status, reason, pause)
            case PingAnswered(status=status, reason=reason) if not self.trunk.registers:
                self._losses = self._failed = 0
                self._tell("ready", status, reason)
            case PingUnanswered(status=status, reason=reason, in_a_row=silences):
                self._unanswered(status, reason, silences)

    def _not_registered(self, status: int | None, reason: str, pause: float) -> None:
        flow = self.flow
        if status not in _ANOTHER_SERVER or not self._try_another(pause):
            self._tell("failed", status, reason)
        if status is None and flow is not None and flow.reliable:
            # Others may be served by this connection. If nobody is, it may be dead.
            self._stack.drop_silent(flow, ANSWER_WITHIN)

    def _unanswered(self, status: int | None, reason: str, silences: int) -> None:
        """Report a carrier that does not answer, or make the way to a registrar anew."""
        flow = self.flow
        if self.trunk.registers:
            if silences < _SILENCES or flow is None:
                return
            self._next_target()
            self.lose(flow)
        elif not self._try_another(_ASK_EVERY):
            self._tell("failed", status, reason)
        if flow is not None and flow.reliable:
            self._stack.drop_silent(flow, ANSWER_WITHIN)

    # Servers and connections.

    def _try_another(self, pause: float) -> bool:
        """Go on to the next server: at once, or if each has failed now, after the pause.

        Return False if each has failed.
        """
        self._failed += 1
        each_has = self._failed % len(self._targets) == 0
        if len(self._targets) > 1:
            self._next_target()
            if self._registration is not None:
                self._registration.rest()
            self._leave(pause if each_has else 0.0)
        return not each_has

    def _next_target(self) -> None:
        self._nth = (self._nth + 1) % len(self._targets)

    def _leave(self, pause: float) -> None:
        """Make another connection after a pause, in place of the present one."""
        self.flow = None
        self._pause = pause
        self._lost.set()

    async def _run(self) -> None:
        """Connect, register or ask, and connect again whenever the connection breaks."""
        while True:
            await self._pace.turn()
            self._use(await self._connect())
            await self._lost.wait()
            await asyncio.sleep(self._pause)

    async def _connect(self) -> Flow:
        failures = 0
        while True:
            try:
                return await self._open(self.target)
            except (OSError, ValueError) as error:  # ValueError: a name that TLS cannot check
                failures += 1
                self._next_target()
                if failures % len(self._targets):
                    continue
                self._tell("failed", None, reason_of(error))
                rounds = failures // len(self._targets)
                await asyncio.sleep(retry_after_s(rounds, None, secrets.randbelow(1000) / 1000))

    async def _open(self, target: Target) -> Flow:
        if self._edge is not None:
            host, _, port = self._edge.rpartition(":")
            return await self._stack.connect("udp", (host.strip("[]"), int(port)), "")
        address = (target.address, target.port)
        return await self._stack.connect(target.transport, address, target.server_name)

    def _use(self, flow: Flow) -> None:
        """Register or ask by a connection, and let the calls of the one before go on by it."""
        self.flow = flow
        self._lost.clear()
        if self._former is not None:
            self._stack.agent.move_calls(self._former, flow)
            self._former = None
        if self._ours:
            self._announce(flow)
        else:
            self._tell("registered", None, "")
        self._stack.flush()

    def _announce(self, flow: Flow) -> None:
        if self.trunk.registers:
            self._register(flow)
        if not self.trunk.registers or self.trunk.keep_alive == "options":
            self._ask(flow)
        if self.trunk.keep_alive == "crlf" and self._edge is None:
            if self._crlf is not None:
                self._crlf.stop()
            self._crlf = self._stack.agent.keep_open(flow, _CRLF_EVERY, self._stack.now)

    def _register(self, flow: Flow) -> None:
        now = self._stack.now
        if self._registration is not None:
            self._registration.routes = self.routes
            self._registration.move(flow, now)
            return
        registrar = Registrar(
            uri=addressing.domain_uri(self.trunk),
            aor=addressing.account_uri(self.trunk),
            flow=flow,
            user=self.contact,
            expires=self._stack.register_interval,
            routes=self.routes,
            pause=retry_after_s,
        )
        self._registration = self._stack.agent.register(registrar, now, self.authoriser)
        self._owners[self._registration] = self

    def _ask(self, flow: Flow) -> None:
        now = self._stack.now
        if self._ping is not None:
            self._ping.routes = self.routes
            self._ping.move(flow, now)
            return
        pinged = Pinged(
            uri=addressing.domain_uri(self.trunk),
            us=addressing.account_uri(self.trunk),
            flow=flow,
            every=_ASK_EVERY,
            user=self.contact,
            routes=self.routes,
        )
        self._ping = self._stack.agent.ping(pinged, now, self.authoriser)
        self._owners[self._ping] = self

    def _tell(self, status: Status, sip_code: int | None, reason: str) -> None:
        self.told = (status, sip_code, reason)
        self._report(self, status, sip_code, reason)
