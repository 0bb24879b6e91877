"""All processes behind the front: kept running, watched, drained and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path
from signal import SIGKILL

from common.rotation import signing
from gateway.config import Config
from gateway.front.environment import of_process
from gateway.front.link import Link, LinkError
from gateway.front.process import Process, StartError
from gateway.http.auth import basic
from gateway.share import process_of
from gateway.sids import process_of_call

CHECK_EVERY_S = 5.0
MISSES = 3
"""Health checks without an answer after which a process is killed and started again."""
STOPS_WITHIN_S = 15.0
"""Seconds that the processes have to hang up their calls and end before they are killed."""

log = logging.getLogger(__name__)


class Pool:
    """The processes and the links to them. `start` it, and `stop` it."""

    def __init__(
        self,
        config: Config,
        environ: Mapping[str, str],
        folder: Path,
        *,
        check_every_s: float = CHECK_EVERY_S,
    ) -> None:
        """`folder` is for the sockets. Raises ValueError if the settings do not fit."""
        numbers = range(config.processes)
        self.processes = [
            Process(number, of_process(environ, config, number, folder)) for number in numbers
        ]
        self.links: list[Link] = []
        self.draining = False
        self.stopping = False
        self.credentials = {
            "Authorization": basic(config.account_sid, signing(config.auth_token)),
        }
        self._check_every_s = check_every_s
        self._tasks: list[asyncio.Task[None]] = []
        self._runs: list[asyncio.Task[None]] = []

    @property
    def up(self) -> int:
        """Return the number of processes that serve."""
        return sum(process.up for process in self.processes)

    async def start(self) -> None:
        """Start all processes; return when all serve. Raises StartError."""
        self.links = [Link(process) for process in self.processes]
        self._runs = [asyncio.create_task(each.keep_running()) for each in self.processes]
        ready = asyncio.create_task(self._until_all_are_up())
        await asyncio.wait([ready, *self._runs], return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            ready.cancel()
            await asyncio.gather(*(run for run in self._runs if run.done()))
            raise StartError("the processes were stopped")
        self._tasks = [asyncio.create_task(self._watch(link)) for link in self.links]

    async def stop(self) -> int:
        """Have all processes hang up and end. Return 0 if they did so by themselves, else 1."""
        self.stopping = True
        for process in self.processes:
            process.terminate()
        late: set[asyncio.Task[None]] = set()
        if self._runs:
            _, late = await asyncio.wait(self._runs, timeout=STOPS_WITHIN_S)
        for process in self.processes:
            process.kill()
        await asyncio.gather(*self._runs, return_exceptions=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for link in self.links:
            await link.close()
        if late:
            log.error("gateway processes did not end in time", extra={"processes": len(late)})
        return 1 if late else 0

    def of_key(self, key: str) -> Link:
        """Return the link to the process that a key belongs to."""
        return self.links[process_of(key, len(self.links))]

    def of_call(self, sid: str) -> Link | None:
        """Return the link to the process that has a call; None if no process can have it."""
        number = process_of_call(sid)
        return self.links[number] if number is not None and number < len(self.links) else None

    def after(self, link: Link) -> Link:
        """Return the link to the next process, which can place calls in the other's stead."""
        return self.links[(link.process.index + 1) % len(self.links)]

    async def drain(self, *, draining: bool) -> None:
        """Have all processes take no more new calls, or take calls again."""
        self.draining = draining
        await asyncio.gather(*(self._tell_drain(link) for link in self.links))

    async def _until_all_are_up(self) -> None:
        for process in self.processes:
            await process.until_up()

    async def _tell_drain(self, link: Link) -> None:
        method = "POST" if self.draining else "DELETE"
        with contextlib.suppress(LinkError):  # it is told as soon as it is up again
            await link.ask(method, "/drain", headers=self.credentials)

    async def _watch(self, link: Link) -> None:
        """Tell a process that has been started again to drain, too; kill one that hangs."""
        process = link.process
        while True:
            await process.until_up()
            life, misses = process.life, 0
            if self.draining:
                await self._tell_drain(link)
            while process.up and process.life == life:
                await asyncio.sleep(self._check_every_s)
                every_s = self._check_every_s
                misses = 0 if await link.answers(self.credentials, every_s) else misses + 1
                if misses >= MISSES and process.up and process.life == life:
                    log.error(
                        "a gateway process does not answer and is killed",
                        extra={"of_process": process.name, "signal": SIGKILL.name},
                    )
                    process.kill()
