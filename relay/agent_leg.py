"""The agent's socket: the agent protocol of docs/protocol.md.

Binary messages are audio, text messages JSON; both mean something only once the application has
let the socket in.
"""

from __future__ import annotations

import asyncio

from picows import WSFrame, WSTransport

from relay.bridge import Bridge
from relay.calls import Calls
from relay.control import Answer
from relay.leg import (
    BINARY,
    EARLY_BYTES,
    EARLY_MESSAGE,
    FRAME_COST,
    MAX_MESSAGE,
    Leg,
    now,
)
from relay.pipe import START, Pipe, Way
from relay.ports import Dialect
from relay.wire import agent as protocol
from relay.wire.agent import AudioFormat

EARLY_AUDIO = 4 << 20
"""Bytes of audio that may come too early (two minutes of PCM at 16 kHz); none of it is kept."""

HELD_MESSAGES = EARLY_BYTES // EARLY_MESSAGE
"""Text messages kept while the application thinks about it."""


class AgentSocket(Leg):
    """One connection of an agent."""

    kind = "agent"
    high_water = 64 * 1024
    dialled = False
    """Whether we opened the connection."""

    way: Way | None = None
    """How the agent has come, for another relay; None: it is not to be led to one."""

    def __init__(self, calls: Calls, call_id: str, token: str, audio: AudioFormat) -> None:
        super().__init__(calls)
        self.dialect: Dialect = protocol.Dialect(audio)
        self.call_id = call_id
        self._pipe: Pipe | None = None
        self._token = token
        self._audio = audio
        self._held: list[bytes] = []
        self._unheard = 0
        """Bytes of audio that came too early."""
        self._pause: asyncio.TimerHandle | None = None

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
        elif bridge is None and self._pipe is None and self._only_counted(transport, frame):
            self._unheard += frame.payload_size
        else:
            super().on_ws_frame(transport, frame)

    def _only_counted(self, transport: WSTransport, frame: WSFrame) -> bool:
        """Whether this is audio that came too early: dropped unread, so it may be long. An agent
        that greets as soon as it is connected has made a small mistake, not an attack.
        """
        return (
            frame.msg_type == BINARY  # type: ignore[comparison-overlap]
            and frame.fin
            and not (self._parts or transport.is_close_frame_sent)
            and frame.payload_size <= MAX_MESSAGE
            and self._unheard + frame.payload_size <= EARLY_AUDIO
            and self._early_budget.spend(FRAME_COST, now()) == 0
        )

    async def ask(self) -> Answer:
        """Is the token good for this call?"""
        return await self.calls.control.attach_agent(self.call_id or "", self._token)

    def admitted(self, answer: Answer) -> None:
        """It is."""
        self.join(self.calls.bridge(answer))

    def join(self, bridge: Bridge) -> None:
        """Become the call's agent."""
        if not bridge.agent_joined(self, self._audio, now()):
            return
        self.joined(bridge)
        if self._unheard:
            bridge.agent_early(self._unheard, now())
        held, self._held = self._held, []
        for text in held:
            bridge.agent_text(text, now())

    def pause(self, seconds: float) -> None:
        """Read nothing for so long: whoever sends is held up by TCP."""
        stream = self.transport.underlying_transport
        stream.pause_reading()
        if self._pause is not None:
            self._pause.cancel()
        self._pause = asyncio.get_running_loop().call_later(seconds, stream.resume_reading)

    def on_text(self, text: bytes) -> None:
        """A JSON message."""
        if self.bridge is not None:
            self.bridge.agent_text(text, now())
        elif len(self._held) < HELD_MESSAGES:
            self._held.append(text)
        else:
            self.close(1008, "too many messages before this socket was let in")

    def on_binary(self, payload: bytes) -> None:
        """Audio in fragments, or audio that came too early."""
        if self.bridge is not None:
            self.bridge.agent_audio(payload, now())
        else:
            self._unheard += len(payload)

    # Its call is at another relay

    def lead(self, relay_url: str) -> bool:
        """Lead the agent to the relay that holds its call. False if it came from a relay itself, or
        its dialect does not survive that.
        """
        if self.way is None or self.closing or (self.dialect.started and not self.dialect.resumes):
            return False
        self.bridge = None
        self.calls.waiting.discard(self)
        held, self._held = self._held, []
        self._pipe = Pipe(self, self.way, self.calls.graces.agent_back, held)
        self._pipe.begin(relay_url)
        return True

    def passed_on(self, frame: WSFrame) -> bool:
        """Whether a frame of data was for another relay, and has been sent there."""
        if self._pipe is None or frame.rsv1 or frame.rsv2 or frame.rsv3:
            return False
        return self._pipe.to_owner(frame)

    def come_back(self, answer: Answer) -> None:
        """The call is here by now. Whoever has had its `start` gets no other."""
        self._pipe = None
        if self.dialect.started:
            self._send_text, self.send_text = self.send_text, self._but_for_start
        self.admitted(answer)

    def _but_for_start(self, text: bytes) -> None:
        self.send_text = self._send_text
        if not text.startswith(START):
            self.send_text(text)

    def pause_writing(self) -> None:
        """More than `high_water` bytes wait."""
        super().pause_writing()
        if self._pipe is not None:
            self._pipe.hold_owner(True)

    def resume_writing(self) -> None:
        """The agent has caught up."""
        super().resume_writing()
        if self._pipe is not None:
            self._pipe.hold_owner(False)

    def gone(self) -> None:
        """The socket is gone."""
        if self._pipe is not None:
            self._pipe.end()
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
