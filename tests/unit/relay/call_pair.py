"""Two calls of one process or of two, with a way between them that the test can cut."""

from __future__ import annotations

from tests.unit.relay.line_scene import Player, follow
from tests.unit.relay.scene import Scene, call

IDS = ("call_1", "call_2")


class Wire:
    """One call's end of the way to the other; it carries at once."""

    def __init__(self, pair: Pair, far: int) -> None:
        self._pair, self._far = pair, far
        self.choked = False
        self.open = True
        self.back: Wire = self
        self.closed: tuple[int, str] | None = None

    def send_ulaw(self, ulaw: bytes, now: float) -> None:
        if self.open:
            self._pair.scenes[self._far].bridge.peer.hear(self.back, ulaw, now)

    def send_key(self, digit: str, now: float) -> None:
        if self.open:
            self._pair.scenes[self._far].bridge.peer.press(self.back, digit, now)

    def close(self, code: int, reason: str) -> None:
        self.closed = code, reason
        if self.open:
            self.open = self.back.open = False
            scene = self._pair.scenes[self._far]
            scene.bridge.peer.gone(self.back, scene.now)


class Pair:
    """The two calls."""

    def __init__(self) -> None:
        self.scenes = [Scene(), Scene()]
        for scene, call_id in zip(self.scenes, IDS, strict=True):
            scene.bridge.update(call("active") | {"call_id": call_id}, None, scene.now)
        self.ears = [Player(scene) for scene in self.scenes]
        self.numbers = [0, 0]
        self.reachable = True
        """False: nobody who looks for the other call finds it."""
        self.wires: dict[int, Wire] = {}
        """The end of the way of each call."""

    def change(self, which: int, mode: str, **members: object) -> None:
        """Change a call's line."""
        self.numbers[which] += 1
        if mode == "bridge":
            members = {"peer": IDS[1 - which], "peer_url": "ws://other", **members}
        follow(self.scenes[which], self.numbers[which], mode, **members)
        self.settle()

    def bridge(self, **members: object) -> None:
        """Bridge the two."""
        for which in (0, 1):
            self.change(which, "bridge", **members)

    def settle(self) -> None:
        """Do what is due and carry out what the calls asked for."""
        for _ in range(3):
            for which, scene in enumerate(self.scenes):
                scene.bridge.tick(scene.now)
                for _ in scene.actions.peers:
                    self._connect(which)
                scene.actions.peers.clear()
                for clip_id in scene.actions.clips:
                    scene.bridge.line.clip_fetched(clip_id, b"\x30" * 800, scene.now)
                scene.actions.clips.clear()

    def _connect(self, which: int) -> None:
        near, far = self.scenes[which], self.scenes[1 - which]
        wanted = near.bridge.peer.expects(IDS[1 - which]) and far.bridge.peer.expects(IDS[which])
        if not (self.reachable and wanted):
            near.bridge.peer.unreached(near.now)
            return
        there, back = Wire(self, 1 - which), Wire(self, which)
        there.back, back.back = back, there
        self.wires = {which: there, 1 - which: back}
        near.bridge.peer.joined(there, IDS[1 - which])
        far.bridge.peer.joined(back, IDS[which])

    def speak(self, which: int, ulaw: bytes) -> None:
        """Let a caller speak."""
        self.scenes[which].bridge.caller_audio(ulaw, self.scenes[which].now)

    def pass_time(self, seconds: float) -> None:
        for ear in self.ears:
            ear.pass_time(seconds)
        self.settle()
