"""A call whose line the application changes, and a provider that plays what it is sent."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from common import media_stream
from relay.protocol.line import Line
from tests.unit.relay.scene import Scene

STEP_S = 0.02


class Player:
    """The caller's ear: it plays what the provider was sent in real time, and `clear` stops it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._queue = bytearray()
        self.heard = bytearray()
        self.longest_queue = 0

    @property
    def queued(self) -> bytes:
        """Return what the provider has and has not played."""
        self.read()
        return bytes(self._queue)

    def change_stream(self) -> None:
        """Forget what an older stream had queued."""
        self._queue.clear()

    def read(self) -> None:
        """Take what the provider has been sent since last asked."""
        texts = self._scene.provider.texts
        for text in texts:
            ulaw = media_stream.decode_media(text)
            if ulaw is not None:
                self._queue += ulaw
            elif json.loads(text)["event"] == "clear":
                self._queue.clear()
        texts.clear()
        self.longest_queue = max(self.longest_queue, len(self._queue))

    def pass_time(self, seconds: float) -> bytes:
        """Let the bridge and the playout go on for so long. Return what was heard, silence left
        out.
        """
        before = len(self.heard)
        for _ in range(round(seconds / STEP_S)):
            self.read()
            self.heard += self._queue[:160]
            del self._queue[:160]
            self._scene.now += STEP_S
            self._scene.bridge.tick(self._scene.now)
        self.read()
        return bytes(self.heard[before:])


def line(number: int, mode: str, **members: Any) -> Line:
    """Return a line as the application's JSON gives it."""
    return msgspec.convert({"number": number, "mode": mode, **members}, Line)


def follow(scene: Scene, number: int, mode: str, **members: Any) -> None:
    """Let the application say what the line is."""
    scene.bridge.follow_line(line(number, mode, **members), scene.now)


def hold(scene: Scene, number: int = 1, kind: str = "music", **source: Any) -> None:
    follow(scene, number, "hold", source={"kind": kind, **source})


def resume(scene: Scene, number: int = 2) -> None:
    follow(scene, number, "agent")
