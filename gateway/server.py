"""The process: connects the parts, serves HTTP, and stops in order.

Nothing else is done here. Tests start the gateway with `build`, too.
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from gateway.api.calls import CallsApi
from gateway.api.errors import as_json
from gateway.api.operator import OperatorApi
from gateway.api.trunks import TrunksApi
from gateway.calls.exchange import Exchange
from gateway.calls.live_call import Switch
from gateway.calls.webhooks import Webhooks
from gateway.config import Config
from gateway.http import auth
from gateway.http.listener import MAX_FORM, listen, url_of
from gateway.legs.sip.lookup import Servers
from gateway.legs.sip.sip_legs import SipLegs
from gateway.legs.socket.routes import SocketLegs
from gateway.media.ticker import Ticker
from gateway.telemetry.metrics import Metrics
from gateway.trunks.application import Application, pause_s
from gateway.trunks.host import NoSip, TrunkHost
from gateway.trunks.lease import Lease
from gateway.trunks.registry import Trunks
from gateway.trunks.shed import Shed
from gateway.trunks.ssrf import system_resolver
from gateway.trunks.trunk import Status
from runtime import leash
from runtime.metrics import CONTENT_TYPE
from runtime.periodic_counts import Sample, log_counts

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway."""

    url: str
    exchange: Exchange
    metrics: Metrics
    trunks: Trunks | None
    sip: SipLegs | None
    lease: Lease | None
    _listener: asyncio.Server
    _runner: web.AppRunner
    _session: aiohttp.ClientSession
    _spawn: list[asyncio.Task[None]]
    """Tasks tasks the calls: they keep trunks registered and log counts."""

    async def stop(self) -> None:
        """Refuse new calls, hand the trunks to other gateways, hang up the live calls, send their
        callbacks, close everything."""
        self.exchange.stopping = True
        if self.lease is not None:
            await self.lease.leave()
        await self.exchange.drain()
        for task in self._spawn:
            task.cancel()
        await asyncio.gather(*self._spawn, return_exceptions=True)
        if self.sip is not None:
            await self.sip.stop()
        self._listener.close()
        await self._runner.cleanup()
        await self._session.close()


async def start(config: Config) -> Gateway:
    """Listen on the configured address (port 0: any free one). Raises OSError if it is taken."""
    metrics = Metrics()
    session = aiohttp.ClientSession(
        # Every ringing call sends a request each second, so connections are kept, and enough of
        # them.
        connector=aiohttp.TCPConnector(limit=config.max_calls + 20, keepalive_timeout=30),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=5.0),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("Accept-Encoding",),
    )
    switch = Switch(config, Webhooks(session, config, metrics), Ticker(), metrics)
    exchange = Exchange(switch)
    application = _application(config, session)
    trunks = _trunks(config, application)
    lease = _lease(config, exchange, application, trunks)
    sip = _sip(config, exchange, trunks)
    app = _web_application(config, exchange, metrics, trunks, sip, lease=lease)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        if sip is not None:
            await sip.start()
        listener = await listen(config, runner)
    except OSError:
        if sip is not None:
            await sip.stop()
        await runner.cleanup()
        await session.close()
        raise
    tasks = []
    if application is not None:
        shed = Shed(application, lambda: switch.webhooks.behind)
        exchange.on_shed = shed.counted.count
        tasks.append(asyncio.create_task(shed.run()))
    if trunks is not None:
        host: TrunkHost = sip if sip is not None else NoSip(trunks.on_status)
        tasks.append(asyncio.create_task(trunks.run(host)))
    if lease is not None:
        tasks.append(asyncio.create_task(lease.run()))
    if config.counts:
        tasks.append(
            asyncio.create_task(log_counts(_sampler(exchange, metrics, trunks, sip), config.counts))
        )
    url = url_of(config, listener)
    return Gateway(url, exchange, metrics, trunks, sip, lease, listener, runner, session, tasks)


async def run(config: Config) -> None:
    """Serve until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    gateway = await start(config)
    if config.share is not None:
        leash.hold(stopping)
    log.info("the gateway is ready for calls", extra={"url": gateway.url})
    await stopping.wait()
    log.info("the gateway stops, and ends its calls")
    await gateway.stop()


def _sampler(
    exchange: Exchange, metrics: Metrics, trunks: Trunks | None, sip: SipLegs | None
) -> Sample:
    def sample() -> tuple[Mapping[str, float], Mapping[str, int]]:
        _read_clock(sip, metrics)
        known = trunks.by_status() if trunks is not None else {}
        return metrics.sample(exchange.by_status(), known)

    return sample


def _application(config: Config, session: aiohttp.ClientSession) -> Application | None:
    if config.control_url is None:
        return None
    machine = config.machine if config.api_url is not None else None
    return Application(
        session, config.control_url, config.control_secret, config.gateway_id, machine
    )


def _trunks(config: Config, application: Application | None) -> Trunks | None:
    if application is None:
        return None
    return Trunks(
        application,
        refresh=config.trunk_refresh,
        resolver=None if config.allow_private_trunks else system_resolver,
        share=config.share,
        servers=Servers().addresses,
    )


def _lease(
    config: Config, exchange: Exchange, application: Application | None, trunks: Trunks | None
) -> Lease | None:
    if config.api_url is None or application is None or trunks is None:
        return None
    return Lease(
        application,
        config.api_url,
        draining=lambda: exchange.closed,
        on_division=trunks.divided,
        pause=lambda failures: pause_s(failures, random.random()),  # noqa: S311 - spreads
    )


def _sip(config: Config, exchange: Exchange, trunks: Trunks | None) -> SipLegs | None:
    if not config.sip_port:
        return None
    on_status = trunks.on_status if trunks is not None else _nobody_cares
    sip = SipLegs(config, exchange, on_status)
    exchange.add_dialler(sip)
    return sip


def _read_clock(sip: SipLegs | None, metrics: Metrics) -> None:
    """Read how late the clock of the audio was."""
    if sip is not None:
        metrics.sip_lag_ms = sip.stack.plane.lag().worst


def _nobody_cares(
    trunk_id: str, revision: int, status: Status, sip_code: int | None, reason: str
) -> None:
    """Ignore a trunk's status: a gateway without an application has no trunks."""


def _web_application(  # noqa: PLR0913 - the parts that answer requests
    config: Config,
    exchange: Exchange,
    metrics: Metrics,
    trunks: Trunks | None,
    sip: SipLegs | None,
    *,
    lease: Lease | None,
) -> web.Application:
    app = web.Application(
        middlewares=[auth.note_known_clients(config), as_json], client_max_size=MAX_FORM
    )
    sockets = SocketLegs(config, exchange)
    exchange.add_dialler(sockets)

    sample = _sampler(exchange, metrics, trunks, sip)

    async def healthz(_request: web.Request) -> web.Response:
        if exchange.stopping:
            return web.json_response({"status": "stopping"}, status=503)
        return web.json_response({"status": "draining" if exchange.draining else "ok"})

    async def prometheus(_request: web.Request) -> web.Response:
        _read_clock(sip, metrics)
        page = metrics.render(exchange.by_status(), trunks.by_status() if trunks else {})
        return web.Response(body=page, headers={"Content-Type": CONTENT_TYPE})

    async def counts(_request: web.Request) -> web.Response:
        gauges, counters = sample()
        return web.json_response({"gauges": gauges, "counters": counters})

    app.add_routes([web.get("/healthz", healthz), web.get("/metrics", prometheus)])
    if config.socket is not None:  # only the front reads it
        app.add_routes([web.get("/counts", counts)])
    app.add_routes(CallsApi(config, exchange, trunks).routes())
    app.add_routes(TrunksApi(config, trunks, lease).routes())
    app.add_routes(OperatorApi(config, exchange, trunks, lease).routes())
    app.add_routes(sockets.routes())
    app.on_shutdown.append(sockets.close)
    return app
