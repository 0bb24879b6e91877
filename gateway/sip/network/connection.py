"""One TCP or TLS connection: cuts what comes into messages, answers keep-alives, keeps bounds."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.sip.errors import SipSyntaxError
from gateway.sip.syntax.framing import PING, PONG, Framer, KeepAlive
from gateway.sip.transaction.flow import Flow, Transport

if TYPE_CHECKING:
    from gateway.sip.network.endpoint import Endpoint

MAX_UNSENT = 65_536
"""Bytes that wait for a peer that does not read; beyond, the connection is closed."""
SILENT_FOR = 600.0
"""Seconds without a byte after which the connection of a peer that opened it is closed."""
SPEAKS_WITHIN = 30.0
"""Seconds in which a peer that opened a connection must send its first message."""
PING_EVERY = 110.0
"""Seconds between two keep-alives on connections that we opened (RFC 5626 4.4.1: 95 to 120)."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The security of a connection: its settings, and the name that the certificate must be for."""

    context: ssl.SSLContext
    name: str


class Connection(asyncio.Protocol):
    """A connection of an endpoint, whoever opened it.

    One that we opened stays until the network breaks it: pings show that, and keep translators on
    the way from forgetting it.
    """

    def __init__(
        self, endpoint: Endpoint, kind: Transport, name: str = "", *, incoming: bool
    ) -> None:
        self.incoming = incoming
        self._endpoint = endpoint
        self._kind = kind
        self._name = name
        self._spoken = False
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self._heard = endpoint.now
        self._watch: asyncio.TimerHandle | None = None
        self.flow = Flow(kind, ("", 0), endpoint.local)

    @property
    def up(self) -> bool:
        """Return whether the connection is up and has been taken."""
        closing = self._transport is None or self._transport.is_closing()
        return not closing and self.flow.connection != 0

    def leads_to(self, kind: Transport, remote: tuple[str, int], name: str) -> bool:
        """Return whether the connection is up and leads there, with a certificate for the name."""
        return self.up and (self._kind, self.flow.remote, self._name) == (kind, remote, name)

    def silent_since(self, when: float) -> bool:
        """Return whether nothing has come since then."""
        return self._heard < when

    def send(self, data: bytes) -> None:
        """Send bytes; close the connection if the peer does not read."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > MAX_UNSENT:
            self._endpoint.counts["peer does not read"] += 1
            self._transport.abort()

    def ping(self) -> None:
        """Send a keep-alive (RFC 5626 3.5.1)."""
        self._framer.expect_answer()
        self.send(PING)

    def abort(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or close it if there are too many."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - streams have these
        self._transport = transport
        peer = transport.get_extra_info("peername")
        if peer is None:  # it is gone again
            transport.abort()
            return
        remote = peer[:2]
        number = self._endpoint.opened(self, remote[0])
        local = self._endpoint.local
        if self._name:
            # Nobody can connect to us by TLS, so our Contact names this connection: it is to be
            # used again.
            own = transport.get_extra_info("sockname")
            local = (local[0], own[1])
        self.flow = Flow(self._kind, (remote[0], remote[1]), local, number)
        if number:
            self._watch_over()
        else:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Feed the messages that are complete now."""
        self._heard = self._endpoint.now
        try:
            found = self._framer.feed(data)
        except SipSyntaxError:
            self._endpoint.counts["stream that is not SIP"] += 1
            self.abort()
            return
        for message in found:
            if isinstance(message, KeepAlive):
                if not message.answer:
                    self.send(PONG)
            else:
                self._spoken = True
                self._endpoint.agent.receive_message(message, self.flow, self._heard)
        self._endpoint.flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - all ends are one
        """Note the end."""
        self._transport = None
        if self._watch is not None:
            self._watch.cancel()
        self._endpoint.closed(self.flow)

    def _watch_over(self) -> None:
        """Ping a peer that we called; close the connection of one that called us and is silent."""
        loop = asyncio.get_running_loop()
        if not self.incoming:
            self._watch = loop.call_later(PING_EVERY, self._keep_alive)
            return
        left = self._heard + (SILENT_FOR if self._spoken else SPEAKS_WITHIN) - self._endpoint.now
        if left <= 0:
            self._endpoint.counts["peer is silent"] += 1
            self.abort()
            return
        self._watch = loop.call_later(left, self._watch_over)

    def _keep_alive(self) -> None:
        self.ping()
        self._watch_over()
