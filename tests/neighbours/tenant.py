"""A tenant whose calls are measured: it hears of them by long poll and webhook, accepts, talks.

Both ends speak a tone all the time, so a gap in the sound that one end hears shows that sound was
late or lost on the way to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import websockets
from aiohttp import web

from common import g711
from gateway.softphone.call import PhoneCall, is_silent
from tests.support.running import Live

FRAME_BYTES = 160
"""Bytes of a frame: 20 ms of mu-law."""
WITHIN_S = 30.0
"""Seconds that each step of a call may take before the measurement gives up."""

_SECOND = np.arange(8000)
TONE = g711.encode((8000 * np.sin(2 * np.pi * 400 * _SECOND / 8000)).astype("<i2").tobytes())
"""One second of 400 Hz: every frame of it is the same, and loud."""


@dataclass(frozen=True)
class Figures:
    """The figures of a call, in ms: from placing it until the owner heard of it, from the accept
    until the caller heard the agent, and the longest time without sound at either end.
    """

    ring_to_event: float
    ring_to_webhook: float
    accept_to_audio: float
    caller_gap: float
    agent_gap: float


@dataclass
class Agent:
    """An agent's socket that speaks the tone and notes when sound comes in (monotonic s)."""

    audio: dict[str, Any]
    heard_at: list[float] = field(default_factory=list)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Talk until the call is over."""
        async with websockets.connect(
            self.audio["url"] + "?format=mulaw",
            additional_headers={"Authorization": f"Bearer {self.audio['token']}"},
        ) as socket:
            speaking = asyncio.create_task(self._speak(socket))
            try:
                async for message in socket:
                    self._take(message)
            finally:
                speaking.cancel()
                self.stopped.set()

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self.heard_at.append(time.monotonic())
        elif json.loads(message)["type"] == "start":
            self.started.set()

    async def _speak(self, socket: Any) -> None:
        """Keep one to two seconds of the tone queued at the relay."""
        await self.started.wait()
        await socket.send(TONE)
        while True:
            await socket.send(TONE)
            await asyncio.sleep(1)


class Tenant:
    """An account with a number, whose events are read by long poll and by a webhook endpoint."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self._events: dict[str, float] = {}
        self._posts: dict[str, float] = {}
        self._ids: dict[str, str] = {}
        self._news = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Tenant]:
        """Read events and take webhooks meanwhile."""
        runner = web.AppRunner(self._receiver())
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        url = f"http://127.0.0.1:{port}/hook"
        wanted = {"url": url, "events": ["call.ringing"]}
        endpoint = (await self.live.rest("POST", "/api/webhooks", wanted))["endpoint_id"]
        cursor = (await self.live.rest("GET", "/api/events?after=latest"))["cursor"]
        reading = asyncio.create_task(self._read(cursor))
        try:
            yield self
        finally:
            reading.cancel()
            await self.live.rest("DELETE", f"/api/webhooks/{endpoint}")
            await runner.cleanup()

    async def measure(self, talk_s: float) -> Figures:
        """Place a call, accept it, talk, hang up."""
        phone = self.live.phone()
        placed = time.monotonic()
        call = await phone.place_call(self.live.number, from_=next_caller())
        try:
            event, post, call_id = await self._told(call)
            accepting = time.monotonic()
            accepted = await self.live.rest("POST", f"/api/call/{call_id}/accept")
            agent = Agent(accepted["audio"])
            running = asyncio.create_task(agent.run())
            speaking = asyncio.create_task(speak(call))
            async with asyncio.timeout(WITHIN_S):
                while (first := call.first_audio()) is None:
                    await call.wait_frames(len(call.received) + 1)
            started_at = time.monotonic()
            await asyncio.sleep(talk_s)
            ended = time.monotonic()
        finally:
            call.hangup()
        async with asyncio.timeout(WITHIN_S):
            await call.ended.wait()
            await running
        speaking.cancel()
        loud = [frame.at for frame in call.received if not is_silent(frame.frame)]
        return Figures(
            ring_to_event=1000 * (event - placed),
            ring_to_webhook=1000 * (post - placed),
            accept_to_audio=1000 * (first.at - accepting),
            caller_gap=longest_gap_ms(loud, started_at, ended),
            agent_gap=longest_gap_ms(agent.heard_at, started_at, ended),
        )

    async def _told(self, call: PhoneCall) -> tuple[float, float, str]:
        """Wait for event and webhook of the ringing call; return when they came, and its id."""
        async with asyncio.timeout(WITHIN_S), self._news:
            await self._news.wait_for(
                lambda: call.from_ in self._events and call.from_ in self._posts
            )
        return self._events[call.from_], self._posts[call.from_], self._ids[call.from_]

    async def _read(self, cursor: str) -> None:
        while True:
            news = await self.live.rest("GET", f"/api/events?wait=20&after={cursor}")
            cursor = news["cursor"]
            for event in news["events"]:
                if event["type"] == "call.ringing":
                    await self._note(self._events, event)

    def _receiver(self) -> web.Application:
        async def take(request: web.Request) -> web.Response:
            await self._note(self._posts, await request.json())
            return web.Response(status=204)

        receiver = web.Application()
        receiver.router.add_post("/hook", take)
        return receiver

    async def _note(self, where: dict[str, float], event: dict[str, Any]) -> None:
        async with self._news:
            caller = event["data"]["call"]["from"]
            where.setdefault(caller, time.monotonic())
            self._ids[caller] = event["call_id"]
            self._news.notify_all()


def longest_gap_ms(times: list[float], begin: float, end: float) -> float:
    """Return the longest time without sound between `begin` and `end`."""
    inside = [at for at in times if begin <= at <= end]
    edges = [begin, *inside, end]
    return 1000 * max(later - earlier for earlier, later in itertools.pairwise(edges))


_serial = 0


def next_caller() -> str:
    """Return a caller's number that no other call has."""
    global _serial  # noqa: PLW0603 - numbers of one process
    _serial += 1
    return f"+3362{_serial:08d}"


async def speak(call: PhoneCall) -> None:
    """Speak the tone until the call is over."""
    while not call.ended.is_set():
        await call.play(TONE)
