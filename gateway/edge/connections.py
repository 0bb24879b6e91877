"""The watch on the edge's TCP and TLS connections: limits their number and age for each address.

Kamailio limits the number of all connections together and closes silent ones. It has no limit for
one address, and none for a connection that sends a byte from time to time; so one stranger could
hold all connections. Therefore a separate process reads the kernel's list of connections and asks
Kamailio, by a message on loopback, to close those beyond the limits. Connections that the edge
opened itself are not counted.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import select
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.edge.render import TCP_CONNECTIONS
from gateway.edge.settings import Settings

MOST = TCP_CONNECTIONS * 3 // 4
"""Limit of all incoming connections; the rest is for those that the edge opens to carriers."""

MOST_OF_A_PEER = MOST // 2
"""Limit for one address in EDGE_PEERS: carriers may open a connection for each call."""

_EVERY_S = 0.25
_ESTABLISHED = "01"
_TABLE = Path("/proc/net/tcp")

Remote = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Close:
    """A connection to close. With `anyhow` it is closed even if it belongs to a trunk or a call."""

    remote: Remote
    anyhow: bool


class Watch:
    """The choice of the connections to close. It does no I/O; it only remembers their ages."""

    def __init__(
        self,
        *,
        per_source: int,
        most: int = MOST,
        strangers_s: float = 30.0,
        peers: Iterable[str] = (),
    ):
        """`per_source` limits one address, unless it is in one of the networks `peers`."""
        self._per_source, self._most, self._strangers_s = per_source, most, strangers_s
        self._peers = [ipaddress.ip_network(each) for each in peers]
        self._since: dict[Remote, float] = {}
        self._asked: dict[Remote, float] = {}

    def look(self, now: float, connections: Iterable[Remote]) -> list[Close]:
        """Return the connections to close, out of those that are open at `now` (seconds)."""
        there = set(connections)
        self._since = {each: self._since.get(each, now) for each in there}
        self._asked = {each: at for each, at in self._asked.items() if each in there}
        oldest_first = sorted(there, key=lambda each: self._since[each])
        beyond = self._beyond_the_sources_bound(oldest_first)
        rest = [each for each in oldest_first if each not in beyond]
        surplus = rest[: max(0, len(rest) - self._most)]
        old = [each for each in rest if now - self._since[each] > self._strangers_s]
        return [Close(each, anyhow=True) for each in beyond] + [
            Close(each, anyhow=False)
            for each in dict.fromkeys(surplus + old)
            if self._is_due(each, now)
        ]

    def _beyond_the_sources_bound(self, oldest_first: list[Remote]) -> set[Remote]:
        """Return the connections beyond the limit of their address.

        The newest are closed: a carrier's calls are on the older ones.
        """
        most = {address: self._most_of(address) for address, _ in oldest_first}
        seen: dict[str, int] = {}
        beyond = set()
        for address, port in oldest_first:
            seen[address] = seen.get(address, 0) + 1
            if seen[address] > most[address]:
                beyond.add((address, port))
        return beyond

    def _most_of(self, address: str) -> int:
        source = ipaddress.ip_address(address)
        return MOST_OF_A_PEER if any(source in each for each in self._peers) else self._per_source

    def _is_due(self, remote: Remote, now: float) -> bool:
        """Return whether to ask for this connection now.

        Requests are rare, since Kamailio keeps the connections of trunks and calls.
        """
        if now - self._asked.get(remote, -self._strangers_s) < self._strangers_s:
            return False
        self._asked[remote] = now
        return True


def incoming(table: str, listening: Iterable[tuple[str, int]]) -> list[Remote]:
    """Read the connections made to one of our addresses from the kernel's `/proc/net/tcp`."""
    ours = {_hexadecimal(host, port) for host, port in listening}
    found = []
    for line in table.splitlines()[1:]:
        fields = line.split(maxsplit=4)
        if len(fields) > 3 and fields[3] == _ESTABLISHED and fields[1] in ours:
            address, _, port = fields[2].partition(":")
            host = socket.inet_ntoa(bytes.fromhex(address)[::-1])
            found.append((host, int(port, 16)))
    return found


def _hexadecimal(host: str, port: int) -> str:
    return f"{socket.inet_aton(host)[::-1].hex().upper()}:{port:04X}"


def open_guard(settings: Settings) -> socket.socket:
    """Return the socket from which Kamailio accepts close requests; its port is in the
    configuration."""
    guard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    guard.bind((settings.inside[0], 0))
    return guard


def run_beside(guard: socket.socket, settings: Settings) -> None:
    """Start the watch in a separate process, which ends when the calling process ends.

    The caller becomes Kamailio, which ends itself when any child process of it ends. So the watch
    must not be a child of the caller.
    """
    kamailio = os.pidfd_open(os.getpid())
    if (child := os.fork()) != 0:
        os.close(kamailio)
        guard.close()
        os.waitpid(child, 0)
        return
    try:
        if os.fork() == 0:
            _watch(guard, settings, kamailio)
    finally:
        os._exit(0)


def _watch(guard: socket.socket, settings: Settings, kamailio: int) -> None:
    ports = [port for port in (settings.sip_port, settings.tls_port) if port]
    listening = [(settings.bind_ip, port) for port in ports]
    watch = Watch(
        per_source=settings.connections_per_source,
        strangers_s=float(settings.stranger_connection_s),
        peers=settings.peers,
    )
    guard.setblocking(False)
    while not select.select([kamailio], [], [], _EVERY_S)[0]:
        for close in watch.look(time.monotonic(), incoming(_TABLE.read_text(), listening)):
            # The buffers may be full, or Kamailio not up yet: the request is repeated later.
            with contextlib.suppress(OSError):
                guard.sendto(order(close, guard.getsockname()), settings.inside)


def order(close: Close, guard: tuple[str, int]) -> bytes:
    """Return the message that asks Kamailio to close a connection."""
    host, port = close.remote
    at = f"{guard[0]}:{guard[1]}"
    headers: Mapping[str, str] = {
        "Via": f"SIP/2.0/UDP {at};branch=z9hG4bK{host}-{port}",
        "From": f"<sip:guard@{at}>;tag=guard",
        "To": f"<sip:edge@{at}>",
        "Call-ID": f"close-{host}-{port}",
        "CSeq": "1 OPTIONS",
        "Max-Forwards": "1",
        "Content-Length": "0",
    }
    whom = "anybody" if close.anyhow else "stranger"
    lines = [f"OPTIONS sip:{whom}@{host}:{port} SIP/2.0"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
