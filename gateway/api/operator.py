"""The operator's HTTP API of a running gateway: its status, and draining.

Handlers only; all require the account's SID and token, and no secret is shown.

    GET /status             {"gateway", "draining", "voice_url", "status_url", "calls",
                             "trunks", "application": {"answers", "code"} or null,
                             "sip": {"port", "edge"}, each null if there is none}
    POST, DELETE /drain     no new calls from now on, and new ones again; live ones go on, and
                            the process stays healthy, so that it is not replaced. If there are
                            other gateways, they register the trunks meanwhile
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from gateway.api.errors import unauthorised
from gateway.calls.exchange import Exchange
from gateway.config import Config
from gateway.http import auth
from gateway.trunks.lease import Lease
from gateway.trunks.registry import Trunks


class OperatorApi:
    """The three routes."""

    def __init__(
        self,
        config: Config,
        exchange: Exchange,
        trunks: Trunks | None,
        lease: Lease | None = None,
    ) -> None:
        """`lease` is None in the only gateway."""
        self._lease = lease
        self._config = config
        self._exchange = exchange
        self._trunks = trunks

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the application's router."""
        return [
            web.get("/status", self._status),
            web.post("/drain", self._drain),
            web.delete("/drain", self._open_again),
        ]

    async def _status(self, request: web.Request) -> web.Response:
        self._check(request)
        return web.json_response(self._shown())

    async def _drain(self, request: web.Request) -> web.Response:
        self._check(request)
        self._take_calls(taken=False)
        return web.json_response(self._shown())

    async def _open_again(self, request: web.Request) -> web.Response:
        self._check(request)
        self._take_calls(taken=True)
        return web.json_response(self._shown())

    def _take_calls(self, *, taken: bool) -> None:
        """Take new calls or not; other gateways take the trunks over, or give them back."""
        self._exchange.draining = not taken
        if self._lease is not None:
            self._lease.renew_now()

    def _shown(self) -> dict[str, Any]:
        config, trunks = self._config, self._trunks
        outage = trunks.outage if trunks else None
        return {
            "gateway": config.gateway_id,
            "draining": self._exchange.draining,
            "voice_url": config.voice_url,
            "status_url": config.status_url,
            "calls": dict(self._exchange.by_status()),
            "trunks": dict(trunks.by_status()) if trunks else {},
            "application": trunks and {"answers": outage is None, "code": outage},
            "sip": {"port": config.sip_port or None, "edge": config.sip_edge},
        }

    def _check(self, request: web.Request) -> None:
        if not auth.allowed(self._config, request.headers.get("Authorization")):
            raise unauthorised()
