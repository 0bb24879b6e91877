"""Start a child process, watch it, and start it again when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

from runtime.leash import READY

INVALID = 2
"""Exit status of a process whose settings are wrong, or whose ports are taken."""
STARTS_WITHIN_S = 30.0
"""Seconds after which a process that does not serve yet is killed."""
STEADY_S = 30.0
"""Seconds after which a process that ends is started again at once."""
_LONGEST_PAUSE_S = 30.0

log = logging.getLogger(__name__)


class StartError(Exception):
    """A process could not start for the first time. Its own message is on standard error."""


class ChildProcess:
    """`python -m <part>`, under the number `index`.

    `keep_running` it; `up` says whether it serves. A process that ends is started again at once,
    and after pauses that grow if it ends again and again. `files`: descriptors that it inherits.
    """

    def __init__(
        self,
        part: str,
        index: int,
        environ: Mapping[str, str],
        files: Sequence[int] = (),
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_end` is called whenever the process has ended."""
        self.index = index
        self.environ = dict(environ)
        self.restarts = 0
        self.life = 0
        """Number of the present life: a process that was started again has lost its calls and
        counts."""
        self._part, self._files, self._on_end = part, tuple(files), on_end
        self._up = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._stop = asyncio.Event()

    @property
    def name(self) -> str:
        """Return its number as people count, from 1."""
        return str(self.index + 1)

    @property
    def up(self) -> bool:
        """Return whether it serves."""
        return self._up.is_set()

    @property
    def pid(self) -> int | None:
        """Return its process id; None if it does not run."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process is not None else None

    async def until_up(self) -> None:
        """Wait until it serves."""
        await self._up.wait()

    async def keep_running(self) -> None:
        """Start it again whenever it ends, until it is stopped.

        Raises StartError if its first start shows that the settings are wrong.
        """
        loop = asyncio.get_running_loop()
        failures = 0
        status: int | None
        while not self._stop.is_set():
            began = loop.time()
            try:
                status = await self._live()
            except OSError as error:  # no memory or no process id is left: later there may be
                log.warning("a %s process cannot be started: %s", self._part, error)
                status = None
            self._on_end()
            if self._stop.is_set():
                return
            if status == INVALID and self.life == 0:
                raise StartError(f"process {self.name} did not start")
            failures = 0 if loop.time() - began >= STEADY_S else failures + 1
            pause = pause_s(failures)
            log.error(
                "a %s process has ended and is started again",
                self._part,
                extra={"of_process": self.name, "status": status, "pause_s": pause},
            )
            self.restarts += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stop.wait()

    async def _live(self) -> int:
        """Run it once. Return its exit status."""
        # In a session of its own, so that a Ctrl-C reaches only the parent, which knows the order.
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", self._part),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=self.environ,
            start_new_session=True,
            pass_fds=self._files,
        )
        if self._stop.is_set():
            self._signal(signal.SIGTERM)
        watching = asyncio.create_task(self._watch_start(self._process))
        try:
            return await self._process.wait()
        finally:
            self._up.clear()
            watching.cancel()
            if self._process.stdin is not None:
                self._process.stdin.close()

    async def _watch_start(self, process: asyncio.subprocess.Process) -> None:
        """Note when the process serves; kill it if that takes too long."""
        assert process.stdout is not None  # noqa: S101 - for mypy: it is a pipe
        try:
            async with asyncio.timeout(STARTS_WITHIN_S):
                said = await process.stdout.read(len(READY))
        except TimeoutError:
            log.error(
                "a %s process did not start in time",
                self._part,
                extra={"of_process": self.name},
            )
            self.kill()
            return
        if said:
            self.life += 1
            self._up.set()

    def terminate(self) -> None:
        """Ask it to end in its own time; it is not started again."""
        self._stop.set()
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, with all that it may have started. It is started again."""
        self._up.clear()
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self.pid is not None and self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


def pause_s(failures: int) -> float:
    """Return the seconds before another start: none, then 1, 2, 4 … 30."""
    return 0.0 if failures <= 1 else min(_LONGEST_PAUSE_S, 2.0 ** (failures - 2))
