"""A bridge with recording doubles around it, and time that the test advances."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from common import media_stream
from relay.core.bridge import Bridge
from relay.core.counters import Counters
from relay.core.interfaces import AgentAddress, Dialect
from relay.core.recorder import Segment
from relay.core.timeouts import Timeouts
from relay.core.who_answered import Found
from relay.protocol import agent
from relay.protocol.agent import AudioFormat
from relay.protocol.line import Line

MULAW = AudioFormat("mulaw", 8000)
STREAM = "MZ1"


_order = itertools.count(1)


class RecordingLeg:
    """A leg that records what it is sent."""

    def __init__(
        self, dialect: Dialect | None = None, *, dialled: bool = False, if_free: bool = False
    ) -> None:
        self.dialect = dialect or agent.ChamadeDialect(MULAW)
        self.dialled, self.if_free = dialled, if_free
        self.order = next(_order)
        self.choked = False
        self.pauses: list[float] = []
        self.texts: list[bytes] = []
        self.audio: list[bytes] = []
        self.closed: tuple[int, str] | None = None

    def send_text(self, text: bytes) -> None:
        self.texts.append(text)

    def send_audio(self, audio: bytes) -> None:
        self.audio.append(bytes(audio))

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def close(self, code: int, reason: str) -> None:
        self.closed = code, reason

    def pipe_to(self, relay_url: str) -> bool:
        return False

    def said(self, *types: str) -> list[dict[str, Any]]:
        """Return the messages since last asked, of these types (or all)."""
        messages = [json.loads(text) for text in self.texts]
        self.texts.clear()
        return [m for m in messages if not types or m.get("type", m.get("event")) in types]

    def heard(self) -> bytes:
        """Return the mu-law of the media messages since last asked."""
        audio = [media_stream.decode_media(text) for text in self.texts]
        self.texts.clear()
        return b"".join(part for part in audio if part)


@dataclass
class RecordingActions:
    """The actions that a bridge asked for."""

    reports: list[str] = field(default_factory=list)
    whys: list[str | None] = field(default_factory=list)
    told_of_agent: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    dialled: list[AgentAddress] = field(default_factory=list)
    wakes: list[float] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    recordings_over: list[str] = field(default_factory=list)
    forgotten: bool = False
    clips: list[str] = field(default_factory=list)
    peers: list[Line] = field(default_factory=list)
    bridged_lines: list[int] = field(default_factory=list)
    answers: list[Found] = field(default_factory=list)

    def answer_found(self, found: Found) -> None:
        self.answers.append(found)

    def fetch_clip(self, clip_id: str) -> None:
        self.clips.append(clip_id)

    def connect_peer(self, line: Line) -> None:
        self.peers.append(line)

    def bridged(self, number: int) -> None:
        self.bridged_lines.append(number)

    def report(self, kind: str, why: str | None = None) -> None:
        self.reports.append(kind)
        self.whys.append(why)

    def tell_of_agent(self, why: str) -> None:
        self.told_of_agent.append(why)

    def pressed(self, digit: str) -> None:
        self.keys.append(digit)

    def dial(self, agent: AgentAddress) -> None:
        self.dialled.append(agent)

    def recorded(self, segment: Segment) -> None:
        self.segments.append(segment)

    def recording_over(self, recording_id: str) -> None:
        self.recordings_over.append(recording_id)

    def wake_at(self, at: float) -> None:
        self.wakes.append(at)

    def forget(self) -> None:
        self.forgotten = True


class Scene:
    """A bridge, its legs and the time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.spread = 0.5
        self.bytes_a_second = 8000
        self.actions = RecordingActions()
        self.counters = Counters()
        self.bridge = Bridge(self.actions, Timeouts(), self.counters, spread=lambda: self.spread)
        self.agent, self.provider = RecordingLeg(), RecordingLeg()
        self.bridge.update(call("active"), None, self.now)

    def join_agent(self, audio: AudioFormat = MULAW) -> RecordingLeg:
        self.agent = RecordingLeg(agent.ChamadeDialect(audio))
        assert self.bridge.agent_joined(self.agent, audio, self.now)
        return self.agent

    def start_stream(self, *, keys: bool = False) -> RecordingLeg:
        self.provider = RecordingLeg()
        assert self.bridge.provider_started(self.provider, STREAM, self.now, keys=keys)
        return self.provider

    def lose_agent(self) -> None:
        self.bridge.agent_gone(self.agent, self.now)

    def lose_stream(self) -> None:
        self.bridge.provider_gone(self.provider, self.now)

    def send(self, **message: Any) -> None:
        self.bridge.agent_text(json.dumps(message).encode(), self.now)

    def wait(self, seconds: float) -> list[str]:
        """Let time go by in one step. Return what was reported."""
        self.now += seconds
        self.bridge.tick(self.now)
        return self.reports()

    def wait_without_watches(self, seconds: float) -> list[str]:
        """Let time go by. Return what was reported, without `watch`."""
        return [kind for kind in self.wait(seconds) if kind != "watch"]

    def reports(self) -> list[str]:
        said, self.actions.reports = self.actions.reports, []
        return said

    def answer(self, kind: str, state: str = "active", reason: str | None = None) -> None:
        self.bridge.answered(kind, call(state, reason), None, self.now)


def call(state: str, reason: str | None = None) -> dict[str, Any]:
    return {"call_id": "call_1", "state": state, "end_reason": reason, "from": "+331"}
