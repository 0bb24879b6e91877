"""The front's process: starts the gateway processes, serves HTTP, and stops in order."""

from __future__ import annotations

import asyncio
import logging
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from gateway.api.errors import as_json
from gateway.config import Config
from gateway.front import merge
from gateway.front.api import FrontApi
from gateway.front.pool import Pool
from gateway.front.process import INVALID, StartError
from gateway.front.sockets import Sockets
from gateway.http import auth
from gateway.http.listener import MAX_FORM, listen, url_of
from runtime.periodic_counts import CountsLine

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Front:
    """A running front."""

    url: str
    pool: Pool
    _listener: asyncio.Server
    _runner: web.AppRunner
    _folder: Path
    _counting: asyncio.Task[None] | None

    async def stop(self) -> int:
        """Have all processes hang up and end, then close everything. Return the exit status.

        Requests about calls are answered until the last process has ended.
        """
        if self._counting is not None:
            self._counting.cancel()
        status = await self.pool.stop()
        self._listener.close()
        await self._runner.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)
        return status


async def start(config: Config, environ: Mapping[str, str], **settings: Any) -> Front:
    """Listen, and start all processes; return when all of them serve.

    `settings` are the pool's. Raises ValueError if the settings do not fit, OSError if the address
    is taken, StartError if a process does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="gateway-"))  # only this user may open it
    try:
        pool = Pool(config, environ, folder, **settings)
        api, sockets = FrontApi(config, pool), Sockets(pool)
        app = web.Application(
            middlewares=[auth.note_known_clients(config), as_json], client_max_size=MAX_FORM
        )
        app.add_routes([*api.routes(), *sockets.routes()])
        app.on_shutdown.append(sockets.close)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            listener = await listen(config, runner)
            await pool.start()
        except BaseException:
            await pool.stop()
            await runner.cleanup()
            raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    counting = asyncio.create_task(_log_counts(config.counts, api)) if config.counts else None
    return Front(url_of(config, listener), pool, listener, runner, folder, counting)


async def run(config: Config, environ: Mapping[str, str]) -> int:
    """Serve until SIGTERM or SIGINT. Return the exit status. Raises OSError."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    starting = asyncio.create_task(start(config, environ))
    asked = asyncio.create_task(stopping.wait())
    await asyncio.wait([starting, asked], return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return 0
    asked.cancel()
    try:
        front = await starting
    except (ValueError, StartError) as error:
        sys.stderr.write(f"gateway: {error}\n")
        return INVALID
    log.info(
        "the gateway is ready for calls",
        extra={"url": front.url, "processes": config.processes},
    )
    await stopping.wait()
    log.info("the gateway stops, and ends its calls")
    return await front.stop()


async def _log_counts(every_s: float, api: FrontApi) -> None:
    """Write one line of counts for all processes at intervals, until cancelled."""
    totals, line = merge.Totals(), CountsLine()
    while True:
        if samples := await api.counts():
            lives = {each.process.index: (each.process.life, samples[each]) for each in samples}
            line.write(*totals.add(lives))
        await asyncio.sleep(every_s)
