"""The stack's processes, which are started, watched and stopped together.

Each runs in a session of its own, so that Ctrl-C reaches only the supervisor, which can stop them
in order. If the supervisor is killed, they die with it.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local.layout import ROOT

_PR_SET_PDEATHSIG = 1
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
_POLL_S = 0.02
LOG_KEPT = 20 << 20
"""Bytes of a part's log, over all starts, beyond which it is set aside as `.log.old`. So a part's
logs take at most twice as much, and what it writes until the next check."""


class DidNotStart(Exception):
    """A process ended or did not answer; the message holds the end of its log."""


class Interrupted(Exception):
    """The stack was asked to stop before it was up."""


@dataclass
class Part:
    """A running part of the stack."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def dead(self) -> bool:
        """Return whether the process has ended."""
        return self.process.poll() is not None

    def trim_log(self, most: int | None = None) -> None:
        """Set the log aside as `.log.old` and start a new one, if it has more than `most` bytes."""
        most = LOG_KEPT if most is None else most
        if self.log.stat().st_size > most:
            # The process keeps its file open and appends to it, so this file must stay.
            shutil.copyfile(self.log, self.log.with_suffix(".log.old"))
            os.truncate(self.log, 0)

    def log_tail(self, lines: int = 15) -> str:
        """Return the last lines that the process printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def start(
    name: str,
    module: str,
    environment: dict[str, str],
    log_dir: Path,
    keep_open: tuple[int, ...] = (),
) -> Part:
    """Start `python -m module` with this environment, its output in `log_dir/name.log`.
    `keep_open`: file descriptors that it inherits.
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
    """Wait until `url` answers with a status below 500. Raises DidNotStart if the part ends or
    takes too long, Interrupted as soon as `stopping()`."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if stopping():
            raise Interrupted
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
    """Ask each part to end, last started first, and wait; kill those that do not. Return the names
    of the killed."""
    killed = []
    for part in reversed(parts):
        if part.dead:
            _signal_group(part, signal.SIGKILL)  # processes that it may have left behind
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
