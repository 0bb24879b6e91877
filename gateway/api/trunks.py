"""The HTTP API about trunks, for the application and for operators. Handlers only.

`POST /trunks/{trunk_id}/changed` and `POST /trunks/changed` are the notifications of
docs/contracts.md; `GET /trunks` is for curl. All want the account's SID and token (HTTP Basic), as
the Calls REST API does. No credential is shown.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from gateway.api.errors import RestError, not_found, unauthorised
from gateway.config import Config
from gateway.http import auth
from gateway.trunks.known import State
from gateway.trunks.lease import Lease
from gateway.trunks.registry import Trunks
from gateway.trunks.trunk import TRUNK_ID


class TrunksApi:
    """The three routes. `trunks` is None in a gateway without trunks, `lease` in an only one."""

    def __init__(self, config: Config, trunks: Trunks | None, lease: Lease | None = None) -> None:
        self._lease = lease
        self._config = config
        self._trunks = trunks

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the application's router."""
        return [
            web.post("/trunks/{trunk_id}/changed", self._changed),
            web.post("/trunks/changed", self._divided),
            web.get("/trunks", self._list),
        ]

    async def _changed(self, request: web.Request) -> web.Response:
        trunks = self._allowed(request)
        trunk_id = request.match_info["trunk_id"]
        if not TRUNK_ID.fullmatch(trunk_id):
            raise not_found(request.path)
        trunks.changed(trunk_id)
        return web.Response(status=202)

    async def _divided(self, request: web.Request) -> web.Response:
        trunks = self._allowed(request)
        if self._lease is not None:
            self._lease.renew_now()
        else:
            trunks.divided()
        return web.Response(status=202)

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response({"trunks": [_shown(s) for s in self._allowed(request).states()]})

    def _allowed(self, request: web.Request) -> Trunks:
        if not auth.allowed(self._config, request.headers.get("Authorization")):
            raise unauthorised()
        if self._trunks is None:
            raise RestError(404, 20404, "No trunks here: GATEWAY_CONTROL_URL is not set")
        return self._trunks


def _shown(state: State) -> dict[str, Any]:
    since = datetime.fromtimestamp(state.since, UTC).isoformat(timespec="seconds")
    return {
        "trunk_id": state.trunk_id,
        "revision": state.revision,
        "status": state.status,
        "sip_code": state.sip_code,
        "detail": state.detail,
        "since": since.replace("+00:00", "Z"),
    }
