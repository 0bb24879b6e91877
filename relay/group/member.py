"""Run one relay process of a group, on the sockets that it shares and on some of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import msgspec

from relay import metrics
from relay.config import Config
from relay.core.counters import Counters
from relay.group.board import Board
from relay.network.connections import Listener, bound, inherited
from runtime.metrics import merged, page

BEAT_S = 0.5
"""Seconds between two documents of a process. One that writes none for a while hangs."""


class News(msgspec.Struct):
    """The document of one process on the board."""

    beat: int
    gauges: dict[str, float]
    counters: dict[str, int]
    page: str
    """Its page for Prometheus."""


@dataclass(frozen=True, slots=True)
class Sockets:
    """The listening sockets of a process: for audio, and for commands."""

    audio: Sequence[Listener]
    door: Sequence[socket.socket] = field(default=())


def join(config: Config) -> tuple[Config, Sockets]:
    """Take the group's sockets, and open those of this process alone, at which other relays reach
    it. Return the settings with their URLs. OSError.
    """
    member = config.member
    if member is None:
        raise ValueError("this relay is no member of a group")
    first = config.private_port + 2 * member.index if config.private_port else 0
    own = bound(config.host, first, Listener)
    audio = [*inherited(member.audio_files), *own]
    made = replace(config, relay_url=_at_port(config.relay_url, own))
    if config.door_port is None:
        return made, Sockets(audio)
    own_door = bound(config.host, first + 1 if first else 0, socket.socket)
    made = replace(made, door_url=_at_port(config.door_url, own_door))
    shared = [socket.socket(fileno=file) for file in member.door_files]
    return made, Sockets(audio, [*shared, *own_door])


def _at_port(url: str, sockets: Sequence[socket.socket]) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition(":")[0] if parts.port else parts.netloc
    return parts._replace(netloc=f"{host}:{sockets[0].getsockname()[1]}").geturl()


class Teller:
    """Tells on the board how this process is, and what all of them have counted."""

    def __init__(self, board: Board, index: int, counters: Counters) -> None:
        self._board, self._index, self._counters = board, index, counters
        self._beat = 0

    async def run(self) -> None:
        """Tell every `BEAT_S` until cancelled."""
        while True:
            self.tell()
            await asyncio.sleep(BEAT_S)

    def tell(self) -> None:
        """Write this process's document."""
        self._beat += 1
        gauges, counters = metrics.sample(self._counters)
        own = metrics.render(self._counters).decode()
        news = News(self._beat, gauges, counters, own)
        try:
            self._board.write(self._index, msgspec.json.encode(news))
        except ValueError:  # a page that is too long must not look like a process that hangs
            news.page = ""
            self._board.write(self._index, msgspec.json.encode(news))

    def render(self) -> bytes:
        """Return the page for Prometheus of all processes, each with the label `process`."""
        self.tell()
        pages = {
            str(place + 1): news.page
            for place in range(self._board.places)
            if (news := read(self._board, place)) is not None
        }
        return page(merged(pages))


def read(board: Board, place: int) -> News | None:
    """Return what a process told last; None if it tells nothing."""
    try:
        return msgspec.json.decode(board.read(place), type=News)
    except msgspec.MsgspecError:
        return None
