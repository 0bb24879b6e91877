"""The process: wires the parts together, serves HTTP, and stops decently.

The composition root and nothing else. `build` is also what tests start.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from gateway import rest_errors
from gateway.config import Config
from gateway.exchange import Exchange
from gateway.legs.socket_routes import SocketLegs
from gateway.live_call import Switch
from gateway.metrics import Metrics
from gateway.rest import CallsApi
from gateway.ticker import Ticker
from gateway.webhooks import Webhooks

_MAX_FORM = 64 * 1024

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that listens."""

    url: str
    exchange: Exchange
    metrics: Metrics
    _runner: web.AppRunner
    _session: aiohttp.ClientSession

    async def stop(self) -> None:
        """Refuses new calls, hangs up the live ones, sends their callbacks, closes everything."""
        await self.exchange.drain()
        await self._runner.cleanup()
        await self._session.close()


async def start(config: Config) -> Gateway:
    """Listens on the configured address (port 0: any free one). OSError: it is taken."""
    metrics = Metrics()
    session = aiohttp.ClientSession(
        # Every ringing call asks once a second: keep connections, and enough of them.
        connector=aiohttp.TCPConnector(limit=config.max_calls + 20, keepalive_timeout=30),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=5.0),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("Accept-Encoding",),
    )
    switch = Switch(config, Webhooks(session, config, metrics), Ticker(), metrics)
    exchange = Exchange(switch)
    runner = web.AppRunner(
        _application(config, exchange, metrics), access_log=None, shutdown_timeout=1.0
    )
    await runner.setup()
    site = web.TCPSite(runner, config.host, config.port, backlog=1024)
    try:
        await site.start()
    except OSError:
        await runner.cleanup()
        await session.close()
        raise
    port = runner.addresses[0][1]
    return Gateway(f"http://{config.host}:{port}", exchange, metrics, runner, session)


async def run(config: Config) -> None:
    """Serves until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    gateway = await start(config)
    log.info("listening", extra={"url": gateway.url})
    await stopping.wait()
    log.info("stopping")
    await gateway.stop()


def _application(config: Config, exchange: Exchange, metrics: Metrics) -> web.Application:
    app = web.Application(middlewares=[rest_errors.as_json], client_max_size=_MAX_FORM)
    sockets = SocketLegs(config, exchange)
    exchange.add_dialler(sockets)

    async def healthz(_request: web.Request) -> web.Response:
        if exchange.draining:
            return web.json_response({"status": "stopping"}, status=503)
        return web.json_response({"status": "ok"})

    async def prometheus(_request: web.Request) -> web.Response:
        text = metrics.render(exchange.by_status())
        return web.Response(text=text, headers={"Content-Type": "text/plain; version=0.0.4"})

    app.add_routes([web.get("/healthz", healthz), web.get("/metrics", prometheus)])
    app.add_routes(CallsApi(config, exchange).routes())
    app.add_routes(sockets.routes())
    app.on_shutdown.append(sockets.close)
    return app
