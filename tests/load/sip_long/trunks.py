"""The application's list of trunks, as the gateway fetches it (docs/contracts.md)."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

from aiohttp import web

from common import control

_PAGE = 100


class TrunkList:
    """Trunks by id, and what the gateway has reported of each."""

    def __init__(self, secret: str) -> None:
        self.trunks: dict[str, dict[str, Any]] = {}
        self.standing: dict[str, str] = {}
        self._secret = secret

    def add(self, trunk_id: str, **settings: Any) -> None:
        """Add a trunk on loopback."""
        self.trunks[trunk_id] = {
            "trunk_id": trunk_id,
            "revision": 1,
            "host": "127.0.0.1",
            "port": 5060,
            "transport": "udp",
            "username": "alice",
            "password": "s3cret",
            "realm": None,
            "caller_id": None,
        } | settings

    def by_standing(self) -> Counter[str]:
        """Return how many trunks are registered, registering and failed."""
        return Counter(self.standing.values())

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a signed request of the gateway."""
        body = await request.read()
        given = request.headers.get(control.HEADER)
        if not control.verify(self._secret, request.path, body, given, int(time.time())):
            return web.json_response({"code": "bad_signature"}, status=401)
        asked = json.loads(body)
        if request.match_info["what"] == "list":
            return self._list(asked["after"])
        trunk = self.trunks.get(asked["trunk_id"])
        if trunk is None:
            return web.json_response(
                {"code": "trunk_not_found"}, status=404, content_type="application/problem+json"
            )
        if request.match_info["what"] == "fetch":
            return web.json_response({"trunk": trunk})
        self.standing[asked["trunk_id"]] = asked["status"]
        return web.json_response({"revision": trunk["revision"]})

    def _list(self, after: str | None) -> web.Response:
        ids = sorted(each for each in self.trunks if after is None or each > after)
        shown = ids[:_PAGE]
        listed = [{"trunk_id": i, "revision": self.trunks[i]["revision"]} for i in shown]
        return web.json_response(
            {"trunks": listed, "next": shown[-1] if len(ids) > _PAGE else None}
        )
