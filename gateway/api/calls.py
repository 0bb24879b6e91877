"""The Calls REST API, as far as an application needs it: create, fetch, update.

Handlers only: parameters are checked in `params.py`, calls live in `calls/exchange.py`. Built for
twilio-python's client and any other that speaks Twilio's API of 2010-04-01.
Source: https://www.twilio.com/docs/voice/api/call-resource
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace

from aiohttp import web

from gateway.api import params
from gateway.api.errors import RestError, not_found, not_in_progress, unauthorised, unknown_trunk
from gateway.calls.call import Call
from gateway.calls.exchange import Exchange
from gateway.calls.leg import Destination
from gateway.config import Config
from gateway.http import auth
from gateway.sids import new_sid
from gateway.trunks.registry import Trunks
from runtime.strangers import BODY_S

_ROOT = "/2010-04-01/Accounts/{account_sid}"

log = logging.getLogger(__name__)


class CallsApi:
    """The three routes."""

    def __init__(self, config: Config, exchange: Exchange, trunks: Trunks | None = None) -> None:
        self._config = config
        self._exchange = exchange
        self._trunks = trunks

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the application's router."""
        return [
            web.post(_ROOT + "/Calls.json", self._create),
            web.get(_ROOT + "/Calls/{sid}.json", self._fetch),
            web.post(_ROOT + "/Calls/{sid}.json", self._update),
        ]

    async def _create(self, request: web.Request) -> web.Response:
        self._check(request)
        asked = params.create(await _form(request))
        if self._exchange.closed:
            raise RestError(503, 20503, "The gateway takes no more calls")
        if self._exchange.full:
            raise RestError(429, 20429, "Too many calls at once")
        destination = self._usable(asked.destination)
        call = Call(
            sid=new_sid("CA", self._config.process, self._config.tag),
            account_sid=self._config.account_sid,
            to=destination.to,
            from_=destination.from_,
            direction="outbound-api",
            created_at=time.time(),
            trunk_id=destination.trunk_id,
        )
        if asked.plan.status_url and not asked.plan.events:
            log.warning(
                "an unknown StatusCallbackEvent: no status callbacks will be sent",
                extra={"call_sid": call.sid, "error_code": 21626},
            )
        self._exchange.dial(call, asked.plan, destination)
        return web.json_response(call.as_json(), status=201)

    def _usable(self, destination: Destination) -> Destination:
        """Return the destination with the routes whose trunks are known and not full.

        Raises RestError if a trunk is wanted and none is left.
        """
        ways = destination.ways
        if not ways:
            return destination
        free = [each for each in ways if not self._exchange.trunk_full(each.trunk_id)]
        if not free:
            raise RestError(429, 20429, "Too many calls of this trunk at once")
        known = [each for each in free if self._trunks and self._trunks.get(each.trunk_id)]
        if not known:
            raise unknown_trunk(free[0].trunk_id)
        return replace(destination, trunk_id=known[0].trunk_id, routes=tuple(known))

    async def _fetch(self, request: web.Request) -> web.Response:
        self._check(request)
        return web.json_response(self._find(request).as_json())

    async def _update(self, request: web.Request) -> web.Response:
        self._check(request)
        call = self._find(request)
        asked = params.update(await _form(request))
        live = self._exchange.live(call.sid)
        if live is None:
            raise not_in_progress()
        if asked.status is not None:
            # `canceled` affects only calls that nobody has answered.
            if asked.status == "completed" or not call.answered:
                live.clear()
        elif asked.refer is not None:
            if not live.refer(asked.refer):
                raise not_in_progress("Only an answered SIP call can be referred, once at a time")
        elif asked.program is not None:
            if not call.answered and not self._redirectable(call):
                raise not_in_progress()
            live.redirect(asked.program)
        return web.json_response(call.as_json())

    def _redirectable(self, call: Call) -> bool:
        return call.direction == "inbound" and self._config.redirect_ringing_works

    def _check(self, request: web.Request) -> None:
        if not auth.allowed(self._config, request.headers.get("Authorization")):
            raise unauthorised()
        if request.match_info["account_sid"] != self._config.account_sid:
            raise not_found(request.path)

    def _find(self, request: web.Request) -> Call:
        call = self._exchange.find(request.match_info["sid"])
        if call is None:
            raise not_found(request.path)
        return call


async def _form(request: web.Request) -> params.Form:
    try:
        async with asyncio.timeout(BODY_S):
            fields = await request.post()
    except TimeoutError:
        raise RestError(408, 20001, f"The form was not there within {BODY_S:g} s") from None
    if any(not isinstance(value, str) for value in fields.values()):
        raise RestError(400, 20001, "Send form fields, not files")
    return fields  # type: ignore[return-value]
