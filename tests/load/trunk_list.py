"""The application's list of trunks, as a gateway fetches it (docs/contracts.md)."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from typing import Any

from common import control

PASSWORD = "s3cret"
_PAGE = 100


def trunk_id(serial: int) -> str:
    """Return a well-formed id."""
    return "trunk_" + base64.b32encode(serial.to_bytes(2, "big") + bytes(15)).decode().lower()[:26]


class TrunkList:
    """Trunks by id, and what the gateway has reported of each."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.trunks: dict[str, dict[str, Any]] = {}
        self.standing: dict[str, str] = {}

    def add(self, trunk_id: str, **settings: Any) -> None:
        """Add a trunk on loopback."""
        self.trunks[trunk_id] = {
            "trunk_id": trunk_id,
            "revision": 1,
            "host": "127.0.0.1",
            "port": 5060,
            "transport": "udp",
            "username": "alice",
            "password": PASSWORD,
            "realm": None,
            "caller_id": None,
        } | settings

    def by_standing(self) -> Counter[str]:
        """Return how many trunks are registered, registering and failed."""
        return Counter(self.standing.values())

    def answer(self, path: str, body: bytes, signature: str | None) -> tuple[int, dict[str, Any]]:
        """Answer a signed request of the gateway: status and document."""
        if not control.verify(self.secret, path, body, signature, int(time.time())):
            return 401, {"code": "bad_signature"}
        asked, what = json.loads(body), path.rpartition("/")[2]
        if what == "list":
            return 200, self._list(asked["after"])
        trunk = self.trunks.get(asked["trunk_id"])
        if trunk is None:
            return 404, {"code": "trunk_not_found"}
        if what == "fetch":
            return 200, {"trunk": trunk}
        self.standing[asked["trunk_id"]] = asked["status"]
        return 200, {"revision": trunk["revision"]}

    def _list(self, after: str | None) -> dict[str, Any]:
        ids = sorted(each for each in self.trunks if after is None or each > after)
        shown = ids[:_PAGE]
        listed = [{"trunk_id": i, "revision": self.trunks[i]["revision"]} for i in shown]
        return {"trunks": listed, "next": shown[-1] if len(ids) > _PAGE else None}
