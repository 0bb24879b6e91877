"""A small application that checks the relay's signatures and answers as a test tells it to."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from common import control, media_token

SECRET = "control secret"
EXPIRES_S = 4_000_000_000


def agent_token(call_id: str, secret: str = SECRET, expires_s: int = EXPIRES_S) -> str:
    return media_token.issue(secret, call_id, "agent", expires_s)


AGENT_TOKEN = agent_token("call_1")
PROVIDER_TOKEN = media_token.issue(SECRET, "call_1", "provider", EXPIRES_S)


@dataclass
class Late:
    """An attach that is answered later."""

    came: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class FakeApplication:
    """One call, `call_1`, whose provider calls it CA1."""

    state: str = "active"
    end_reason: str | None = None
    url: str = ""
    refuse_reports: str = ""
    """The code with which reports are refused."""
    accepted_reports: frozenset[str] = frozenset()
    """Types of report that are not refused all the same."""
    report_s: float = 0.0
    """Seconds until a report is answered."""
    late: dict[str, Late] = field(default_factory=dict)
    """Leg -> its next attach, which is answered later."""
    ends_in_s: float | None = None
    """The call's remaining duration, from when it is asked for."""
    broken: int = 0
    """Number of posts that are still to be answered 500."""
    attaches: list[dict[str, Any]] = field(default_factory=list)
    reports: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    facts: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    """Reports of the call's quality."""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    """Reports as they came, but for `watch`."""
    agent_whys: list[str] = field(default_factory=list)
    """Reasons that came with a `watch`."""
    agent: dict[str, Any] | None = None
    """The agent that is to be dialled."""
    agent_detail: str | None = None
    """The reason why it was not reached, as another relay has told it."""
    metadata: dict[str, Any] = field(default_factory=dict)
    endings: dict[str, str] = field(default_factory=dict)
    """Type of report that ends the call -> end_reason."""
    owner: tuple[str, str] | None = None
    """Name and URL of the relay that holds the caller's stream; None: any relay may."""
    owns: bool = False
    """True: the relay with the latest stream holds the call, and others are refused."""
    line: dict[str, Any] | None = None
    """The line, as relays are told it."""
    clips: dict[str, bytes] = field(default_factory=dict)
    asked_for: list[str] = field(default_factory=list)
    """Ids of the clips that were asked for."""
    recording: dict[str, Any] | None = None
    """The recording that is wanted."""
    detect: dict[str, Any] | None = None
    """The detection that is wanted."""
    stored: dict[int, bytes] = field(default_factory=dict)
    """Start in ms -> the segment that was put."""
    store: Callable[[], Awaitable[int]] | None = None
    """Returns the status with which the next segment is answered."""
    recordings_over: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Attaches are answered once it is set."""
    stalled: set[str] = field(default_factory=set)
    """Calls whose agents get no answer, until `released` is set."""
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def call(self) -> dict[str, Any]:
        return {
            "call_id": "call_1",
            "state": self.state,
            "end_reason": self.end_reason,
            "direction": "inbound",
            "from": "+33612345678",
            "to": "+15555500103",
            "line": "+15555500103",
            "forwarded_from": None,
            "metadata": self.metadata,
        }

    async def reported(self, *kinds: str) -> str:
        """Wait for a report of one of these types."""
        async with asyncio.timeout(5):
            while (kind := await self.reports.get()) not in kinds:
                pass
        return kind

    def hold(self, leg: str) -> Late:
        """Let the next attach of `leg` wait."""
        self.late[leg] = late = Late()
        return late

    def end(self, reason: str) -> None:
        self.state, self.end_reason = "ended", reason

    async def attach(self, body: dict[str, Any]) -> web.Response:
        self.attaches.append(body)
        late = self.late.pop(body["leg"], None)
        if late is not None:
            late.came.set()
            await late.go_on.wait()
        if body.get("call_id") in self.stalled:
            await self.released.wait()
        await self.gate.wait()
        expected = PROVIDER_TOKEN if body["leg"] == "provider" else AGENT_TOKEN
        if body["token"] != expected:
            return problem(403, "bad_token")
        if self.state not in ("connecting", "ringing", "active"):
            return problem(410, "call_over", self.call())
        if body["leg"] == "provider" and self.state != "active":
            return problem(409, "not_active")
        if self.owns and body["leg"] == "provider":
            self.owner = body["relay"], body["relay_url"]
        if self._elsewhere(body):
            return self.elsewhere()
        return web.json_response(
            {
                "call": self.call(),
                "provider_call_id": "CA1",
                "account_sid": "AC1",
                "agent": self.agent,
                "agent_detail": self.agent_detail,
                "recording": self.recording,
                "detect": self.detect,
                "owner": None,
                "line": self.line,
                "ends_at_ms": self.ends_in_s and int((time.time() + self.ends_in_s) * 1000),
            }
        )

    def _elsewhere(self, body: dict[str, Any]) -> bool:
        return self.owner is not None and self.owner[0] != body["relay"]

    def elsewhere(self) -> web.Response:
        assert self.owner is not None
        return problem(409, "owned_elsewhere", relay_url=self.owner[1])

    async def report(self, body: dict[str, Any]) -> web.Response:
        kind = body["type"]
        if kind != "watch":
            self.bodies.append(body)
        elif "why" in body:
            self.agent_whys.append(body["why"])
        await asyncio.sleep(self.report_s)
        if self._elsewhere(body):
            return self.elsewhere()
        if self.refuse_reports and kind not in self.accepted_reports:
            self.reports.put_nowait(kind)
            return problem(409, self.refuse_reports, self.call())
        if kind in self.endings:
            self.end(self.endings[kind])
        self.reports.put_nowait(kind)
        return web.json_response(self.news() | {"agent": self.agent})

    def news(self) -> dict[str, Any]:
        """Return what the door's `changed` has."""
        told = {"call": self.call(), "ends_at_ms": None}
        return told | {"line": self.line, "recording": self.recording, "detect": self.detect}

    async def clip(self, body: dict[str, Any]) -> web.Response:
        self.asked_for.append(body["clip_id"])
        ulaw = self.clips.get(body["clip_id"])
        if ulaw is None:
            return problem(404, "no_such_clip")
        return web.json_response({"ulaw": base64.b64encode(ulaw).decode(), "name": "a clip"})

    async def record(self, body: dict[str, Any]) -> web.Response:
        if body.get("over"):
            self.recordings_over.put_nowait(body["recording_id"])
            return web.json_response({})
        uploads = {
            str(start): {"url": f"{self.url}/storage/{start}", "headers": {"X-Sealed": "yes"}}
            for start in body["starts_ms"]
        }
        return web.json_response({"uploads": uploads})

    async def put(self, request: web.Request) -> web.Response:
        assert request.headers["X-Sealed"] == "yes"
        status = 200 if self.store is None else await self.store()
        if status == 200:
            self.stored[int(request.match_info["start"])] = await request.read()
        return web.Response(status=status)

    async def take_facts(self, body: dict[str, Any]) -> web.Response:
        self.facts.put_nowait(body)
        return web.json_response({})

    def signed(
        self, handle: Callable[[dict[str, Any]], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def checked(request: web.Request) -> web.Response:
            body = await request.read()
            header = request.headers.get(control.HEADER)
            if not control.verify(SECRET, request.path, body, header, int(time.time())):
                return problem(401, "bad_signature")
            if self.broken:
                self.broken -= 1
                return problem(500, "oops")
            return await handle(json.loads(body))

        return checked

    async def start(self) -> web.AppRunner:
        self.gate.set()
        app = web.Application()
        app.router.add_post("/media/attach", self.signed(self.attach))
        app.router.add_post("/media/report", self.signed(self.report))
        app.router.add_post("/media/clip", self.signed(self.clip))
        app.router.add_post("/media/recording", self.signed(self.record))
        app.router.add_put("/storage/{start}", self.put)
        app.router.add_post("/media/facts", self.signed(self.take_facts))
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner


def problem(
    status: int, code: str, call: dict[str, Any] | None = None, **extra: Any
) -> web.Response:
    body = {"type": "about:blank", "status": status, "code": code, "call": call, **extra}
    return web.json_response(body, status=status, content_type="application/problem+json")
