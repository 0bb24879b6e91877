"""Doubles of voice hosts at the edge of the application: they answer its requests as
docs/contracts.md describes, without a network.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from chalicelib.domain.delivery import Answer
from chalicelib.providers.voice_hosts import SignedVoiceHosts
from chalicelib.services.operator import account_admin
from common import control
from tests.support.world import World

VOICE_SECRET = "the secret of voice hosts"
SOCKET = "ws://10.0.0.{}:8705"


@dataclass
class HostDouble:
    """One voice host with `capacity` places; `down`: it does not answer."""

    url: str
    capacity: int = 2
    down: bool = False
    voices: tuple[str, ...] = ("amy", "bob")
    languages: tuple[str, ...] = ("en-US", "fr-FR")
    held: dict[str, dict[str, Any]] = field(default_factory=dict)
    released: list[str] = field(default_factory=list)
    meanwhile: Callable[[str], None] | None = None
    """Runs at a reservation, before its answer."""

    def answer(self, path: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Answer a signed request."""
        match path:
            case "/v1/reserve":
                return self._reserve(dict(body))
            case "/v1/release":
                self.released.append(body["call_id"])
                self.held.pop(body["call_id"], None)
                return 200, {}
            case "/v1/voices":
                voices = [
                    {"name": name, "language": "en-US", "engine": "test"} for name in self.voices
                ]
                return 200, {"voices": voices, "languages": list(self.languages)}
        return 404, {"code": "no_such_route"}

    def _reserve(self, wanted: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if wanted["name"] not in (None, *self.voices):
            return 422, {"code": "unknown_voice", "choices": list(self.voices)}
        if wanted["language"] not in (None, *self.languages):
            return 422, {"code": "unknown_language", "choices": list(self.languages)}
        if wanted["call_id"] not in self.held and len(self.held) >= self.capacity:
            return 503, {"code": "busy"}
        self.held[wanted["call_id"]] = wanted
        if self.meanwhile:
            self.meanwhile(wanted["call_id"])
        return 200, {"host": self.url, "url": self.socket, "free": self.capacity - len(self.held)}

    @property
    def socket(self) -> str:
        """The URL at which relays reach it."""
        return SOCKET.format((urlsplit(self.url).port or 0) - 8700)


@dataclass
class HostsPoster:
    """A `Poster` that leads to the doubles; `asked` are the requests in order: (URL, path)."""

    hosts: Mapping[str, HostDouble]
    now_s: Callable[[], int]
    asked: list[tuple[str, str]] = field(default_factory=list)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        parts = urlsplit(url)
        base = f"{parts.scheme}://{parts.netloc}"
        self.asked.append((base, parts.path))
        host = self.hosts[base]
        if host.down:
            return Answer(None, 1, error="connect_failed: Connection refused")
        signed = headers.get(control.HEADER)
        if not control.verify(VOICE_SECRET, parts.path, body, signed, self.now_s()):
            return Answer(401, 1, json.dumps({"code": "bad_signature"}))
        status, content = host.answer(parts.path, json.loads(body))
        return Answer(status, 1, json.dumps(content))


@dataclass
class VoiceHouse:
    """The voice hosts of a world."""

    hosts: list[HostDouble]
    poster: HostsPoster

    @property
    def held(self) -> set[str]:
        """The calls for which places are kept."""
        return {call_id for host in self.hosts for call_id in host.held}

    def go_down(self, *, down: bool = True) -> None:
        """Have no host answer, or all again."""
        for host in self.hosts:
            host.down = down


def with_voice_hosts(world: World, hosts: int = 1, *, beta: bool = True) -> VoiceHouse:
    """Give the world voice hosts; its account takes part in the beta, or does not."""
    doubles = [HostDouble(f"http://voice-{n}.test:{8700 + n}") for n in range(1, hosts + 1)]

    def now_s() -> int:
        return world.clock.ms // 1000

    poster = HostsPoster({host.url: host for host in doubles}, now_s)
    made = SignedVoiceHosts(
        [host.url for host in doubles], VOICE_SECRET, poster=poster, now_s=now_s,
        clock=lambda: world.clock.ms / 1000,
    )  # fmt: skip
    world.deps = replace(world.deps, voice_hosts=made)
    account_admin.set_hosted_voice(world.deps, world.account_id, beta)
    return VoiceHouse(doubles, poster)
