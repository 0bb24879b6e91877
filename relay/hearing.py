"""What the caller says, on its way to the agent: transcoded, and kept while no agent is there.

One object a call; streams and connections of the agent come and go. Sans I/O, like the bridge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from relay.metrics import Counters
from relay.ports import AgentLeg
from relay.speech import ULAW_PER_MS
from relay.wire import pcm
from relay.wire.agent import FRAME_MS

KEPT_MS = 2000
"""How much of what the caller said last waits for an agent that is not there."""
_FRAME = FRAME_MS * ULAW_PER_MS


class Hearing:
    """The direction from caller to agent of one call."""

    def __init__(self, counters: Counters, dropped: Callable[[str, float, float], None]) -> None:
        self._counters = counters
        self._dropped = dropped
        """Told of (why, ms, now)."""
        self.listener: AgentLeg | None = None
        """The agent, once it has had `start`."""
        self._transcode: pcm.Transcoder | None = None
        self._missed = Missed()

    def turn_to(self, transcode: pcm.Transcoder | None) -> None:
        """A new connection of the agent's, and what it is to get: nothing yet."""
        self.listener, self._transcode = None, transcode

    def turn_away(self) -> None:
        """No agent is there (any more)."""
        self.listener = None

    def anew(self) -> None:
        """A new stream from the caller: the filter has heard nothing of it."""
        if self._transcode is not None:
            self._transcode.clear()

    def begin(self, agent: AgentLeg) -> None:
        """The agent has had its `start`. What it missed it gets at once, so that it lags behind no
        longer than it takes to listen; as a fresh socket takes that much, it is not asked for room.
        """
        self.listener = agent
        for ulaw in self._missed.take():
            self._send(agent, ulaw)

    def hear(self, ulaw: bytes, now: float) -> None:
        """mu-law from the caller. Hot path."""
        agent = self.listener
        if agent is None:
            lost = self._missed.keep(ulaw)
            if lost:
                self._dropped("no_agent", lost / ULAW_PER_MS, now)
        elif agent.choked:
            self._dropped("slow_agent", len(ulaw) / ULAW_PER_MS, now)
        else:
            self._send(agent, ulaw)

    def _send(self, agent: AgentLeg, ulaw: bytes) -> None:
        transcode = self._transcode
        self._counters.to_agent += 1
        agent.send_audio(ulaw if transcode is None else transcode(ulaw))


class Missed:
    """The last that the caller said to nobody."""

    def __init__(self) -> None:
        self._ulaw = bytearray()

    def keep(self, ulaw: bytes) -> int:
        """Keep it for later. How many bytes were given up for it, the oldest."""
        kept = self._ulaw
        kept += ulaw
        excess = len(kept) - KEPT_MS * ULAW_PER_MS
        if excess <= 0:
            return 0
        del kept[:excess]
        return excess

    def take(self) -> Iterator[bytes]:
        """All that is kept, in frames as providers send them; nothing is left."""
        kept, self._ulaw = bytes(self._ulaw), bytearray()
        return (kept[at : at + _FRAME] for at in range(0, len(kept), _FRAME))
