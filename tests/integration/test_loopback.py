"""Tests that nothing of the local stack can be reached from another machine."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from pathlib import Path

import pytest

LISTENING, UNCONNECTED = "0A", "07"
"""States in /proc/net: of a TCP socket that accepts, of a UDP socket that hears everybody."""


def processes(state_dir: Path) -> list[Path]:
    """The processes of a stack, and all that they have started."""
    marker = f"CHAMADE_STATE_DIR={state_dir}".encode()
    parents: dict[int, int] = {}
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit():
                pid = int(entry.name)
                parents[pid] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if marker in (entry / "environ").read_bytes().split(b"\0"):
                    found.add(pid)
        except OSError:
            continue  # it has ended
    grown = -1
    while len(found) > grown:
        grown = len(found)
        found |= {pid for pid, parent in parents.items() if parent in found}
    return [Path("/proc") / str(pid) for pid in sorted(found)]


def sockets(process: Path) -> set[str]:
    """The inodes of the sockets that a process has open."""
    inodes = set()
    for file in (process / "fd").iterdir():
        try:
            target = os.readlink(file)
        except OSError:
            continue  # it was closed
        if target.startswith("socket:["):
            inodes.add(target[len("socket:[") : -1])
    return inodes


def address(text: str) -> tuple[str, int]:
    """An address of /proc/net: words of four bytes in the machine's order, and a port."""
    words, _, port = text.partition(":")
    raw = b"".join(struct.pack("=I", int(words[at : at + 8], 16)) for at in range(0, len(words), 8))
    return str(ipaddress.ip_address(raw)), int(port, 16)


def heard_by(stack: list[Path]) -> list[tuple[str, str, int, str]]:
    """(protocol, address, port, command line) of each socket of these processes that anybody who
    reaches the address can send to.
    """
    found = []
    for process in stack:
        try:
            mine = sockets(process)
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        for protocol, state in (
            ("tcp", LISTENING), ("tcp6", LISTENING), ("udp", UNCONNECTED), ("udp6", UNCONNECTED),
        ):  # fmt: skip
            for line in (process / "net" / protocol).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == state and fields[9] in mine:
                    found.append((protocol, *address(fields[1]), command))
    return found


def is_loopback(text: str) -> bool:
    found = ipaddress.ip_address(text)
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def reachable(sockets: list[tuple[str, str, int, str]]) -> list[tuple[str, str, int, str]]:
    """Those that other machines reach."""
    return [one for one in sockets if not is_loopback(one[1])]


def test_the_whole_stack_listens_on_loopback_only(running):
    sockets = heard_by(processes(running.state_dir))
    ports = {port for _, _, port, _ in sockets}
    assert {running.port_base + offset for offset in range(5)} <= ports, "all parts are found"
    assert reachable(sockets) == []


async def test_the_sockets_of_a_call_s_audio_are_on_loopback_only(running, live):
    talking = await live.answered()
    sockets = heard_by(processes(running.state_dir))
    assert reachable(sockets) == []
    talking.call.hangup()
    await talking.over()


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, ""), (socket.AF_INET6, "::")])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_this_test_finds_a_socket_on_every_interface(family, host, kind):
    with socket.socket(family, kind) as link:
        link.bind((host, 0))
        if kind == socket.SOCK_STREAM:
            link.listen()
        sockets = heard_by([Path("/proc/self")])
        wide = {port for _, where, port, _ in sockets if not is_loopback(where)}
        assert link.getsockname()[1] in wide
