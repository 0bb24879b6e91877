"""Runs the callers of the `sip` bench: sipp signals, `rtp.c` sends and receives audio."""

from __future__ import annotations

import json
import select
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.load.programs import Process, running
from tests.support.ports import HOST, free_port, free_ports

SCENARIO = Path(__file__).with_name("sip_caller.xml")
ANSWER_S = 10.0
LEAVE_S = 15.0
_PORTS = range(20_000, 30_000)


class Callers:
    """Up to `most` callers. They begin in groups, and all end at the same time."""

    def __init__(self, work: Path, sound: Process, first_port: int, stack: ExitStack) -> None:
        self._work = work
        self._sound = sound
        self._first_port = first_port
        self._stack = stack
        self._begun = 0
        self._sipps: list[Process] = []

    @property
    def pids(self) -> list[int]:
        """All programs that make the load."""
        return [self._sound.pid, *(sipp.pid for sipp in self._sipps)]

    def begin(
        self, count: int, ports: list[int], users: list[str], a_second: float, talk_s: float
    ) -> None:
        """`count` more calls, at the ports and for the users in turn, so many a second in all; each
        is hung up `talk_s` after it was answered."""
        calls = range(self._begun, self._begun + count)
        self._begun += count
        # Two programs always: so that what one port is told does not depend on how many there are.
        for at in range(2):
            mine = calls[at::2]
            if mine:
                self._call(mine, ports[at % len(ports)], users, a_second / 2, talk_s)

    def up(self) -> int:
        """Return how many hear something."""
        return int(self._ask("up"))

    def open_window(self) -> None:
        """From now on it counts."""
        self._ask("open")

    def shut_window(self) -> dict[str, Any]:
        """Return the counts of the window's frames; takes two seconds."""
        figures: dict[str, Any] = json.loads(self._ask("shut"))
        return figures

    def left(self, patience_s: float) -> int:
        """Return how many of the programs report that all their calls went right, once they are
        done."""
        done = 0
        for sipp in self._sipps:
            try:
                done += sipp.wait(patience_s) == 0
            except subprocess.TimeoutExpired:
                patience_s = 0.1
        return done

    @property
    def programs(self) -> int:
        """Of how many."""
        return len(self._sipps)

    def _call(
        self, calls: range, port: int, users: list[str], a_second: float, talk_s: float
    ) -> None:
        name = f"sip-callers-{calls[0]}"
        listed = self._work / f"{name}.csv"
        lines = [
            f"{self._first_port + 2 * call};+1555{call:07d};{users[call % len(users)]}"
            for call in calls
        ]
        listed.write_text("\n".join(["SEQUENTIAL", *lines]) + "\n")
        own = free_port()
        # Calls a period, since a rate must be whole.
        command = [
            "sipp", "-sf", SCENARIO, "-inf", listed, "-i", HOST, "-p", str(own), "-bind_local",
            "-t", "u1", "-m", str(len(calls)), "-l", str(len(calls)),
            "-r", str(round(a_second * 10)), "-rp", "10000", "-d", str(round(talk_s * 1000)),
            "-timeout", f"{talk_s + len(calls) / a_second + LEAVE_S:.0f}s", "-timeout_error",
            "-nostdin", "-skip_rlimit", "-trace_err", "-error_file", self._work / f"{name}.errors",
            "-cp", str(own + 1), "-mi", HOST, "-mp", str(free_ports(4)), f"{HOST}:{port}",
        ]  # fmt: skip
        log = self._work / f"{name}.log"
        self._sipps.append(self._stack.enter_context(running(command, log)))

    def _ask(self, what: str) -> str:
        stdin, stdout = self._sound.stdin, self._sound.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("rtp has no pipes")
        stdin.write(f"{what}\n")
        stdin.flush()
        ready, _, _ = select.select([stdout], [], [], ANSWER_S)
        answer = stdout.readline() if ready else ""
        if not answer:
            raise RuntimeError(f"rtp did not answer {what!r}")
        return answer


def _free_ports(count: int) -> int:
    """Return the first of many free ports side by side: more than a test's block has."""
    for first in range(_PORTS.start, _PORTS.stop - count, 100):
        if all(map(_is_free, range(first, first + count))):
            return first
    raise OSError(f"no {count} free ports side by side from {_PORTS.start} to {_PORTS.stop - 1}")


def _is_free(port: int) -> bool:
    """Return whether nobody listens on a port by UDP."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


@contextmanager
def callers(program: Path, work: Path, most: int) -> Iterator[Callers]:
    """Callers with their sockets bound; `program` is `rtp.c`, compiled."""
    first = _free_ports(2 * most)
    log = work / "sip-rtp.log"
    with ExitStack() as stack:
        command = [str(program), str(first), str(most)]
        sound = stack.enter_context(running(command, log, pipes=True))
        yield Callers(work, sound, first, stack)
