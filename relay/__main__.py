"""`python -m relay`: run one relay until SIGTERM or SIGINT, then drain and exit with 0."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from typing import Any

# The filter of a frame is too small a job for several threads. Set before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from relay import files, logs, metrics
from relay.config import Config, from_env
from relay.group.board import Board
from relay.group.member import Sockets, Teller, join
from relay.network.control import Control
from relay.network.ecs_task_protection import Protection
from relay.network.server import Relay
from relay.protocol.rate_filters import COMPILED
from runtime import leash
from runtime.logs import set_up
from runtime.periodic_counts import log_counts


async def serve(config: Config) -> int:
    """Run one relay until it gets a signal, then drain it. Return the exit status: 2 if it cannot
    listen.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    sockets, member = Sockets(()), config.member
    if member is not None:
        try:
            config, sockets = join(config)
        except OSError as error:
            return _cannot_listen(config.host, config.private_port, "RELAY_PRIVATE_PORT", error)
    async with Control(config) as control:
        relay = Relay(config, control, sockets.audio, sockets.door)
        try:
            port = await relay.start()
        except OSError as error:
            return _cannot_listen(config.host, config.port, "RELAY_PORT", error)
        try:
            door_port = await relay.open_door()
        except OSError as error:
            return _cannot_listen(config.host, config.door_port, "RELAY_DOOR_PORT", error)
        logs.info(
            "the relay is ready for calls",
            host=config.host,
            port=port,
            door_port=door_port,
            public_url=config.public_url,
            filters="compiled" if COMPILED else "numpy",
        )
        background = [asyncio.create_task(job) for job in _background_jobs(config, relay)]
        if member is not None:
            teller = Teller(Board(member.board_file, member.count), member.index, relay.counters)
            relay.render = teller.render
            background.append(asyncio.create_task(teller.run()))
            leash.hold(stop)
        await stop.wait()
        await relay.drain()
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
    return 0


def _cannot_listen(host: str, port: int | None, setting: str, error: OSError) -> int:
    why = os.strerror(error.errno) if error.errno else str(error)
    sys.stderr.write(
        f"relay: it cannot listen on port {port} of {host} ({why}). "
        f"Stop what listens there, or set {setting} or RELAY_HOST\n"
    )
    return 2


def _background_jobs(config: Config, relay: Relay) -> Iterator[Coroutine[Any, Any, None]]:
    """Yield the jobs that run beside the calls, as far as they are configured."""
    if config.counts_s:
        yield log_counts(lambda: metrics.sample(relay.counters), config.counts_s)
    if config.ecs_agent_uri:
        yield Protection(config.ecs_agent_uri, relay.counters).run()


def _run_group(config: Config) -> int:
    from relay.group import parent

    try:
        return asyncio.run(parent.run(config, os.environ))
    except OSError as error:
        return _cannot_listen(config.host, config.port, "RELAY_PORT", error)


def main() -> int:
    """Run the relay. Return the exit status: 0, or 2 if a setting is missing or wrong, or its port
    is taken.
    """
    try:
        config = from_env(os.environ)
    except ValueError as error:
        sys.stderr.write(f"relay: {error}\n")
        return 2
    set_up("relay", subjects=("call_id",), fields={"relay": config.relay_id})
    connections = files.affordable(config.max_connections, files.raise_limit())
    # What is loaded by now stays: collections of garbage, which hold up all audio, leave it out.
    # They are as frequent as ever: a call that is over is freed by them only.
    gc.freeze()
    if config.processes > 1 and config.member is None:
        return _run_group(config)
    return asyncio.run(serve(replace(config, max_connections=connections)))


if __name__ == "__main__":
    sys.exit(main())
