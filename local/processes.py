"""The stack's processes: started, watched, stopped together.

Each runs in a session of its own, so that Ctrl-C reaches the supervisor alone and it can stop them
in order; and dies with the supervisor, should that be killed.
"""

from __future__ import annotations

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local.layout import HOST, ROOT

_PR_SET_PDEATHSIG = 1
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
_POLL_S = 0.02
LOG_KEPT = 20 << 20
"""Bytes of a part's log, over all starts, beyond which it is set aside as `.log.old`."""
SPAN = 10
"""Ports that one stack may use."""


class DidNotStart(Exception):
    """A process ended or did not answer; the message holds the end of its log."""


class PortTaken(Exception):
    """Somebody else listens on a port we need."""


@dataclass
class Part:
    """A running part of the stack."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def dead(self) -> bool:
        """True if it has ended."""
        return self.process.poll() is not None

    def log_tail(self, lines: int = 15) -> str:
        """The end of what it printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def check_ports_free(ports: dict[str, int]) -> None:
    """PortTaken names the part, the port and the way out."""
    for part, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                raise PortTaken(
                    f"port {port} ({part}) is taken. Stop what listens there, or move all ports: "
                    f"CHAMADE_PORT_BASE={port + 1000} make run"
                ) from None


def free_port_base() -> int:
    """A base with `SPAN` free ports above it, out of the way of the default and of each other."""
    for base in random.sample(range(20_000, 30_000, SPAN), 200):
        try:
            check_ports_free({str(port): port for port in range(base, base + SPAN)})
        except PortTaken:
            continue
        return base
    raise PortTaken("no free ports between 20000 and 30000")


def start(
    name: str,
    module: str,
    environment: dict[str, str],
    log_dir: Path,
    keep_open: tuple[int, ...] = (),
) -> Part:
    """`python -m module` with this environment, its output in `log_dir/name.log`. `keep_open`:
    file descriptors that it inherits.
    """
    log_dir.mkdir(parents=True, exist_ok=True)
    log = log_dir / f"{name}.log"
    if log.exists() and log.stat().st_size > LOG_KEPT:
        log.replace(log.with_suffix(".log.old"))
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=keep_open,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - one C call, no Python state touched
        )
    return Part(name, process, log)


def wait_until_up(part: Part, url: str, stopping: Callable[[], bool] = lambda: False) -> None:
    """Until `url` answers anything below 500. DidNotStart if the part dies or takes too long."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and not stopping():
        if part.dead:
            raise DidNotStart(f"{part.name} ended at once. The end of its log:\n{part.log_tail()}")
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own URLs
                if answer.status < 500:
                    return
        except urllib.error.HTTPError as error:
            if error.code < 500:
                return
        except OSError:
            pass
        time.sleep(_POLL_S)
    raise DidNotStart(f"{part.name} did not answer at {url}. Its log:\n{part.log_tail()}")


def stop(parts: list[Part]) -> list[str]:
    """Ask each to end, last started first, and wait; kill what will not. Names of those killed."""
    killed = []
    for part in reversed(parts):
        if part.dead:
            _signal_group(part, signal.SIGKILL)  # what it may have left behind
            continue
        part.process.terminate()
        try:
            part.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            killed.append(part.name)
        _signal_group(part, signal.SIGKILL)
        part.process.wait()
    return killed


def _signal_group(part: Part, number: signal.Signals) -> None:
    try:
        os.killpg(part.process.pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
