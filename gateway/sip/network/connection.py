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
"""Seconds without a byte after which a connection is closed. Registrations come more often."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The security of a connection: its settings, and the name that the certificate must be for."""

    context: ssl.SSLContext
    name: str


class Connection(asyncio.Protocol):
    """A connection of an endpoint, whoever opened it."""

    def __init__(self, endpoint: Endpoint, kind: Transport, name: str = "") -> None:
        self._endpoint = endpoint
        self._kind = kind
        self._name = name
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self._heard = endpoint.now
        self._watch: asyncio.TimerHandle | None = None
        self.flow = Flow(kind, ("", 0), endpoint.local)

    def leads_to(self, kind: Transport, remote: tuple[str, int], name: str) -> bool:
        """Return whether the connection is up and leads there, with a certificate for the name."""
        usable = self._transport is not None and not self._transport.is_closing()
        return usable and (self._kind, self.flow.remote, self._name) == (kind, remote, name)

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
        remote = transport.get_extra_info("peername")[:2]
        number = self._endpoint.opened(self)
        local = self._endpoint.local
        if self._name:
            # Nobody can connect to us by TLS, so our Contact names this connection: it is to be
            # used again.
            own = transport.get_extra_info("sockname")
            local = (local[0], own[1])
        self.flow = Flow(self._kind, (remote[0], remote[1]), local, number)
        if number:
            self._look()
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
                self._endpoint.agent.receive_message(message, self.flow, self._heard)
        self._endpoint.flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - all ends are one
        """Note the end."""
        self._transport = None
        if self._watch is not None:
            self._watch.cancel()
        self._endpoint.closed(self.flow)

    def _look(self) -> None:
        """Close the connection if nothing has come for long; look again when that may be."""
        silent = self._endpoint.now - self._heard
        if silent >= SILENT_FOR:
            self.abort()
            return
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(SILENT_FOR - silent + 1, self._look)
