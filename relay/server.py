"""The relay's port: two kinds of WebSocket, `/healthz`, `/metrics`. Routing and draining only."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from urllib.parse import parse_qs

from picows import (
    WSListener,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from relay import logs
from relay.agent_leg import AgentSocket, RefusedAgent
from relay.calls import Calls
from relay.config import Config
from relay.control import Control
from relay.dialler import Dialler
from relay.leg import MAX_MESSAGE, Leg
from relay.metrics import Counters, exposition
from relay.pipe import LED, Way
from relay.provider_leg import ProviderSocket
from relay.twilio_leg import TwilioSocket
from relay.wire.agent import choose_format

_PROVIDER = re.compile(r"/media/provider/([A-Za-z0-9._~=-]{1,1024})/?")
_AGENT = re.compile(r"/media/agent/([A-Za-z0-9_-]{1,128})")
_SIGNATURE = "X-Twilio-Signature"
_PING_S = 20.0
_HANDSHAKE_S = 5.0
_GOODBYE_S = 2.0


class Relay:
    """One listening relay. `start`, then `drain`."""

    def __init__(self, config: Config, control: Control) -> None:
        self.counters = Counters()
        self._config = config
        dialler = Dialler(allow_private=config.allow_private_agents)
        self._calls = Calls(control, config.graces, self.counters, dialler.dial)
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen. The port, which the system chose if the configured one is 0."""
        self._server = await ws_create_server(
            self._listener,
            self._config.host,
            self._config.port,
            websocket_handshake_timeout=_HANDSHAKE_S,
            enable_auto_ping=True,
            enable_auto_pong=False,
            auto_ping_idle_timeout=_PING_S,
            auto_ping_reply_timeout=_PING_S,
            max_frame_size=MAX_MESSAGE,
        )
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def drain(self) -> None:
        """Be unready, let calls come to their end for `drain_s`, then hand the rest over.

        A leg that is closed with 1001 comes back on another relay: the provider's by the
        application's after-stream answer, the agent's with its same URL.
        """
        self.counters.draining = True
        logs.info("draining", calls=self.counters.calls)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._config.drain_s):
                await self._calls.empty.wait()
        if self._server is not None:
            self._server.close()
        self._calls.shut(1001, "the relay is going away; connect again")
        legs = list(self._calls.legs)
        for leg in legs:
            leg.close(1001, "the relay is going away; connect again")
        # Let the CLOSE frames go out and be answered.
        gone = [asyncio.ensure_future(leg.transport.wait_disconnected()) for leg in legs]
        if gone:
            await asyncio.wait(gone, timeout=_GOODBYE_S)
        logs.info("drained")

    def _listener(
        self, request: WSUpgradeRequest
    ) -> WSListener | WSUpgradeResponseWithListener | None:
        # picows sends an exception's text to whoever is there: none may leave here.
        try:
            return self._route(request)
        except Exception:
            logs.exception("routing failed")
            return _answer(500, b"internal error\n")

    def _route(
        self, request: WSUpgradeRequest
    ) -> WSListener | WSUpgradeResponseWithListener | None:
        draining = self.counters.draining
        path, _, query = request.path.decode("ascii", "replace").partition("?")
        if path == "/healthz":
            return _answer(503, b"draining\n") if draining else _answer(200, b"ok")
        if path == "/metrics":
            return _answer(200, exposition(self.counters))
        leg: Leg | None = None
        if "upgrade" in request.headers:
            if found := _PROVIDER.fullmatch(path):
                leg = self._provider(found[1], request)
            elif found := _AGENT.fullmatch(path):
                # One whose call is still here may come back even now.
                draining = draining and found[1] not in self._calls
                authorization = request.headers.get("Authorization", "")
                led = LED in request.headers
                leg = self._agent(found[1], query, authorization, led=led)
        if leg is None:
            return None
        if draining:
            return _answer(503, b"draining\n")
        # Who comes back to a call that is here finds a door that strangers cannot block.
        reserve = 2 if leg.call_id in self._calls else 1
        if len(self._calls.waiting) >= self._config.max_waiting * reserve:
            self.counters.refused[leg.kind, "busy"] += 1
            return _answer(503, b"too many sockets wait to be let in\n")
        return leg

    def _provider(self, token: str, request: WSUpgradeRequest) -> Leg:
        # What the provider signed is the URL it was given, whatever a proxy made of Host.
        url = self._config.public_url + request.path.decode("ascii")
        return ProviderSocket(self._calls, token, url, request.headers.get(_SIGNATURE, ""))

    def _agent(self, call_id: str, query: str, authorization: str, *, led: bool) -> Leg:
        given = {name: values[-1] for name, values in parse_qs(query).items()}
        scheme, _, bearer = authorization.partition(" ")
        token = bearer.strip() if scheme.lower() == "bearer" else given.get("token", "")
        if not token:
            return RefusedAgent(self._calls, 4401, "no token")
        try:
            audio = choose_format(given.get("dialect"), given.get("format"), given.get("rate"))
        except ValueError as error:
            return RefusedAgent(self._calls, 4400, str(error))
        leg = (
            TwilioSocket(self._calls, call_id, token)
            if given.get("dialect")
            else AgentSocket(self._calls, call_id, token, audio)
        )
        if not led:
            leg.way = Way.of(call_id, token, given)
        return leg


def _answer(status: int, body: bytes) -> WSUpgradeResponseWithListener:
    response = (
        WSUpgradeResponse.create_ok_response(body)
        if status == 200
        else WSUpgradeResponse.create_error_response(status, body)
    )
    return WSUpgradeResponseWithListener(response, None)
