"""The ports of media: an even one for RTP and the next one for RTCP, out of a range.

Source: RFC 3550 11 (the pair); RFC 4594 4.1 (telephony is marked EF).
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import random
import socket
from collections import deque
from dataclasses import dataclass

MAX_TRIES = 100
"""Ports that are tried for one call, if other programs have them."""
_OCCUPIED = (errno.EADDRINUSE, errno.EACCES)
_EXPEDITED = 46 << 2


class NoPortError(Exception):
    """There is no pair of ports for another call; the text says what would help."""


@dataclass(frozen=True, slots=True)
class PortPair:
    """A pair of bound sockets, neither of which blocks."""

    port: int
    rtp: socket.socket
    rtcp: socket.socket


class Ports:
    """A range's pairs, in no order that others could know: programs that share a range do not meet
    at its begin. A pair that is given back is taken last again: what is still on its way to an
    ended call does not come to the next one.
    """

    def __init__(self, host: str, ports: range) -> None:
        """`host` is the IP address to bind to, IPv4 or IPv6. Raises ValueError if it is a name, or
        if the range has no pair.
        """
        self._host = str(ipaddress.ip_address(host))
        self._family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        pairs = [port for port in ports if port % 2 == 0 and port + 1 in ports]
        random.SystemRandom().shuffle(pairs)
        self._free = deque(pairs)
        self._name = f"{ports.start} to {ports.stop - 1}"
        self._pairs = len(self._free)
        if not self._free:
            raise ValueError(f"in the ports from {self._name} there is no even one with its next")

    @property
    def free(self) -> int:
        """Return the number of pairs that are not taken."""
        return len(self._free)

    def take(self) -> PortPair:
        """Bind a pair. Raises NoPortError."""
        for _ in range(min(MAX_TRIES, len(self._free))):
            port = self._free.popleft()
            with contextlib.ExitStack() as unless_bound:
                try:
                    rtp, rtcp = self._socket(port), None
                    unless_bound.callback(rtp.close)
                    rtcp = self._socket(port + 1)
                except OSError as error:
                    self._free.append(port)
                    if error.errno in _OCCUPIED:
                        continue
                    raise NoPortError(self._why(error)) from error
                unless_bound.pop_all()
                return PortPair(port, rtp, rtcp)
        if self._free:
            raise NoPortError(
                f"other programs have the ports from {self._name} that were tried: give this one "
                "a range of its own"
            )
        raise NoPortError(
            f"all {self._pairs} pairs of ports from {self._name} have calls: a wider range has "
            "room for more"
        )

    def _why(self, error: OSError) -> str:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            return "this process may not open more files: a call needs two (raise `ulimit -n`)"
        return f"no audio socket on {self._host}: {error.strerror or error}"

    def give_back(self, pair: PortPair) -> None:
        """Close a pair; others may have it."""
        pair.rtp.close()
        pair.rtcp.close()
        self._free.append(pair.port)

    def _socket(self, port: int) -> socket.socket:
        made = socket.socket(self._family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            if self._family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _EXPEDITED)
            else:
                made.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _EXPEDITED)
            made.bind((self._host, port))
        except OSError:
            made.close()
            raise
        return made
