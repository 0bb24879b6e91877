"""The relay's HTTP server: routing of two kinds of WebSocket, `/healthz`, `/metrics`; draining."""

from __future__ import annotations

import asyncio
import math
import re
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar
from urllib.parse import parse_qs

from picows import (
    WSListener,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from common import media_token
from relay import logs
from relay.config import Config
from relay.core.admission import FULL, Arrival
from relay.core.counters import Counters
from relay.metrics import render
from relay.network import handshake
from relay.network.agent_leg import AgentSocket, RefusedAgent
from relay.network.calls import Calls
from relay.network.connections import BACKLOG, Connections, Listener, bound, current_connection
from relay.network.control import Control
from relay.network.dialler import Dialler
from relay.network.door import Door
from relay.network.handshake import AgentHandshake
from relay.network.leg import MAX_MESSAGE, Leg
from relay.network.peer_leg import PeerSocket, connect_peer
from relay.network.provider_leg import ProviderSocket
from relay.network.relay_pipe import PIPED_HEADER
from relay.network.source import of_request
from relay.network.twilio_agent_leg import TwilioAgentSocket
from relay.protocol.agent import choose_format, choose_if_free

_Answer = WSListener | WSUpgradeResponseWithListener | None
"""The answer to a request, as picows takes it: an upgrade, a response, or None for 404."""
_Leg = TypeVar("_Leg", bound=Leg)

_PROVIDER = re.compile(r"/media/provider/([A-Za-z0-9._~=-]{1,1024})/?")
_AGENT = re.compile(r"/media/agent/([A-Za-z0-9_-]{1,128})")
_PEER = re.compile(r"/media/peer/([A-Za-z0-9_-]{1,128})")
_SIGNATURE, _FORWARDED = "X-Twilio-Signature", "X-Forwarded-For"
_SUBPROTOCOL = "Sec-WebSocket-Protocol"
_PING_S = 20.0
HANDSHAKE_S = 5.0
"""For a whole request, from the connection on."""
_CLOSING_S = 2.0
"""For the last reports, and for legs to answer CLOSE."""


class Relay:
    """One relay: `start` it, then `drain` it."""

    def __init__(
        self,
        config: Config,
        control: Control,
        audio: Sequence[Listener] = (),
        door: Sequence[socket.socket] = (),
    ) -> None:
        """`audio` and `door` are bound sockets to listen on; without them it binds its own."""
        self.counters = Counters()
        self.render: Callable[[], bytes] = lambda: render(self.counters)
        """Returns the page for Prometheus."""
        self._audio = audio
        self._config = config
        dialler = Dialler(allow_private=config.allow_private_agents)
        self._calls = Calls(control, config, self.counters, dialler.dial, connect_peer)
        # Behind a proxy all connections come from its few addresses, and slow clients wait there.
        self._connections = Connections(config.max_connections, per_address=not config.behind_proxy)
        self._servers: list[asyncio.Server] = []
        self._door = Door(config, self._calls, door)

    async def start(self) -> int:
        """Listen. Return the port, which the system chooses if the configured one is 0."""
        listeners = self._audio or bound(self._config.host, self._config.port, Listener)
        port: int = listeners[0].getsockname()[1]
        for listener in listeners:
            listener.connections = self._connections
            server = await ws_create_server(
                self._answer,
                sock=listener,
                backlog=BACKLOG,
                websocket_handshake_timeout=HANDSHAKE_S,
                enable_auto_ping=True,
                enable_auto_pong=False,
                auto_ping_idle_timeout=_PING_S,
                auto_ping_reply_timeout=_PING_S,
                max_frame_size=MAX_MESSAGE,
            )
            self._servers.append(server)
        return port

    async def open_door(self) -> int | None:
        """Listen for commands of the application. Return the port; None: no door is configured."""
        return await self._door.open()

    async def drain(self) -> None:
        """Be unready, let calls end by themselves for `drain_s`, then hand the others over.

        A leg that is closed with 1001 connects to another relay: the provider's by the
        application's after-stream answer, the agent's with the same URL.
        """
        self.counters.draining = True
        logs.info(
            "the relay takes no new calls, and waits for those that it has",
            calls=self.counters.calls,
        )
        with suppress(TimeoutError):
            async with asyncio.timeout(self._config.drain_s):
                await self._calls.empty.wait()
        for server in self._servers:
            server.close()
        # Legs of calls have their time to answer CLOSE, however many they are.
        self._calls.closing.at_once = math.inf
        self._calls.close(1001, "the relay is going away; connect again")
        legs = list(self._calls.legs)
        for leg in legs:
            leg.close(1001, "the relay is going away; connect again")
        # CLOSE frames must be answered, and reports that are under way must arrive.
        gone = [asyncio.ensure_future(leg.transport.wait_disconnected()) for leg in legs]
        if ending := [*gone, *self._calls.tasks]:
            await asyncio.wait(ending, timeout=_CLOSING_S)
        await self._door.close()
        logs.info("the relay stops: its calls are over, or handed on")

    def _answer(self, request: WSUpgradeRequest) -> _Answer:
        # picows sends an exception's text to the client: none may leave here.
        try:
            return self._route(request)
        except Exception:
            logs.exception("routing failed")
            return _response(500, b"internal error\n")

    def _route(self, request: WSUpgradeRequest) -> _Answer:
        path, _, query = request.path.decode("ascii", "replace").partition("?")
        if path == "/healthz":
            draining = self.counters.draining
            return _response(503, b"draining\n") if draining else _response(200, b"ok")
        if path == "/metrics":
            return _response(200, self.render())
        return self._socket(path, query, request) if "upgrade" in request.headers else None

    def _socket(self, path: str, query: str, request: WSUpgradeRequest) -> _Answer:
        if found := _PROVIDER.fullmatch(path):
            return self._provider(found[1], request)
        if found := _AGENT.fullmatch(path):
            values = parse_qs(query, keep_blank_values=True)
            last = {name: given[-1] for name, given in values.items()}
            return self._agent(found[1], last, request)
        if found := _PEER.fullmatch(path):
            peer_id = parse_qs(query).get("from", [""])[-1]
            return self._peer(found[1], peer_id, request)
        return None

    def _peer(self, call_id: str, peer_id: str, request: WSUpgradeRequest) -> _Answer:
        """Let another relay's socket in that brings the other call of a bridge."""
        token = handshake.agent_token(request.headers.get("Authorization", ""), (), {})
        try:
            arrival = self._arrival("peer", token, request)
            if arrival.call_id != call_id:
                raise media_token.BadTokenError("the token is another call's")
        except media_token.BadTokenError as error:
            return self._refuse("peer", 401, "bad_token", str(error))
        bridge = self._calls.held(call_id)
        if bridge is None:
            return self._refuse("peer", 404, "not_here", "this relay does not hold the call")
        if not bridge.peer.expects(peer_id):
            return self._refuse("peer", 409, "not_bridged", "the call has another line")
        refusal = self._calls.admission.refusal_to_open(arrival, time.monotonic())
        if refusal is not None:
            return self._refuse("peer", refusal.status, refusal.code, refusal.why)
        leg = PeerSocket(self._calls, call_id, bridge, peer_id)
        connection = current_connection.get()
        leg.accepted = None if connection is None else (self._connections, connection)
        return leg

    def _provider(self, token: str, request: WSUpgradeRequest) -> _Answer:
        try:
            arrival = self._arrival("provider", token, request)
        except media_token.BadTokenError as error:
            return self._refuse("provider", 401, "bad_token", str(error))
        refusal = self._refusal(arrival)
        if refusal is not None:
            return refusal
        # What the provider signed is the URL it was given, whatever a proxy made of Host.
        url = self._config.public_url + request.path.decode("ascii", "replace")
        leg = ProviderSocket(self._calls, token, url, request.headers.get(_SIGNATURE, ""))
        return self._accept(leg, arrival)

    def _agent(self, call_id: str, query: dict[str, str], request: WSUpgradeRequest) -> _Answer:
        authorization = request.headers.get("Authorization", "")
        subprotocols = handshake.offered(request.headers.getall(_SUBPROTOCOL, []))
        token = handshake.agent_token(authorization, subprotocols, query)
        try:
            arrival = self._arrival("agent", token, request)
            if arrival.call_id != call_id:
                raise media_token.BadTokenError("the token is another call's")
        except media_token.BadTokenError as error:
            return self._refuse("agent", 401, "bad_token", str(error))
        refusal = self._refusal(arrival)
        if refusal is not None:
            return refusal
        leg = self._agent_leg(call_id, token, query)
        if PIPED_HEADER not in request.headers and not isinstance(leg, RefusedAgent):
            leg.handshake = AgentHandshake.of(call_id, token, query)
        self._accept(leg, arrival)
        return _upgraded(leg, subprotocols)

    def _agent_leg(self, call_id: str, token: str, query: dict[str, str]) -> AgentSocket:
        try:
            audio = choose_format(query.get("dialect"), query.get("format"), query.get("rate"))
            if_free = choose_if_free(query.get("if_free"))
        except ValueError as error:
            return RefusedAgent(self._calls, call_id, 4400, str(error))
        if query.get("dialect"):
            leg: AgentSocket = TwilioAgentSocket(self._calls, call_id, token)
        else:
            leg = AgentSocket(self._calls, call_id, token, audio)
        leg.if_free = if_free
        return leg

    def _arrival(self, leg: media_token.Leg, token: str, request: WSUpgradeRequest) -> Arrival:
        """Return the arrival that a good token stands for. BadTokenError."""
        now_s = int(time.time())
        call_id = media_token.read(self._config.control_secret, token, leg, now_s)
        connection = current_connection.get()
        source = of_request(
            "" if connection is None else connection.peer,
            request.headers.getall(_FORWARDED, []),
            behind_proxy=self._config.behind_proxy,
        )
        return Arrival(leg, call_id, source)

    def _refusal(self, arrival: Arrival) -> WSUpgradeResponseWithListener | None:
        """Return the refusal of a socket that may not even wait, or None.

        An agent whose call is here may come back even if the relay drains or is full for others.
        """
        here = arrival.call_id in self._calls
        returns = here and arrival.leg == "agent"
        if self.counters.draining and not returns:
            return _response(503, b"draining\n")
        refusal = self._calls.admission.refusal(arrival, time.monotonic(), here=here)
        if refusal is None and arrival.leg == "agent" and not here:
            refusal = FULL if self._connections.full_for_agents else None
        if refusal is None:
            return None
        return self._refuse(arrival.leg, refusal.status, refusal.code, refusal.why)

    def _refuse(self, leg: str, status: int, code: str, why: str) -> WSUpgradeResponseWithListener:
        """Answer with an error. It is counted, not logged: strangers must not fill the log."""
        self.counters.refused[leg, code] += 1
        return _response(status, f"{why}\n".encode())

    def _accept(self, leg: _Leg, arrival: Arrival) -> _Leg:
        leg.arrival = arrival
        connection = current_connection.get()
        leg.accepted = None if connection is None else (self._connections, connection)
        return leg


def _upgraded(leg: Leg, subprotocols: Sequence[str]) -> _Answer:
    """Accept `leg`, and of the subprotocols our own only: the one that holds a token must not be
    repeated.
    """
    if handshake.SUBPROTOCOL not in subprotocols:
        return leg
    response = WSUpgradeResponse.create_101_response({_SUBPROTOCOL: handshake.SUBPROTOCOL})
    return WSUpgradeResponseWithListener(response, leg)


def _response(status: int, body: bytes) -> WSUpgradeResponseWithListener:
    if status == 200:
        return WSUpgradeResponseWithListener(WSUpgradeResponse.create_ok_response(body), None)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    response = WSUpgradeResponse.create_error_response(status, body, headers)
    return WSUpgradeResponseWithListener(response, None)
