"""A peer's program: started, watched, and gone when the test is over."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
from collections.abc import Callable
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_POLL_S = 0.01


class Program:
    """One process in a session of its own; what it prints goes to `log`.

    `env`: variables besides those of the test. `talks`: its standard input and output are pipes,
    `process.stdin` and `process.stdout`, and only its errors go to `log`.
    """

    def __init__(
        self,
        *command: str | Path,
        log: Path,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        talks: bool = False,
    ) -> None:
        self.command = [str(part) for part in command]
        self.log, self.cwd, self.env, self.talks = log, cwd, env or {}, talks

    async def start(self) -> None:
        """Begin. Nobody says yet that it is ready."""
        with self.log.open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                *self.command,
                cwd=self.cwd,
                stdin=asyncio.subprocess.PIPE if self.talks else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if self.talks else output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_die_with_parent,
                env={**os.environ, "TERM": "dumb", **self.env},
            )

    @property
    def dead(self) -> bool:
        """True if it has ended."""
        return self.process.returncode is not None

    def said(self) -> str:
        """All it has printed."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    async def until(self, ready: Callable[[], object], within_s: float, what: str) -> None:
        """Until `ready()`; AssertionError shows the log if it ends before, or takes too long.

        Polls: for what shows only in files and in the kernel's tables.
        """
        try:
            async with asyncio.timeout(within_s):
                while not ready():
                    assert not self.dead, f"{self.command[0]} ended before {what}:\n{self.said()}"
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise AssertionError(f"not within {within_s} s: {what}\n{self.said()}") from None

    async def ended(self, within_s: float) -> int:
        """Its exit code."""
        async with asyncio.timeout(within_s):
            return await self.process.wait()

    async def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        await self.process.wait()

    async def stop(self, grace_s: float = 2) -> None:
        """Ask it and wait; kill what will not, and what it may have left behind."""
        if not self.dead:
            self.process.terminate()
            with contextlib.suppress(TimeoutError):
                await self.ended(grace_s)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait()


def listens(port: int, kind: str = "udp") -> bool:
    """True if somebody has bound this IPv4 port; asks without disturbing."""
    wanted = f":{port:04X} "
    lines = Path(f"/proc/net/{kind}").read_text().splitlines()[1:]
    return any(wanted in line[:24] and (kind == "udp" or " 0A " in line) for line in lines)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
