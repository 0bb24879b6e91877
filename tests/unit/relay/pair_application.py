"""A small application with two calls, `call_1` and `call_2`, that a test bridges."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from common import media_token
from tests.unit.relay.fake_control import EXPIRES_S, SECRET, FakeApplication, problem


def other(call_id: str) -> str:
    return "call_2" if call_id == "call_1" else "call_1"


@dataclass
class PairApplication(FakeApplication):
    """The two calls, each with its owner and its line. `call_1` has the way to `call_2`."""

    owners: dict[str, dict[str, Any]] = field(default_factory=dict)
    lines: dict[str, dict[str, Any]] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    bridged: asyncio.Queue[tuple[str, int]] = field(default_factory=asyncio.Queue)
    """Reports that a call hears the other one, with the number of its line."""
    watches: list[str] = field(default_factory=list)
    """The calls that were asked about."""

    def bridge(self, number: int = 1, agent: str = "leave") -> None:
        """Bridge the two calls."""
        for call_id in ("call_1", "call_2"):
            self.lines[call_id] = {
                "number": number,
                "mode": "bridge",
                "source": None,
                "peer": other(call_id),
                "agent": agent,
            }

    def told(self, call_id: str) -> dict[str, Any]:
        """Return what relays are answered about a call."""
        state = "ended" if call_id in self.ended else "active"
        call = self.call() | {"call_id": call_id, "state": state}
        line = self.lines.get(call_id)
        owner = self.owners.get(other(call_id))
        if call_id == "call_1" and line is not None and line["mode"] == "bridge" and owner:
            token = media_token.issue(SECRET, other(call_id), "peer", EXPIRES_S)
            line = line | {"peer_url": owner["relay_url"], "peer_token": token}
        return {"call": call, "ends_at_ms": None, "line": line}

    async def attach(self, body: dict[str, Any]) -> web.Response:
        call_id = media_token.read(SECRET, body["token"], body["leg"], int(time.time()))
        if call_id in self.ended:
            return problem(410, "call_over", self.told(call_id)["call"])
        if body["leg"] == "provider":
            self.owners[call_id] = body
        elif (owner := self.owners.get(call_id)) and owner["relay"] != body["relay"]:
            return problem(409, "owned_elsewhere", relay_url=owner["relay_url"])
        sids = {"provider_call_id": "CA1", "account_sid": "AC1"}
        return web.json_response(self.told(call_id) | sids)

    async def report(self, body: dict[str, Any]) -> web.Response:
        call_id, kind = body["call_id"], body["type"]
        owner = self.owners.get(call_id)
        if owner is not None and owner["relay"] != body["relay"]:
            return problem(409, "owned_elsewhere", relay_url=owner["relay_url"])
        if kind == "bridged":
            self.bridged.put_nowait((call_id, body["line"]))
        elif kind == "watch":
            self.watches.append(call_id)
        self.reports.put_nowait(f"{call_id} {kind}")
        return web.json_response(self.told(call_id))
