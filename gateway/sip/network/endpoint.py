"""Runs a user agent on sockets: UDP, TCP and TLS of one address, on the asyncio loop.

It decides nothing about SIP: it carries bytes, wakes the agent when a timer is due, and passes its
events on. All flows name the listening address as ours, since that is where peers reach us, also
for connections that we opened.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections import Counter
from collections.abc import Callable

from gateway.sip.agent import UserAgent
from gateway.sip.events import Event
from gateway.sip.network.connection import Connection, Tls
from gateway.sip.syntax.framing import PING
from gateway.sip.transaction.flow import Flow, Transport

MAX_CONNECTIONS = 1_000
"""TCP and TLS connections at a time, of either direction."""
MAX_INCOMING = MAX_CONNECTIONS * 3 // 4
"""Those among them that others opened: anybody can, and ours to carriers must find room."""
MAX_OF_ADDRESS = 100
"""Connections that one address may have opened."""
CONNECTED_WITHIN = 8.0
"""Seconds within which a connection must be up."""
_PORT_TRIES = 10
_SMALLEST = 5
"""Bytes of the smallest datagram that is looked at; shorter ones are keep-alives (CRLF, NUL)."""


class Endpoint:
    """The sockets of one user agent. `start` it, then give commands and call `flush`."""

    def __init__(
        self,
        agent: UserAgent,
        on_event: Callable[[Event], None],
        on_flow_lost: Callable[[Flow], None] = lambda _: None,
    ) -> None:
        self.agent = agent
        self.counts: Counter[str] = Counter()
        """Bytes that could not be carried, by reason."""
        self._on_event = on_event
        self._on_flow_lost = on_flow_lost
        self._loop = asyncio.get_running_loop()
        self._local: tuple[str, int] = ("", 0)
        self._udp: asyncio.DatagramTransport | None = None
        self._servers: list[asyncio.Server] = []
        self._connections: dict[int, Connection] = {}
        self._numbers = itertools.count(1)
        self._alarm: asyncio.TimerHandle | None = None
        self._flushing = False
        self._up = False
        """False before `start` is done, and after `stop`: then nothing is taken or sent."""

    @property
    def local(self) -> tuple[str, int]:
        """Return the address at which peers reach us."""
        return self._local

    @property
    def now(self) -> float:
        """Return the time that the agent is fed with, in seconds."""
        return self._loop.time()

    async def start(
        self, host: str, port: int, *, tls_port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        """Listen by UDP and TCP, and by TLS if there is a context for it. Raises OSError.

        Port 0 stands for any port that is free by both.
        """
        try:
            for tries_left in reversed(range(_PORT_TRIES if port == 0 else 1)):
                try:
                    await self._listen_by_udp_and_tcp(host, port)
                    break
                except OSError:
                    # The port that was free by UDP may be taken by TCP.
                    if not tries_left:
                        raise
            if tls is not None:
                await self._listen("TLS", tls_port, tls)
        except BaseException:
            self.stop()
            raise
        self._up = True

    async def _listen_by_udp_and_tcp(self, host: str, port: int) -> None:
        udp, _ = await self._loop.create_datagram_endpoint(
            lambda: _Datagrams(self), local_addr=(host, port)
        )
        self._local = udp.get_extra_info("sockname")[:2]
        try:
            await self._listen("TCP", self._local[1], None)
        except OSError:
            udp.close()
            raise
        self._udp = udp

    async def _listen(self, kind: Transport, port: int, context: ssl.SSLContext | None) -> None:
        server = await self._loop.create_server(
            lambda: Connection(self, kind, incoming=True),
            self._local[0],
            port,
            ssl=context,
            ssl_handshake_timeout=CONNECTED_WITHIN if context else None,
        )
        self._servers.append(server)

    def stop(self) -> None:
        """Close all sockets, without a word to peers."""
        self._up = False
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        for server in self._servers:
            server.close()
        for connection in list(self._connections.values()):
            connection.abort()
        if self._udp is not None:
            self._udp.close()

    # Flows.

    def udp_flow(self, remote: tuple[str, int]) -> Flow:
        """Return the flow to an address by UDP."""
        return Flow("UDP", remote, self._local)

    async def connect(
        self, transport: Transport, remote: tuple[str, int], *, tls: Tls | None = None
    ) -> Flow:
        """Return a flow to an address: by UDP, a connection that is up, or a new one.

        Raises OSError, also if the certificate is wrong or the connection is not up in time.
        """
        if transport == "UDP":
            return self.udp_flow(remote)
        name = tls.name if tls else ""
        for connection in self._connections.values():
            if connection.leads_to(transport, remote, name):
                return connection.flow
        async with asyncio.timeout(CONNECTED_WITHIN):
            _, connection = await self._loop.create_connection(
                lambda: Connection(self, transport, name, incoming=False),
                *remote,
                ssl=tls.context if tls else None,
                server_hostname=name or None,
            )
        if not connection.up:
            raise ConnectionError("the connection was closed as soon as it was up")
        return connection.flow

    def drop_silent(self, flow: Flow, since: float) -> None:
        """Close a connection by which nothing at all has come since then: it may be dead."""
        connection = self._connections.get(flow.connection)
        if connection is not None and connection.silent_since(since):
            connection.abort()

    def drop(self, flow: Flow) -> None:
        """Close a connection."""
        if (connection := self._connections.get(flow.connection)) is not None:
            connection.abort()

    def opened(self, connection: Connection, address: str) -> int:
        """Take a connection that is up. Return its number; 0 if there are too many."""
        if not self._up:
            return 0
        if not self._has_room(connection, address):
            self.counts["too many connections"] += 1
            return 0
        number = next(self._numbers)
        self._connections[number] = connection
        return number

    def _has_room(self, connection: Connection, address: str) -> bool:
        if len(self._connections) >= MAX_CONNECTIONS:
            return False
        if not connection.incoming:
            return True
        opened = [each.flow.remote[0] for each in self._connections.values() if each.incoming]
        return len(opened) < MAX_INCOMING and opened.count(address) < MAX_OF_ADDRESS

    def closed(self, flow: Flow) -> None:
        """Note that a connection is gone."""
        if self._connections.pop(flow.connection, None) is not None:
            self._lose(flow)
            self.flush()

    def _lose(self, flow: Flow) -> None:
        self.agent.lose_flow(flow, self.now)
        self._on_flow_lost(flow)

    # Feeding and flushing.

    def datagram(self, data: bytes, remote: tuple[str, int]) -> None:
        """Feed a datagram."""
        if len(data) >= _SMALLEST and self._up:
            self.agent.receive(data, self.udp_flow(remote), self.now)
            self.flush()

    def flush(self) -> None:
        """Send what the agent has to send, pass its events on, and set the alarm.

        Events may lead to commands, which may lead to more of both.
        """
        if self._flushing or not self._up:
            return
        self._flushing = True
        try:
            while True:
                output, events = self.agent.take_output(), self.agent.take_events()
                if not output and not events:
                    break
                for flow, data in output:
                    self._send(flow, data)
                for event in events:
                    self._tell(event)
        finally:
            self._flushing = False
        self._set_alarm()

    def _tell(self, event: Event) -> None:
        """Pass an event on. Whoever fails at one must not take all other calls with him."""
        try:
            self._on_event(event)
        except Exception as error:
            self.counts["event not handled"] += 1
            what = f"{type(event).__name__} was not handled"
            self._loop.call_exception_handler({"message": what, "exception": error})

    def _send(self, flow: Flow, data: bytes) -> None:
        if flow.transport != "UDP":
            connection = self._connections.get(flow.connection)
            if connection is None:
                self._lose(flow)  # whoever waits for an answer need not wait for the time-out
            elif data == PING:
                connection.ping()
            else:
                connection.send(data)
        elif self._udp is not None and not self._udp.is_closing():
            self._udp.sendto(data, flow.remote)

    def _set_alarm(self) -> None:
        due = self.agent.next_timer()
        if self._alarm is not None:
            if due is not None and self._alarm.when() <= due:
                return  # it rings early enough
            self._alarm.cancel()
            self._alarm = None
        if due is not None:
            self._alarm = self._loop.call_at(due, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        try:
            self.agent.fire(self.now)
        finally:
            self.flush()  # and set the alarm again, whatever went wrong


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._endpoint.datagram(data, (addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:  # noqa: ARG002 - timers find out who is gone
        self._endpoint.counts["datagram not delivered"] += 1
