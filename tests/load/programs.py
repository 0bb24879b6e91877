"""A program under measurement or one that makes the load: started, watched, gone afterwards."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from local.layout import ROOT

START_S = 20.0
STOP_S = 5.0
_PR_SET_PDEATHSIG = 1
_POLL_S = 0.02

Process = subprocess.Popen[str]


class DidNotStart(RuntimeError):
    """A program ended or was not ready in time; the message holds the end of its log."""


@contextmanager
def running(
    command: Sequence[str | Path],
    log: Path,
    settings: dict[str, str] | None = None,
    *,
    pipes: bool = False,
    folder: Path = ROOT,
) -> Iterator[Process]:
    """A program in a session of its own, with more environment; what it prints goes to `log`, or
    (`pipes`) is for who started it. `folder` is where it runs. Asked to end when the block is left,
    killed if it does not.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env={**_clean(), **(settings or {})},
            stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
            stdout=subprocess.PIPE if pipes else output,
            stderr=output,
            text=True,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - one C call, no Python state touched
        )
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def wait_until(ready: Callable[[], object], process: Process, log: Path) -> None:
    """Until `ready()`. DidNotStart if the program ends before, or is not ready in time."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        if ready():
            return
        time.sleep(_POLL_S)
    raise DidNotStart(f"{process.args}:\n{log.read_text(errors='replace')[-2000:]}")


def children_of(pid: int) -> list[int]:
    """Its child processes, oldest first."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # What is in parentheses is the program's name, and may hold anything.
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return sorted(found)


def cpu_s(pids: Sequence[int]) -> float:
    """CPU time that processes have used, all their threads; those that have ended count as 0."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def rss_mb(pids: Sequence[int]) -> float:
    """Resident memory of processes, summed; what they share counts for each."""
    pages = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _clean() -> dict[str, str]:
    """This environment without what would configure a gateway or a relay."""
    ours = ("GATEWAY_", "RELAY_", "CHAMADE_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
