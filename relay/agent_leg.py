"""The agent's socket: the agent protocol of docs/protocol.md.

Binary messages are audio, text messages JSON; both mean something only once the application has
let the socket in.
"""

from __future__ import annotations

from picows import WSFrame, WSTransport

from relay.calls import Calls
from relay.control import Answer
from relay.leg import BINARY, Leg, now
from relay.wire.agent import AudioFormat

HELD_MESSAGES = 32
"""Text messages kept while the application thinks about it."""
HELD_BYTES = 64 * 1024


class AgentSocket(Leg):
    """One connection of an agent."""

    kind = "agent"
    high_water = 64 * 1024

    def __init__(self, calls: Calls, call_id: str, token: str, audio: AudioFormat) -> None:
        super().__init__(calls)
        self.call_id = call_id
        self._token = token
        self._audio = audio
        self._held: list[bytes] = []
        self._early = 0

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Audio goes straight to the bridge. Hot path."""
        bridge = self.bridge
        if (
            bridge is not None
            and frame.msg_type == BINARY  # type: ignore[comparison-overlap]
            and frame.fin
            and not (self._parts or transport.is_close_frame_sent)
        ):
            bridge.agent_audio(frame.get_payload_as_memoryview(), now())
        else:
            super().on_ws_frame(transport, frame)

    async def ask(self) -> Answer:
        """Is the token good for this call?"""
        return await self.calls.control.attach_agent(self.call_id or "", self._token)

    def admitted(self, answer: Answer) -> None:
        """It is."""
        self.bridge = self.calls.bridge(answer)
        self.bridge.agent_joined(self, self._audio, now())
        if self._early:
            self.bridge.agent_early(self._early, now())
        held, self._held = self._held, []
        for text in held:
            self.bridge.agent_text(text, now())

    def on_text(self, text: bytes) -> None:
        """A JSON message."""
        if self.bridge is not None:
            self.bridge.agent_text(text, now())
        elif len(self._held) < HELD_MESSAGES and len(text) <= HELD_BYTES // HELD_MESSAGES:
            self._held.append(text)
        else:
            self.close(1008, "too much before start")

    def on_binary(self, payload: bytes) -> None:
        """Audio in fragments, or audio that came too early."""
        if self.bridge is not None:
            self.bridge.agent_audio(payload, now())
        else:
            self._early += len(payload)

    def gone(self) -> None:
        """The socket is gone."""
        if self.bridge is not None:
            self.bridge.agent_gone(self, now())
            self.bridge = None


class RefusedAgent(AgentSocket):
    """An agent whose URL is wrong: let in only to be told why, which HTTP could not do."""

    def __init__(self, calls: Calls, code: int, reason: str) -> None:
        super().__init__(calls, "", "", AudioFormat())
        self._refusal = code, reason

    async def ask(self) -> Answer:
        """Never asks."""
        raise NotImplementedError

    async def _admit(self) -> None:
        self.calls.counters.refused[self.kind, str(self._refusal[0])] += 1
        self.close(*self._refusal)
