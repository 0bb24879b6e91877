"""`python -m relay`: one relay process, until SIGTERM or SIGINT; then it drains and exits 0."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine, Iterator
from typing import Any

# A frame's filter is far too small to share between threads; set before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from relay import logs
from relay.config import Config, from_env
from relay.control import Control
from relay.protection import Protection
from relay.server import Relay
from relay.tally import tell


async def serve(config: Config) -> None:
    """Run one relay until it is told to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Control(config) as control:
        relay = Relay(config, control)
        port = await relay.start()
        logs.info("listening", host=config.host, port=port, public_url=config.public_url)
        beside = [asyncio.create_task(each) for each in _beside(config, relay)]
        await stop.wait()
        await relay.drain()
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)


def _beside(config: Config, relay: Relay) -> Iterator[Coroutine[Any, Any, None]]:
    """What goes on beside the calls."""
    if config.counts_s:
        yield tell(relay.counters, config.counts_s)
    if config.ecs_agent_uri:
        yield Protection(config.ecs_agent_uri, relay.counters).run()


def main() -> int:
    """The exit status: 0, or 2 if the environment makes no sense."""
    try:
        config = from_env(os.environ)
    except ValueError as error:
        sys.stderr.write(f"relay: {error}\n")
        return 2
    logs.setup(config.relay_id)
    asyncio.run(serve(config))
    return 0


if __name__ == "__main__":
    sys.exit(main())
