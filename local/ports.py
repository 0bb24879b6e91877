"""Ports: which are free, and claims on them, so that programs that start at the same time do not
choose the same ones.

A claim is a lock on a file in the directory for temporary files. The kernel drops it when the
process ends, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

from local.layout import HIGHEST_PORT_BASE, HOST

SPAN = 12
"""Ports that one stack may use."""

_STACKS = range(20_000, 30_000, SPAN)
_claims: list[int] = []
"""File descriptors of the locks that this process holds."""


class PortTaken(Exception):
    """Another process listens on a port that the stack needs."""


def check_ports_free(ports: dict[str, int]) -> None:
    """Check that no port is taken, neither for TCP nor, where SIP is spoken, for UDP. Raises
    PortTaken, which names the part, the port and the remedy."""
    for part, port in ports.items():
        kinds = {"port": socket.SOCK_STREAM}
        if part.startswith(("sip", "carrier")):
            kinds["UDP port"] = socket.SOCK_DGRAM
        for name, kind in kinds.items():
            if not _is_free(port, kind):
                raise PortTaken(
                    f"{name} {port} ({part}) is taken. Stop what listens there, or move all ports: "
                    f"CHAMADE_PORT_BASE={_free_base_beside(ports)} make run"
                )


def _free_base_beside(ports: dict[str, int]) -> int:
    """Return a port base at which these ports would be free, a round number away from theirs."""
    first = min(ports.values())
    moves = [way * far for far in range(1000, 10_000, 1000) for way in (1, -1)]
    bases = [first + move for move in moves if 1024 <= first + move <= HIGHEST_PORT_BASE]
    return next(
        (base for base in bases if all(is_free(port - first + base) for port in ports.values())),
        bases[0],
    )


def is_free(port: int) -> bool:
    """Return whether nobody listens on a port, over TCP or UDP."""
    return all(_is_free(port, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM))


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(type=kind) as probe:
        if kind is socket.SOCK_STREAM:  # connections of the last stack may not have expired yet
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port_base() -> int:
    """Claim `SPAN` free ports for a stack; return the first. It is random, so that it differs from
    the default."""
    return claim_ports(_STACKS)


def claim_ports(bases: range) -> int:
    """Claim a block of free ports until this process ends; return the first port of it.

    Each of `bases` begins a block, which reaches to the next one. Raises PortTaken if none is left.
    """
    for base in random.sample(bases, len(bases)):
        # First the lock: a probe of a port that is another's could keep its owner from it.
        claim = _lock(base)
        if claim is None:
            continue
        if all(map(is_free, range(base, base + bases.step))):
            _claims.append(claim)
            return base
        os.close(claim)
    raise PortTaken(f"no free ports between {bases.start} and {bases.stop}")


def _lock(base: int) -> int | None:
    """Lock the file of a block; return its descriptor, or None if another claim holds it."""
    # One directory a user: files of another user could not be opened.
    folder = Path(tempfile.gettempdir()) / f"chamade-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    claim = os.open(folder / str(base), os.O_RDWR | os.O_CREAT, 0o600)
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return claim
    os.close(claim)
    return None
