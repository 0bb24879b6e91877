"""The relays that are compared, each as a process of its own on a port of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.layout import ROOT
from local.ports import free_port_base
from tests.load.control_stub import SECRET
from tests.load.former_gateway import code_of

START_S = 15.0
STOP_S = 5.0


@dataclass(frozen=True)
class Variant:
    """One of the compared: which program, and what agents speak to it."""

    name: str
    program: str
    agent: str = "mulaw"


VARIANTS = (
    Variant("floor", "floor"),
    Variant("ours", "ours"),
    Variant("peer", "peer"),
    Variant("ours pcm16", "ours", agent="pcm16"),
    Variant("ours pcm24", "ours", agent="pcm24"),
    Variant("ours twilio", "ours", agent="twilio"),
)
FORMER = Variant("former", "former")
PARTS = ("relay", "common", "runtime")
"""The folders of a relay's code."""


@dataclass(frozen=True)
class Programs:
    """Where the compared programs are: the C floor's, and the folder of a former relay's code."""

    floor: Path
    former: Path | None = None


@contextmanager
def former_relay(commit: str) -> Iterator[Path]:
    """The folder of a relay as it was at a commit, meanwhile; its filters are those of this one's
    environment. CannotBuild.
    """
    with code_of(commit, PARTS) as folder:
        yield folder


@contextmanager
def running(
    program: str, programs: Programs, control_url: str, log: Path
) -> Iterator[tuple[int, int]]:
    """(pid, port) of a relay that serves meanwhile."""
    port = free_port_base()
    ours = [sys.executable, "-m", "relay"], _our_settings(port, control_url)
    command, settings = {
        "floor": ([str(programs.floor), str(port)], {}),
        "peer": ([sys.executable, "-m", "tests.load.peer_websockets", str(port)], {}),
        "ours": ours,
        "former": ours,
    }[program]
    folder = programs.former if program == "former" else ROOT
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **settings}, stdout=output, stderr=output
        )
    try:
        _wait_until_up(process, port, log)
        yield process.pid, port
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _our_settings(port: int, control_url: str) -> dict[str, str]:
    return {
        "CHAMADE_CONTROL_URL": control_url,
        "CHAMADE_CONTROL_SECRET": SECRET,
        "RELAY_HOST": "127.0.0.1",
        "RELAY_PORT": str(port),
        "RELAY_DRAIN_S": "0",
        # All agents come from here, faster than the stub answers.
        "RELAY_MAX_WAITING": "1000",
        "RELAY_MAX_WAITING_ADDRESS": "1000",
    }


def _wait_until_up(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Until it listens. The look-up in /proc disturbs nobody, unlike a connection."""
    wanted = f"0100007F:{port:04X}"
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        listening = Path("/proc/net/tcp").read_text().splitlines()[1:]
        if any(line.split()[1] == wanted and line.split()[3] == "0A" for line in listening):
            return
        time.sleep(0.02)
    raise RuntimeError(f"a relay did not start:\n{log.read_text(errors='replace')[-2000:]}")
