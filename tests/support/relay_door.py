"""A double of the relays' control door at the edge of the application: it answers signed requests
as docs/contracts.md describes, without a network.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from chalicelib.domain.call import Call, media_moved
from chalicelib.domain.call_transitions import Act
from chalicelib.domain.delivery import Answer
from chalicelib.domain.voice import CallVoice, VoiceSettings
from chalicelib.providers.relay_door import SignedRelayDoor
from chalicelib.services.call.transition import settle
from chalicelib.services.operator import account_admin
from chalicelib.store.call_media import Relay
from common import control
from tests.support.world import MEDIA_SECRET, World

DOOR_URL = "http://door.test:8703"
OWNER_URL = "http://10.0.0.7:8703"

Answering = Callable[[dict[str, Any]], Mapping[str, Any]]


def done(result: Mapping[str, Any]) -> Answering:
    """Answer every request with a result."""
    return lambda _: {"ok": True, "result": result}


def refused(code: str, **more: Any) -> Answering:
    """Answer every request with an error."""
    return lambda _: {
        "ok": False,
        "error": {"code": code, "detail": f"{code} at the relay", **more},
    }


@dataclass
class DoorDouble:
    """The door. `answering` are the answers in order; the last one is repeated. `status` is another
    HTTP status than 200; `down`: nobody answers.
    """

    now_s: Callable[[], int]
    answering: list[Answering] = field(default_factory=lambda: [done({})])
    status: int = 200
    down: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)
    timeouts: list[float] = field(default_factory=list)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer a request; see `Poster`."""
        if self.down:
            return Answer(None, 1, error="connect_failed: Connection refused")
        path = urlsplit(url).path
        if not control.verify(MEDIA_SECRET, path, body, headers.get(control.HEADER), self.now_s()):
            return Answer(401, 1, json.dumps({"code": "bad_signature"}))
        request = {"path": path, **json.loads(body)}
        assert request["id"] not in [each["id"] for each in self.asked]
        self.asked.append(request)
        if self.status != 200:
            return Answer(self.status, 1, "{}")
        answer = self.answering.pop(0) if len(self.answering) > 1 else self.answering[0]
        return Answer(200, 1, json.dumps(answer(request)))

    @property
    def methods(self) -> list[str]:
        """What was asked, in order."""
        return [each["method"] for each in self.asked]


def with_door(world: World) -> DoorDouble:
    """Give the world a door, and its account a place in the beta."""

    def now_s() -> int:
        return world.clock.ms // 1000

    double = DoorDouble(now_s)

    def poster(timeout_s: float) -> DoorDouble:
        double.timeouts.append(timeout_s)
        return double

    door = SignedRelayDoor(
        DOOR_URL, MEDIA_SECRET, poster=poster, now_s=now_s, clock=lambda: world.clock.ms / 1000
    )
    world.deps = replace(world.deps, relay_door=door)
    account_admin.set_hosted_voice(world.deps, world.account_id, True)
    return double


def talking(world: World, voice: str = "hosted", **settings: Any) -> Call:
    """Make an active call whose stream is at a relay with a door."""
    hosted = CallVoice("hosted", VoiceSettings(**settings), "ws://10.0.0.5:8705")
    call = settle(
        world.deps, world.ringing(), Act.ANSWER, voice=hosted if voice == "hosted" else None
    )
    relay = Relay("relay-1", "ws://10.0.0.7:8702", OWNER_URL)
    moved = media_moved(call, relay.name, world.clock.ms)
    world.stores.media.take(call.call_id, relay, world.clock.ms, call.media_expiry, moved)
    return call
