"""The relay's control door: the port at which the application commands it about calls at once.

docs/contracts.md specifies it. Nothing depends on the door alone: the application's table has each
call's state, and the relay asks for it now and then.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from aiohttp import web

from common import control
from relay import logs
from relay.config import Config
from relay.core.bridge import Bridge
from relay.core.requests_to_agent import RefusedRequestError
from relay.core.seen_ids import SeenIds
from relay.network.calls import Calls
from relay.network.control import Answer
from relay.network.door_forwarding import HOP_HEADER, Forwarding
from relay.protocol import door_messages
from relay.protocol.agent import Reply
from relay.protocol.door_messages import AgentRequest, Command, Keys, MalformedError
from runtime.strangers import BODY_S, Strangers, note_known

REPLY_S = 3.0
"""Seconds that the door waits for an agent's reply beyond the command's `wait_s`."""
_CLOSING_S = 1.0


class _RefusedPostError(Exception):
    """A post that is no command, was one before, or is one too many."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code = status, code


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The answer to a post, and the name under which it is counted."""

    body: bytes
    answer: str = "ok"
    status: int = 200


class Door:
    """The door of one relay; `open` it, then `close` it. Without a port it stays closed."""

    def __init__(self, config: Config, calls: Calls, sockets: Sequence[socket.socket] = ()) -> None:
        """`sockets` are bound ones to listen on; without them it binds its own."""
        self._config, self._calls, self._sockets = config, calls, sockets
        self._seen = SeenIds()
        self._forwarding = Forwarding(config)
        self._runner: web.AppRunner | None = None
        self._listeners: list[asyncio.Server] = []

    async def open(self) -> int | None:
        """Listen. Return the port, None if there is no door. OSError."""
        if self._config.door_port is None:
            return None
        app = web.Application(client_max_size=door_messages.MAX_BODY)
        app.router.add_get("/healthz", self._tell_health)
        app.router.add_post("/door/call/{call_id:[A-Za-z0-9_-]{1,128}}", self._take)
        # A client that no longer waits for its answer frees the places of its request.
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=_CLOSING_S
        )
        await self._runner.setup()
        await self._forwarding.open()
        server, strangers = self._runner.server, Strangers()
        if server is None:
            raise RuntimeError("the door's server is not set up")
        loop = asyncio.get_running_loop()

        def make() -> asyncio.BaseProtocol:
            return strangers.protocol(server)

        try:
            if not self._sockets:
                host, port = self._config.host, self._config.door_port
                self._listeners.append(await loop.create_server(make, host, port))
            for each in self._sockets:
                self._listeners.append(await loop.create_server(make, sock=each))
        except OSError:
            await self.close()
            raise
        chosen: int = self._listeners[0].sockets[0].getsockname()[1]
        return chosen

    async def close(self) -> None:
        """Listen no more, and give up what is under way."""
        for listener in self._listeners:
            listener.close()
        if self._runner is not None:
            await self._runner.cleanup()
            await self._forwarding.close()

    async def _tell_health(self, _: web.Request) -> web.Response:
        # As the relay's port has it: a balancer gives a relay that drains nothing new.
        if self._calls.counters.draining:
            return web.Response(status=503, text="draining\n")
        return web.Response(text="ok")

    async def _take(self, request: web.Request) -> web.Response:
        call_id, began, method = request.match_info["call_id"], time.monotonic(), ""
        try:
            command = await self._command(call_id, request)
            method = command.method
            forwarded = HOP_HEADER in request.headers
            outcome = await self._outcome(call_id, command, forwarded=forwarded)
        except _RefusedPostError as error:
            outcome = _error(error.code, str(error), error.status)
        self._calls.counters.door[method, outcome.answer] += 1
        if method:
            ms = round((time.monotonic() - began) * 1000)
            logs.info("door", call_id=call_id, method=method, answer=outcome.answer, ms=ms)
        return web.Response(
            body=outcome.body, status=outcome.status, content_type="application/json"
        )

    async def _command(self, call_id: str, request: web.Request) -> Command:
        """Read a command whose signature is good and whose id is new. _RefusedPostError."""
        try:
            async with asyncio.timeout(BODY_S):
                body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            why = f"a command is at most {door_messages.MAX_BODY} bytes"
            raise _RefusedPostError(413, "too_large", why) from None
        except TimeoutError:
            raise _RefusedPostError(408, "too_slow", "the body did not come in time") from None
        signature = request.headers.get(control.HEADER)
        secret, now_s = self._config.control_secret, int(time.time())
        if not control.verify(secret, request.path, body, signature, now_s):
            raise _RefusedPostError(401, "bad_signature", "the signature is wrong or too old")
        note_known(request)
        try:
            command = door_messages.parse(body)
        except MalformedError as error:
            raise _RefusedPostError(400, "malformed", str(error)) from None
        self._remember(call_id, command)
        return command

    def _remember(self, call_id: str, command: Command) -> None:
        """Remember the command's id. _RefusedPostError unless it is new."""
        seen = self._seen.add(command.id, call_id, time.monotonic())
        if seen == "seen":
            raise _RefusedPostError(409, "replayed", "this id has come before; take a new one")
        if seen == "call_full":
            # Not 503: the application takes that for a door that is out of order.
            why = "the call has had too many commands in two minutes; ask less often"
            raise _RefusedPostError(200, "too_many", why)
        if seen == "full":
            raise _RefusedPostError(503, "busy", "too many commands; ask again in a minute")

    async def _outcome(self, call_id: str, command: Command, *, forwarded: bool) -> _Outcome:
        bridge = self._calls.held(call_id)
        try:
            if not forwarded and self._is_elsewhere(bridge, command):
                status, body = await self._forwarding.forward(call_id, command)
                return _Outcome(body, "forwarded", status)
            if bridge is None:
                raise RefusedRequestError("not_here", "this relay does not hold the call")
            return await self._carry_out(call_id, bridge, command)
        except RefusedRequestError as error:
            return _error(error.code, str(error))
        except MalformedError as error:
            raise _RefusedPostError(400, "malformed", str(error)) from None

    def _is_elsewhere(self, bridge: Bridge | None, command: Command) -> bool:
        owner = (command.owner or "").rstrip("/")
        streaming = bridge is not None and bridge.commands.streaming
        return not streaming and owner not in ("", self._config.door_url)

    async def _carry_out(self, call_id: str, bridge: Bridge, command: Command) -> _Outcome:
        """Carry out a command. RefusedRequestError, MalformedError."""
        params = command.params
        if command.method == "request":
            return await self._ask(bridge, command)
        if command.method == "clear":
            bridge.commands.clear(time.monotonic())
        elif command.method == "dtmf":
            digits = door_messages.parse_params(params, Keys).digits
            queued = bridge.commands.press(digits, time.monotonic())
            return _Outcome(door_messages.done(msgspec.Raw(b'{"queued":%d}' % queued)))
        else:
            change = door_messages.parse_params(params, Answer)
            if change.call_id != call_id:
                raise MalformedError("params.call: it is another call")
            self._calls.changed(change)
        return _Outcome(door_messages.done())

    async def _ask(self, bridge: Bridge, command: Command) -> _Outcome:
        """Ask the call's agent, and wait for its reply. RefusedRequestError, MalformedError."""
        asked = door_messages.parse_params(command.params, AgentRequest)
        replied: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def on_reply(reply: Reply) -> None:
            if not replied.done():
                replied.set_result(reply)

        commands = bridge.commands
        commands.ask(command.id, asked.method, asked.params, on_reply)
        try:
            async with asyncio.timeout(command.wait_s + REPLY_S):
                reply = await replied
        except TimeoutError:
            if commands.give_up(command.id):
                raise RefusedRequestError("timeout", "the agent did not reply in time") from None
            why = "the call's agent was not reached in time"
            raise RefusedRequestError("no_agent", why) from None
        finally:
            commands.give_up(command.id)
        if reply.ok:
            return _Outcome(door_messages.done(reply.result))
        # Agents have codes of their own, and a counter should have few labels.
        return _Outcome(door_messages.failed(reply.error or {}), "agent_error")


def _error(code: str, detail: str, status: int = 200) -> _Outcome:
    return _Outcome(door_messages.failed({"code": code, "detail": detail}), code, status)
