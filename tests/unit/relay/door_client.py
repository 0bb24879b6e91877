"""The application's side of a relay's door."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
from websockets.asyncio.client import ClientConnection

from common import control
from tests.unit.relay.chamade_host import ChamadeHost, HostSocket
from tests.unit.relay.fake_control import SECRET, FakeApplication
from tests.unit.relay.stack import Stack, running

PATH = "/door/call/call_1"
_numbers = itertools.count(1)


def command(method: str, **fields: Any) -> dict[str, Any]:
    """Return a command with a new id."""
    id_ = f"req_{next(_numbers):04}{secrets.token_hex(4)}"
    return {"id": id_, "owner": None, "method": method, "params": {}, "wait_s": 5} | fields


def request(text: str = "Hello.", **fields: Any) -> dict[str, Any]:
    """Return a request to the call's agent."""
    return command("request", params={"method": "say", "params": {"text": text}}, **fields)


class DoorStack(Stack):
    """A relay with a door."""

    door_url = ""
    caller: ClientConnection

    async def stream(self) -> ClientConnection:
        """Open the caller's stream, and wait until the relay has the call."""
        caller = await self.provider()
        await until(lambda: self.relay._calls.held("call_1") is not None)
        return caller

    async def post(
        self,
        body: dict[str, Any] | bytes,
        *,
        path: str = PATH,
        signed_path: str = "",
        secret: str = SECRET,
        at_s: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Post a command. Return status and JSON of the answer."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        now_s = int(time.time() if at_s is None else at_s)
        signed = {
            control.HEADER: control.sign(secret, signed_path or path, content, now_s),
            **(headers or {}),
        }
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.door_url + path, data=content, headers=signed) as answer,
        ):
            return answer.status, await answer.json()

    async def send(self, method: str, **fields: Any) -> dict[str, Any]:
        """Post a command that is in order. Return the answer."""
        status, answer = await self.post(command(method, **fields))
        assert status == 200, answer
        return answer


@contextlib.asynccontextmanager
async def with_door(app: FakeApplication, **settings: Any) -> AsyncIterator[DoorStack]:
    """Run a relay with a door."""
    async with running(app, door_port=0, **settings) as plain:
        stack = DoorStack(plain.app, plain.relay, plain.port, plain.closing)
        stack.door_url = f"http://127.0.0.1:{await plain.relay.open_door()}"
        yield stack


async def until(true: Callable[[], bool]) -> None:
    """Wait for what no message tells."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def talking(door: DoorStack, host: ChamadeHost) -> HostSocket:
    """Open the caller's stream, and wait until the host has had its `start`."""
    door.caller = await door.provider()
    socket = await host.socket()
    await socket.next("start")
    return socket
