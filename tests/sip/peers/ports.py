"""Ports that nobody else uses: below the ephemeral ones, above those of stacks and of the gateway's
RTP."""

from __future__ import annotations

import itertools
import os
import random
import socket

HOST = "127.0.0.1"


def _share() -> tuple[int, int]:
    """Those of this one of the workers of a test run: from, below."""
    first, beyond = 30_000, 32_000
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    size = (beyond - first) // workers // 2 * 2
    return first + number * size, first + (number + 1) * size


_FIRST, _BEYOND = _share()

# Handed out in turn, so that a port just given back is not taken while packets still come for it;
# from a random place, so that two test runs side by side do not meet.
_turn = itertools.count(random.randrange(_FIRST, _BEYOND, 2), 2)


def free_port() -> int:
    """A port free for both UDP and TCP; even, and the next one is free as well."""
    return free_ports(2)


def free_ports(count: int) -> int:
    """The first, even, of `count` ports side by side that are free for both UDP and TCP."""
    for _ in range(_FIRST, _BEYOND, 2):
        first = _FIRST + (next(_turn) - _FIRST) % (_BEYOND - _FIRST)
        block = range(first, first + count)
        if block.stop <= _BEYOND and all(map(_is_free, block)):
            for _ in range((count - 1) // 2):
                next(_turn)
            return first
    raise OSError(f"no {count} free ports between {_FIRST} and {_BEYOND}")


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                return False
    return True
