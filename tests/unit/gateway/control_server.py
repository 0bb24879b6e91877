"""The application's side of docs/contracts.md, "Gateway ↔ application: trunks", for real HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from common import control

SECRET = "control-secret-of-the-tests"
PATIENCE = 5.0


def trunk_id(number: int) -> str:
    """A well-formed id."""
    return "trunk_" + base64.b32encode(number.to_bytes(2, "big") + bytes(15)).decode().lower()[:26]


A, B = trunk_id(1), trunk_id(2)


def settings(trunk_id: str = A, **changes: Any) -> dict[str, Any]:
    """A trunk as `fetch` answers it."""
    return {
        "trunk_id": trunk_id,
        "revision": 1,
        "host": "sip.carrier.example",
        "port": 5060,
        "transport": "udp",
        "username": "alice",
        "password": "hush-hush",
        "realm": None,
        "caller_id": None,
    } | changes


@dataclass
class ControlServer:
    """Keeps trunks as a test says; a test waits for what it is asked and told."""

    url: str = ""
    trunks: dict[str, dict[str, Any]] = field(default_factory=dict)
    unlisted: set[str] = field(default_factory=set)
    page: int = 100
    broken: dict[str, list[Any]] = field(default_factory=dict)
    """Answers to the next posts, instead: path -> statuses or problem codes."""
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    reports: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    forged: int = 0
    elsewhere: set[str] = field(default_factory=set)
    """Trunks that are another gateway's."""
    division: str = "first"
    again_ms: int = 60_000
    hold: asyncio.Event | None = None
    """Reports are answered once it is set."""
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def put(self, trunk_id: str = A, **changes: Any) -> None:
        self.trunks[trunk_id] = settings(trunk_id, **changes)

    def paths(self) -> list[str]:
        return [path.rpartition("/")[2] for path, _ in self.requests]

    async def report(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            return await self.reports.get()

    async def until_asked(self, what: str, times: int) -> None:
        """Until so many posts of a kind have come in."""
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(lambda: self.paths().count(what) >= times)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        given = request.headers.get(control.HEADER)
        if not control.verify(SECRET, request.path, body, given, int(time.time())):
            self.forged += 1
            return problem(401, "bad_signature")
        sent = json.loads(body)
        async with self._changed:
            self.requests.append((request.path, sent))
            self._changed.notify_all()
        what = request.path.rpartition("/")[2]
        if self.broken.get(what):
            answer = self.broken[what].pop(0)
            return answer if isinstance(answer, web.StreamResponse) else problem(answer, "")
        if what in ("list", "lease"):
            return self._list(sent["after"]) if what == "list" else self._lease()
        trunk = self.trunks.get(sent["trunk_id"])
        if what == "report":
            self.reports.put_nowait(sent)
            if self.hold is not None:
                await self.hold.wait()
        if trunk is None:
            return problem(404, "trunk_not_found")
        if what == "fetch":
            ours = {"ours": False} if sent["trunk_id"] in self.elsewhere else {}
            return web.json_response({"trunk": trunk, **ours})
        return web.json_response({"revision": trunk["revision"]})

    def _lease(self) -> web.Response:
        return web.json_response({"division": self.division, "again_ms": self.again_ms})

    def _list(self, after: str | None) -> web.Response:
        ids = sorted(set(self.trunks) - self.unlisted)
        ids = [trunk_id for trunk_id in ids if after is None or trunk_id > after]
        shown = ids[: self.page]
        listed = [
            {"trunk_id": i, "revision": self.trunks[i]["revision"], "ours": i not in self.elsewhere}
            for i in shown
        ]
        more = shown[-1] if len(ids) > len(shown) else None
        return web.json_response({"trunks": listed, "next": more})

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[ControlServer]:
        """Listens; may be left and entered again at the same port."""
        app = web.Application()
        app.router.add_post("/gateway/trunks/{what}", self.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port, reuse_address=True)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


def problem(status: int, code: str) -> web.Response:
    document = {"code": code} if code else {}
    return web.json_response(document, status=status, content_type="application/problem+json")
