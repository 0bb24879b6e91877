"""An agent for demonstrations, tests and measurements: plays a clip and keeps what it hears.

Written as any agent's developer would write it: REST by HTTP, audio by `websockets`.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import websockets


class Refused(Exception):
    """The API refused the request; `problem` is the document of its answer."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('code')}: {problem.get('detail')}")
        self.status, self.problem = status, problem


@dataclass(frozen=True)
class Rest:
    """A client of the REST API with one key."""

    url: str
    key: str = field(repr=False)

    async def __call__(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request; return the decoded answer (None for 204). Raises Refused for any
        problem."""
        return await asyncio.to_thread(self.now, method, path, body)

    def now(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request as `__call__` does, blocking."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"X-API-Key": self.key, "Content-Type": "application/json"}
        request = urllib.request.Request(  # noqa: S310 - our own URL
            self.url + path, data=data, method=method, headers=headers
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                raw = answer.read()
        except urllib.error.HTTPError as error:
            raise Refused(error.code, json.loads(error.read() or b"{}")) from None
        return json.loads(raw) if raw else None

    async def wait_for(self, call_id: str, *states: str, within_s: float = 10) -> Any:
        """Wait until a call is in one of `states`; return it. Raises TimeoutError if it is not
        within `within_s` seconds."""
        deadline = time.monotonic() + within_s
        while True:
            call = await self("GET", f"/api/call/{call_id}")
            if call["state"] in states:
                return call
            if time.monotonic() > deadline:
                raise TimeoutError(f"{call_id} is {call['state']}, not {states}")
            await asyncio.sleep(0.05)


@dataclass
class Talk:
    """A conversation on the audio socket. `audio` is the call's `audio` in REST."""

    audio: dict[str, Any]
    query: str = "?format=mulaw"
    heard: bytearray = field(default_factory=bytearray)
    told: list[dict[str, Any]] = field(default_factory=list)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    played: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    socket: Any = None

    async def run(self, clip: bytes) -> None:
        """Play `clip` (in the socket's format) once it starts; listen until the call is over."""
        async with websockets.connect(
            self.audio["url"] + self.query,
            additional_headers={"Authorization": f"Bearer {self.audio['token']}"},
            max_size=1 << 20,
        ) as self.socket:
            async for message in self.socket:
                if isinstance(message, bytes):
                    self.heard += message
                    continue
                told = json.loads(message)
                self.told.append(told)
                if told["type"] == "start":
                    self.started.set()
                    if clip:
                        await self.socket.send(clip)
                        await self.tell(type="mark", name="clip")
                elif told["type"] == "mark" and told["played"]:
                    self.played.set()
        self.stopped.set()

    async def tell(self, **message: Any) -> None:
        """Send a text message."""
        await self.socket.send(json.dumps(message))


async def ringing_on(rest: Rest, number: str) -> str:
    """Wait for the next call that rings on a number; return its id. The events tell of it, as they
    tell any agent."""
    event = await event_of(
        rest,
        lambda event: event["type"] == "call.ringing" and event["data"]["call"]["line"] == number,
    )
    return str(event["call_id"])


async def event_of(rest: Rest, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait for the account's first event for which `wanted` returns true; return it."""
    cursor = ""
    while True:
        news = await rest("GET", f"/api/events?wait=5{cursor}")
        for event in news["events"]:
            if wanted(event):
                return dict(event)
        cursor = f"&after={news['cursor']}"
