"""Audio from the caller to the agent: transcoded, and kept while no agent is there, with the
messages that belong between it.

One object a call; streams and connections of the agent come and go. The time is passed in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from relay.core.agent_to_caller import ULAW_PER_MS
from relay.core.counters import Counters
from relay.core.interfaces import AgentLeg
from relay.protocol import pcm
from relay.protocol.agent import FRAME_MS

KEPT_MS = 2000
"""Audio that is kept for an agent that is not there: the last two seconds."""
_FRAME = FRAME_MS * ULAW_PER_MS

Message = Callable[[], None]
"""Sends one message to the agent's connection of the moment."""


class CallerToAgent:
    """The direction from caller to agent of one call."""

    def __init__(self, counters: Counters, on_dropped: Callable[[str, float, float], None]) -> None:
        self._counters = counters
        self._on_dropped = on_dropped
        """Called with (why, ms, now)."""
        self.listener: AgentLeg | None = None
        """The agent, once it has been sent its `start`."""
        self._transcode: pcm.Transcoder | None = None
        self._preroll = PrerollBuffer()
        self.diverted: Callable[[bytes, float], None] | None = None
        """(ulaw, now): takes the caller's audio in place of the agent; None: the agent has it."""

    def attach(self, transcode: pcm.Transcoder | None) -> None:
        """Transcode for the agent's new connection, which gets nothing before `begin`."""
        self.listener, self._transcode = None, transcode

    def detach(self) -> None:
        """Keep the audio from now on: no agent is there."""
        self.listener = None

    def reset(self) -> None:
        """Reset the transcoder's filter for a new stream from the caller."""
        if self._transcode is not None:
            self._transcode.clear()

    def begin(self, agent: AgentLeg) -> None:
        """Send to the agent, which has had its `start`, beginning with what was kept.

        What was kept goes out in one burst, so that the agent catches up as fast as it can read.
        A new socket has room for it, so `choked` is not looked at.
        """
        self.listener = agent
        for kept in self._preroll.take():
            if isinstance(kept, bytes):
                self._send(agent, kept)
            else:
                kept()

    def receive(self, ulaw: bytes, now: float) -> None:
        """Send mu-law from the caller to the agent, or keep it. Hot path."""
        if self.diverted is not None:
            self.diverted(ulaw, now)
            return
        agent = self.listener
        if agent is None:
            lost = self._preroll.keep(ulaw)
            if lost:
                self._on_dropped("no_agent", lost / ULAW_PER_MS, now)
        elif agent.choked:
            self._on_dropped("slow_agent", len(ulaw) / ULAW_PER_MS, now)
        else:  # as `_send`, without the call
            transcode = self._transcode
            self._counters.to_agent += 1
            agent.send_audio(ulaw if transcode is None else transcode(ulaw))

    def forget_audio(self) -> None:
        """Forget the audio that was kept: it is not for an agent that comes later."""
        self._preroll.forget_audio()

    def tell(self, message: Message) -> None:
        """Send a message to the agent, or keep it in its place among the audio."""
        if self.listener is None:
            self._preroll.keep_message(message)
        else:
            message()

    def _send(self, agent: AgentLeg, ulaw: bytes) -> None:
        transcode = self._transcode
        self._counters.to_agent += 1
        agent.send_audio(ulaw if transcode is None else transcode(ulaw))


class PrerollBuffer:
    """The last audio of the caller while no agent was there, and the messages of that time."""

    def __init__(self) -> None:
        self._ulaw = bytearray()
        self._dropped = 0
        """Bytes that were dropped since the buffer was empty: the place of the oldest byte kept."""
        self._messages: deque[tuple[int, Message]] = deque()
        """Each message with the number of bytes that came before it."""

    def keep(self, ulaw: bytes) -> int:
        """Keep audio. Return how many bytes of the oldest were dropped for it."""
        kept = self._ulaw
        kept += ulaw
        excess = len(kept) - KEPT_MS * ULAW_PER_MS
        if excess <= 0:
            return 0
        del kept[:excess]
        self._dropped += excess
        return excess

    def keep_message(self, message: Message) -> None:
        """Keep a message behind the audio so far. Callers bound how many there are."""
        self._messages.append((self._dropped + len(self._ulaw), message))

    def forget_audio(self) -> None:
        """Drop the audio. The messages stay."""
        self._dropped += len(self._ulaw)
        self._ulaw.clear()

    def take(self) -> Iterator[bytes | Message]:
        """Empty the buffer. Yield its audio in frames as providers send them, and each message in
        its place: behind the last frame that began before it, or first if its audio was dropped.
        """
        ulaw, messages, place = bytes(self._ulaw), self._messages, self._dropped
        self._ulaw, self._messages, self._dropped = bytearray(), deque(), 0
        for at in range(0, len(ulaw), _FRAME):
            while messages and messages[0][0] <= place + at:
                yield messages.popleft()[1]
            yield ulaw[at : at + _FRAME]
        yield from (message for _, message in messages)
