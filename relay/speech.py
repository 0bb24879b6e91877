"""What the agent says, on its way to the caller: transcoding, cutting, queueing, marks.

One object a call; streams and connections of the agent come and go. Sans I/O, like the bridge.
Audio for which there is no room is dropped before anything else is done with it.
"""

from __future__ import annotations

from collections.abc import Callable

from relay.budget import Budget
from relay.metrics import Counters
from relay.playout import MAX_MESSAGE, Playout
from relay.ports import AgentLeg, ProviderLeg
from relay.wire import pcm, tones
from relay.wire.agent import AudioFormat
from wire import media_stream

ULAW_PER_MS = media_stream.SAMPLE_RATE // 1000
WASTE = 600.0, 10.0
"""Seconds of audio that nobody hears, at once and each second: ten times real time."""


class Speech:
    """The direction from agent to caller of one call."""

    def __init__(self, counters: Counters, dropped: Callable[[str, float, float], None]) -> None:
        self._counters = counters
        self._dropped = dropped
        """Told of (why, ms, now)."""
        self._waste = Budget(*WASTE)
        self._agent: AgentLeg | None = None
        self._playout: Playout | None = None
        self._transcode: pcm.ToCaller | None = None
        self._bytes_per_ms = ULAW_PER_MS

    def hear(self, agent: AgentLeg, audio: AudioFormat, transcode: pcm.ToCaller | None) -> None:
        """A new connection of the agent's, and what it sends."""
        self._agent = agent
        self._bytes_per_ms, self._transcode = audio.bytes_per_ms, transcode

    def begin(self, leg: ProviderLeg, stream_sid: str, *, keys: bool = False) -> list[str]:
        """A new stream to the caller; `keys`: its provider presses keys out of band. The names of
        marks that will not be played."""
        unplayed = self.end()
        if self._transcode is not None:
            self._transcode.skip(0)
        self._playout = Playout(leg, stream_sid, keys=keys)
        return unplayed

    def end(self) -> list[str]:
        """There is no stream (any more). The names of marks that will not be played."""
        playout, self._playout = self._playout, None
        return [] if playout is None else playout.abandon()

    def play(self, audio: bytes | memoryview, now: float) -> None:
        """Binary audio from the agent, any length. Hot path."""
        playout = self._playout
        if playout is None:
            self.skip(len(audio), "no_stream", now)
            return
        why = playout.refuses(now)
        if why is not None:
            self.skip(len(audio), why, now)
            return
        transcode = self._transcode
        ulaw = audio if transcode is None else transcode(audio)
        if len(ulaw) > MAX_MESSAGE:
            self._play_long(playout, ulaw, now)
        elif ulaw:
            self._counters.to_caller += 1
            playout.play(ulaw, now)

    def skip(self, size: int, why: str, now: float) -> None:
        """`size` bytes of the agent's audio are not to be heard."""
        if self._transcode is not None:
            self._transcode.skip(size)
        self._drop(why, size / self._bytes_per_ms, now)

    def tones(self, digits: str, now: float) -> None:
        """Have the far end hear keys."""
        playout = self._playout
        if playout is None:
            self._drop("no_stream", tones.duration_ms(digits), now)
        elif (why := playout.refuses(now)) is not None:
            self._drop(why, tones.duration_ms(digits), now)
        elif playout.keys:
            self._press(playout, digits, now)
        else:
            self._play_long(playout, tones.dtmf(digits), now)

    def mark(self, name: str) -> bool | None:
        """Have playout tell when it gets here. False: too many; None: there is no stream."""
        return None if self._playout is None else self._playout.mark(name)

    def reached(self, echo: str) -> str | None:
        """The agent's name of a mark that the provider echoes; None if cleared or never ours."""
        return None if self._playout is None else self._playout.reached(echo)

    def forget_marks(self) -> None:
        """Nobody is left who set them."""
        if self._playout is not None:
            self._playout.abandon()

    def clear(self, now: float) -> list[str]:
        """Barge-in. The names of marks that will not be played."""
        if self._transcode is not None:
            self._transcode.clear()
        if self._playout is None:
            return []
        self.wasted(self._playout.queued(now), now)
        return self._playout.clear()

    def _press(self, playout: Playout, digits: str, now: float) -> None:
        """Keys out of band take the time of their tones, in silence: nothing is heard over them."""
        for digit in digits:
            if digit != "w":
                playout.press(digit)
            self._play_long(playout, tones.silence(tones.duration_ms(digit)), now)

    def _play_long(self, playout: Playout, ulaw: bytes | memoryview, now: float) -> None:
        """In messages of a second, as many as there is room for."""
        for at in range(0, len(ulaw), MAX_MESSAGE):
            why = playout.refuses(now)
            if why is not None:
                self._drop(why, (len(ulaw) - at) / ULAW_PER_MS, now)
                return
            self._counters.to_caller += 1
            playout.play(ulaw[at : at + MAX_MESSAGE], now)

    def _drop(self, why: str, ms: float, now: float) -> None:
        self._dropped(why, ms, now)
        self.wasted(ms / 1000, now)

    def wasted(self, seconds: float, now: float) -> None:
        """So much was sent for nothing: an agent that never stops doing that is read less often."""
        wait = self._waste.spend(seconds, now)
        if wait and self._agent is not None:
            self._agent.pause(wait)
