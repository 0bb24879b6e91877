"""The agent's socket: the agent protocol of docs/protocol.md.

Binary messages are audio, text messages JSON. Until the application has admitted the socket, audio
is dropped and text messages are kept.
"""

from __future__ import annotations

import asyncio

from picows import WSFrame, WSTransport

from relay.core.bridge import Bridge
from relay.core.interfaces import Dialect
from relay.network.calls import Calls
from relay.network.control import Answer
from relay.network.handshake import AgentHandshake
from relay.network.leg import (
    BINARY,
    EARLY_BYTES,
    EARLY_MESSAGE,
    FRAME_COST,
    MAX_MESSAGE,
    Leg,
    now,
)
from relay.network.relay_pipe import START_PREFIXES, Pipe
from relay.protocol.agent import AudioFormat, ChamadeDialect

EARLY_AUDIO = 4 << 20
"""Bytes of audio that may come before admission (two minutes of PCM at 16 kHz); none is kept."""

KEPT_TEXTS = EARLY_BYTES // EARLY_MESSAGE
"""Text messages that are kept until admission."""


class AgentSocket(Leg):
    """One connection of an agent."""

    kind = "agent"
    high_water = 64 * 1024
    dialled = False
    """True if the relay opened the connection."""
    if_free = False
    """True if it wants the call only if no agent is connected."""

    handshake: AgentHandshake | None = None
    """The agent's handshake, to be repeated to another relay; None: the agent must not be piped."""

    def __init__(self, calls: Calls, call_id: str, token: str, audio: AudioFormat) -> None:
        super().__init__(calls)
        self.dialect: Dialect = ChamadeDialect(audio)
        self.call_id = call_id
        self._pipe: Pipe | None = None
        self._token = token
        self._audio = audio
        self._kept_texts: list[bytes] = []
        self._early_audio = 0
        """Bytes of audio that came before admission."""
        self._resume_timer: asyncio.TimerHandle | None = None

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Pass audio straight to the bridge. Hot path."""
        bridge = self.bridge
        if (
            bridge is not None
            and frame.msg_type == BINARY  # type: ignore[comparison-overlap]
            and frame.fin
            and not (self._fragments or transport.is_close_frame_sent)
        ):
            came = now()
            bridge.agent_audio(frame.get_payload_as_bytes(), came)
            if came >= bridge.quality.sample_agent_at:
                bridge.quality.answered(came, now())
        elif bridge is None and self._pipe is None and self._is_early_audio(transport, frame):
            self._early_audio += frame.payload_size
        else:
            super().on_ws_frame(transport, frame)

    def _is_early_audio(self, transport: WSTransport, frame: WSFrame) -> bool:
        """Return whether a frame is audio from before admission, which is dropped unread and so may
        be long: an agent that greets as soon as it is connected makes a mistake, and no attack.
        """
        return (
            frame.msg_type == BINARY  # type: ignore[comparison-overlap]
            and frame.fin
            and not (self._fragments or transport.is_close_frame_sent)
            and frame.payload_size <= MAX_MESSAGE
            and self._early_audio + frame.payload_size <= EARLY_AUDIO
            and self._early_budget.spend(FRAME_COST, now()) == 0
        )

    async def request_admission(self) -> Answer:
        """Ask the application to admit this socket. RefusedError, NoAnswerError."""
        return await self.calls.control.attach_agent(self.call_id or "", self._token)

    def on_admitted(self, answer: Answer) -> None:
        """Join the call: the application has admitted this socket."""
        self.join(self.calls.bridge(answer))

    def join(self, bridge: Bridge) -> None:
        """Become the call's agent, unless the bridge declines."""
        if not bridge.agent_joined(self, self._audio, now()):
            return
        self.on_joined(bridge)
        if self._early_audio:
            bridge.agent_audio_too_early(self._early_audio, now())
        texts, self._kept_texts = self._kept_texts, []
        for text in texts:
            bridge.agent_text(text, now())

    def pause(self, seconds: float) -> None:
        """Stop reading for so long: TCP holds the sender up."""
        stream = self.transport.underlying_transport
        stream.pause_reading()
        if self._resume_timer is not None:
            self._resume_timer.cancel()
        self._resume_timer = asyncio.get_running_loop().call_later(seconds, stream.resume_reading)

    def on_text(self, text: bytes) -> None:
        """Handle a JSON message, or keep it until admission."""
        if self.bridge is not None:
            self.bridge.agent_text(text, now())
        elif len(self._kept_texts) < KEPT_TEXTS:
            self._kept_texts.append(text)
        else:
            self.close(1008, "too many messages before this socket was let in")

    def on_binary(self, payload: bytes) -> None:
        """Handle audio that came in fragments, or before admission."""
        if self.bridge is not None:
            self.bridge.agent_audio(payload, now())
        else:
            self._early_audio += len(payload)

    # Piping to the relay that holds the call

    def pipe_to(self, relay_url: str) -> bool:
        """Pipe the agent to the relay that holds the call.

        Return False if it came from a relay itself, if too many of the call are piped, or if its
        dialect cannot go on with another stream.
        """
        if (
            self.handshake is None
            or self.closing
            or (self.dialect.started and not self.dialect.resumes)
        ):
            return False
        if not self.calls.admission.enter_pipe(self.call_id or ""):
            return False
        self.bridge = None
        self.leave_waiting()
        texts, self._kept_texts = self._kept_texts, []
        self._pipe = Pipe(self, self.handshake, self.calls.timeouts.agent_back, texts)
        self.calls.pipes.setdefault(self.call_id or "", set()).add(self._pipe)
        self._pipe.begin(relay_url)
        return True

    def forward(self, frame: WSFrame) -> bool:
        """Send a frame of data to the call's owner. Return False if the agent is not piped."""
        if self._pipe is None or frame.rsv1 or frame.rsv2 or frame.rsv3:
            return False
        return self._pipe.to_owner(frame)

    def end_pipe(self, answer: Answer) -> None:
        """Join the call, which is here by now. An agent that has had its `start` gets no other."""
        self._leave_pipe()
        if self.dialect.started:
            self._send_text, self.send_text = self.send_text, self._skip_start
        self.on_admitted(answer)

    def _leave_pipe(self) -> None:
        pipe, self._pipe = self._pipe, None
        pipes = self.calls.pipes.get(self.call_id or "", set())
        if pipe is not None:
            pipes.discard(pipe)
        if not pipes:
            self.calls.pipes.pop(self.call_id or "", None)
        self.calls.admission.leave_pipe(self.call_id or "")

    def _skip_start(self, text: bytes) -> None:
        """Send the first text message unless it is a `start`; later ones go out as they are."""
        self.send_text = self._send_text
        # The dialect has encoded another `start` by now; it still knows whether the agent is held.
        again = self.dialect.restarted() if text.startswith(START_PREFIXES) else text
        if again is not None:
            self.send_text(again)

    def pause_writing(self) -> None:
        """Be choked, and have the piped relay's frames wait, too."""
        super().pause_writing()
        if self._pipe is not None:
            self._pipe.pause_owner()

    def resume_writing(self) -> None:
        """Be choked no more: the agent has caught up."""
        super().resume_writing()
        if self._pipe is not None:
            self._pipe.resume_owner()

    def on_gone(self) -> None:
        """Leave the call: the socket is gone."""
        if self._pipe is not None:
            self._pipe.end()
            self._leave_pipe()
        if self.bridge is not None:
            self.bridge.agent_gone(self, now())
            self.bridge = None


class RefusedAgent(AgentSocket):
    """An agent with a good token and a wrong URL: its socket is opened only to be told why."""

    def __init__(self, calls: Calls, call_id: str, code: int, reason: str) -> None:
        super().__init__(calls, call_id, "", AudioFormat())
        self._refusal = code, reason

    async def request_admission(self) -> Answer:
        """Never called."""
        raise NotImplementedError

    async def _admit(self) -> None:
        self.calls.counters.refused[self.kind, str(self._refusal[0])] += 1
        self.close(*self._refusal)
