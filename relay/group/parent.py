"""The parent of several relay processes: starts them, watches them, and stops them in order.

It opens the ports that all share before it starts them: each process accepts from the same queue,
so that no connection waits for one that hangs. It carries nothing itself.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from collections import Counter
from collections.abc import Mapping, Sequence

from relay.config import Config
from relay.core.counters import Counters
from relay.group.board import Board
from relay.group.member import BEAT_S, News, read
from relay.network.connections import BACKLOG, bound
from relay.network.ecs_task_protection import Protection
from runtime.child_process import INVALID, ChildProcess, StartError
from runtime.periodic_counts import log_counts

HUNG_BEATS = 10
"""Documents that a process may leave out before it counts as hung and is killed: five seconds. Its
calls have moved by then, but agents that do not look after their connection wait for it."""
_ENDS_WITHIN_S = 10.0
"""Seconds beyond the time to drain in which the processes must end."""

log = logging.getLogger(__name__)


class Group:
    """The processes of one machine: `start` them, `watch` them, and `stop` them."""

    def __init__(self, config: Config, environ: Mapping[str, str]) -> None:
        """Open the shared ports. OSError."""
        self._config = config
        self.counters = Counters()
        """Calls and draining of all processes together."""
        self._audio = _listening(config.host, config.port)
        self._door = [] if config.door_port is None else _listening(config.host, config.door_port)
        self._board = Board.new(config.processes)
        self._totals = Totals()
        files = [each.fileno() for each in (*self._audio, *self._door)] + [self._board.file]
        self.processes = [
            ChildProcess(
                "relay",
                index,
                self._environ(environ, index),
                files,
                lambda index=index: self._board.clear(index),  # type: ignore[misc]
            )
            for index in range(config.processes)
        ]
        self._runs: list[asyncio.Task[None]] = []

    def _environ(self, environ: Mapping[str, str], index: int) -> dict[str, str]:
        made = {
            **environ,
            "RELAY_MEMBER": f"{index + 1}/{self._config.processes}",
            "RELAY_FILES": ";".join(
                ",".join(str(each.fileno()) for each in sockets)
                for sockets in (self._audio, self._door)
            )
            + f";{self._board.file}",
            "RELAY_COUNTS_S": "0",  # the parent has one line for all
        }
        for name in ("RELAY_PROCESSES", "ECS_AGENT_URI"):
            made.pop(name, None)
        return made

    async def start(self) -> None:
        """Start all processes; return when all serve. StartError."""
        self._runs = [asyncio.create_task(each.keep_running()) for each in self.processes]
        ready = asyncio.create_task(self._until_all_are_up())
        await asyncio.wait([ready, *self._runs], return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            ready.cancel()
            for run in self._runs:
                if run.done():
                    run.result()
            raise StartError("the processes were stopped")

    async def _until_all_are_up(self) -> None:
        for process in self.processes:
            await process.until_up()

    async def watch(self) -> None:
        """Count calls, and kill processes that hang, until cancelled."""
        beats: dict[int, tuple[int, int]] = {}
        while True:
            await asyncio.sleep(BEAT_S)
            self.counters.calls = int(self.sample()[0].get("calls", 0))
            for process in self.processes:
                news = read(self._board, process.index)
                if not process.up or news is None:
                    beats.pop(process.index, None)
                    continue
                beat, missed = beats.get(process.index, (0, 0))
                missed = missed + 1 if news.beat == beat else 0
                beats[process.index] = news.beat, missed
                if missed >= HUNG_BEATS:
                    log.error("a relay process hangs and is killed", extra={"of": process.name})
                    process.kill()

    def sample(self) -> tuple[dict[str, float], dict[str, int]]:
        """Return gauges and counters of all processes together."""
        found = {
            process.index: (process.life, news)
            for process in self.processes
            if (news := read(self._board, process.index)) is not None
        }
        return self._totals.add(found)

    async def stop(self) -> int:
        """Have all processes drain and end. Return 0 if they did so in time, else 1."""
        self.counters.draining = True
        for process in self.processes:
            process.terminate()
        for each in (*self._audio, *self._door):
            each.close()  # the processes close theirs when they have drained
        late: set[asyncio.Task[None]] = set()
        if self._runs:
            within = self._config.drain_s + _ENDS_WITHIN_S
            _, late = await asyncio.wait(self._runs, timeout=within)
        for process in self.processes:
            process.kill()
        await asyncio.gather(*self._runs, return_exceptions=True)
        return 1 if late else 0


class Totals:
    """The counts of all processes. A counter never goes back: a process that was started again
    begins at 0, and what it counted before stays.
    """

    def __init__(self) -> None:
        self._counters: Counter[str] = Counter()
        self._known: dict[int, tuple[int, Mapping[str, int]]] = {}

    def add(self, found: Mapping[int, tuple[int, News]]) -> tuple[dict[str, float], dict[str, int]]:
        """Take what each process told last, with the number of its life; return the sums."""
        gauges: Counter[str] = Counter()
        for index, (life, news) in found.items():
            known_life, known = self._known.get(index, (life, {}))
            before = known if known_life == life else {}
            for name, value in news.counters.items():
                self._counters[name] += value - before.get(name, 0)
            self._known[index] = life, news.counters
            for name, gauge in news.gauges.items():
                gauges[name] += gauge  # type: ignore[assignment]
        return dict(gauges), dict(self._counters)


def _listening(host: str, port: int) -> Sequence[socket.socket]:
    sockets = bound(host, port, socket.socket)
    for each in sockets:
        each.listen(BACKLOG)
    return sockets


async def run(config: Config, environ: Mapping[str, str]) -> int:
    """Serve until SIGTERM or SIGINT, then drain. Return the exit status: 2 if the processes cannot
    start. OSError.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    group = Group(config, environ)
    asked, starting = asyncio.create_task(stopping.wait()), asyncio.create_task(group.start())
    await asyncio.wait([asked, starting], return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        return await group.stop()
    try:
        await starting
    except StartError as error:
        sys.stderr.write(f"relay: {error}\n")
        await group.stop()
        return INVALID
    log.info("all relay processes are ready for calls", extra={"processes": config.processes})
    jobs = [asyncio.create_task(group.watch())]
    if config.counts_s:
        jobs.append(asyncio.create_task(log_counts(group.sample, config.counts_s)))
    if config.ecs_agent_uri:
        protection = Protection(config.ecs_agent_uri, group.counters)
        jobs.append(asyncio.create_task(protection.run()))
    await asked
    for job in jobs:
        job.cancel()
    return await group.stop()
