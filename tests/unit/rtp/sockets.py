"""Ports for the tests with real sockets."""

from __future__ import annotations

import contextlib
import socket

from tests.support.ports import free_ports


def free_range(pairs: int) -> range:
    """Ports for so many legs."""
    first = free_ports(2 * pairs)
    return range(first, first + 2 * pairs)


def has_ipv6() -> bool:
    """Whether this machine has IPv6 on loopback."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as one:
        one.bind(("::1", 0))
        return True
    return False
