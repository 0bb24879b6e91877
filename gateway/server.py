"""The process: wires the parts together, serves HTTP, and stops decently.

The composition root and nothing else. `build` is also what tests start.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from gateway import rest_errors
from gateway.application import Application
from gateway.config import Config
from gateway.exchange import Exchange
from gateway.legs.sip.pool import SipLegs
from gateway.legs.socket_routes import SocketLegs
from gateway.live_call import Switch
from gateway.metrics import Metrics
from gateway.operator_api import OperatorApi
from gateway.rest import CallsApi
from gateway.ssrf import system_resolver
from gateway.tally import tell
from gateway.ticker import Ticker
from gateway.trunk import Status
from gateway.trunk_host import NoSip, TrunkHost
from gateway.trunks import Trunks
from gateway.trunks_api import TrunksApi
from gateway.webhooks import Webhooks

_MAX_FORM = 64 * 1024

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that listens."""

    url: str
    exchange: Exchange
    metrics: Metrics
    trunks: Trunks | None
    sip: SipLegs | None
    _runner: web.AppRunner
    _session: aiohttp.ClientSession
    _beside: list[asyncio.Task[None]]
    """What goes on beside the calls: trunks are kept registered, counts are told."""

    async def stop(self) -> None:
        """Refuses new calls, hangs up the live ones, sends their callbacks, closes everything."""
        await self.exchange.drain()
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        if self.sip is not None:
            await self.sip.stop()
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
    trunks = _trunks(config, session)
    sip = _sip(config, exchange, trunks)
    app = _web_application(config, exchange, metrics, trunks, sip)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, config.host, config.port, backlog=1024)
    try:
        if sip is not None:
            await sip.start()
        await site.start()
    except OSError:
        if sip is not None:
            await sip.stop()
        await runner.cleanup()
        await session.close()
        raise
    port = runner.addresses[0][1]
    beside = []
    if trunks is not None:
        host: TrunkHost = sip if sip is not None else NoSip(trunks.on_status)
        beside.append(asyncio.create_task(trunks.run(host)))
    if config.counts:
        beside.append(asyncio.create_task(_tell(config.counts, exchange, metrics, trunks, sip)))
    url = f"http://{config.host}:{port}"
    return Gateway(url, exchange, metrics, trunks, sip, runner, session, beside)


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


async def _tell(
    every_s: float,
    exchange: Exchange,
    metrics: Metrics,
    trunks: Trunks | None,
    sip: SipLegs | None,
) -> None:
    def known() -> Mapping[str, int]:
        _look_at(sip, metrics)
        return trunks.by_status() if trunks is not None else {}

    await tell(metrics, exchange.by_status, known, every_s)


def _trunks(config: Config, session: aiohttp.ClientSession) -> Trunks | None:
    if config.control_url is None:
        return None
    return Trunks(
        Application(session, config.control_url, config.control_secret, config.gateway_id),
        refresh=config.trunk_refresh,
        resolver=None if config.allow_private_trunks else system_resolver,
    )


def _sip(config: Config, exchange: Exchange, trunks: Trunks | None) -> SipLegs | None:
    if not config.sip_port:
        return None
    on_status = trunks.on_status if trunks is not None else _nobody_cares
    sip = SipLegs(config, exchange, on_status)
    exchange.add_dialler(sip)
    return sip


def _look_at(sip: SipLegs | None, metrics: Metrics) -> None:
    """What the children count themselves."""
    if sip is not None:
        metrics.sip_restarts = sum(child.restarts for child in sip.children)
        metrics.sip_lag_ms = max(child.lag_ms for child in sip.children)


def _nobody_cares(
    trunk_id: str, revision: int, status: Status, sip_code: int | None, reason: str
) -> None:
    """A gateway without an application to ask has no trunks."""


def _web_application(
    config: Config,
    exchange: Exchange,
    metrics: Metrics,
    trunks: Trunks | None,
    sip: SipLegs | None,
) -> web.Application:
    app = web.Application(middlewares=[rest_errors.as_json], client_max_size=_MAX_FORM)
    sockets = SocketLegs(config, exchange)
    exchange.add_dialler(sockets)

    async def healthz(_request: web.Request) -> web.Response:
        if exchange.stopping:
            return web.json_response({"status": "stopping"}, status=503)
        return web.json_response({"status": "draining" if exchange.draining else "ok"})

    async def prometheus(_request: web.Request) -> web.Response:
        _look_at(sip, metrics)
        text = metrics.render(exchange.by_status(), trunks.by_status() if trunks else {})
        return web.Response(text=text, headers={"Content-Type": "text/plain; version=0.0.4"})

    app.add_routes([web.get("/healthz", healthz), web.get("/metrics", prometheus)])
    app.add_routes(CallsApi(config, exchange, trunks).routes())
    app.add_routes(TrunksApi(config, trunks).routes())
    app.add_routes(OperatorApi(config, exchange, trunks).routes())
    app.add_routes(sockets.routes())
    app.on_shutdown.append(sockets.close)
    return app
