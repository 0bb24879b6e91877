"""Audio from the agent to the caller: transcoding, cutting, queueing, marks.

One object a call; streams and connections of the agent come and go. The time is passed in. Audio
for which there is no room is dropped before anything else is done with it.
"""

from __future__ import annotations

from collections.abc import Callable

from common import media_stream
from common.budget import Budget
from relay.core.counters import Counters
from relay.core.interfaces import AgentLeg, ProviderLeg
from relay.core.playout_estimate import MAX_MESSAGE, Listener, PlayoutEstimate
from relay.core.quality import CallQuality
from relay.core.recorder import Recorder
from relay.protocol import pcm, tones
from relay.protocol.agent import AudioFormat

ULAW_PER_MS = media_stream.SAMPLE_RATE // 1000
RATES = (16000, 22050, 24000, 32000, 44100, 48000)
"""Sample rates that audio may have that comes too fast, in Hz."""
PACE_TOLERANCE = 0.03
UNHEARD = 600.0, 10.0
"""Seconds of audio that may be sent without being heard, at once and each second: ten times real
time."""


class AgentToCaller:
    """The direction from agent to caller of one call."""

    def __init__(
        self,
        counters: Counters,
        on_dropped: Callable[[str, float, float], None],
        on_wrong_rate: Callable[[int, int], None] = lambda *_: None,
    ) -> None:
        self._counters = counters
        self.quality = CallQuality(counters)
        self._on_dropped = on_dropped
        """Called with (why, ms, now)."""
        self._on_wrong_rate = on_wrong_rate
        """Called with the rate that the audio seems to have and that of the socket, in Hz."""
        self._rate = media_stream.SAMPLE_RATE
        self._suspected: int | None = None
        self._unheard = Budget(*UNHEARD)
        self._agent: AgentLeg | None = None
        self._playout: PlayoutEstimate | None = None
        self._transcode: pcm.ToCaller | None = None
        self._bytes_per_ms = ULAW_PER_MS
        self.held = False
        """True while the caller hears something else: the agent's audio goes nowhere."""
        self._recorder: Recorder | None = None

    def record(self, recorder: Recorder | None) -> None:
        """Record what the caller hears from now on; None: record nothing."""
        self._recorder = recorder
        if self._playout is not None:
            self._playout.listener = self._listener()

    def attach(self, agent: AgentLeg, audio: AudioFormat, transcode: pcm.ToCaller | None) -> None:
        """Take audio of this format from the agent's new connection."""
        self._agent = agent
        self._rate, self._suspected = audio.sample_rate, None
        self._bytes_per_ms, self._transcode = audio.bytes_per_ms, transcode

    def begin(self, leg: ProviderLeg, stream_sid: str, *, keys: bool = False) -> list[str]:
        """Play to a new stream; `keys`: its provider presses keys itself. Return the names of the
        older stream's marks, which will not be played.
        """
        unplayed = self.end()
        if self._transcode is not None:
            self._transcode.skip(0)
        self._playout = PlayoutEstimate(
            leg,
            stream_sid,
            keys=keys,
            on_pace=self._check_rate,
            on_played=self.quality.played,
        )
        self._playout.listener = self._listener()
        return unplayed

    def end(self) -> list[str]:
        """Stop playing: there is no stream. Return the names of marks that will not be played."""
        playout, self._playout = self._playout, None
        return [] if playout is None else playout.forget_marks()

    def play(self, audio: bytes | memoryview, now: float) -> None:
        """Play binary audio from the agent, of any length. Hot path."""
        playout = self._playout
        if self.held:
            self._skip(len(audio), now)
            return
        if playout is None:
            self.drop(len(audio), "no_stream", now)
            return
        why = playout.refusal(now)
        if why is not None:
            self.drop(len(audio), why, now)
            return
        transcode = self._transcode
        ulaw = audio if transcode is None else transcode(audio)
        if len(ulaw) > MAX_MESSAGE:
            self._play_long(playout, ulaw, now)
        elif ulaw:
            self._counters.to_caller += 1
            playout.play(ulaw, now)

    def play_ulaw(self, ulaw: bytes, now: float) -> None:
        """Play mu-law that is not the agent's. What there is no room for is left out."""
        playout = self._playout
        if playout is None or playout.refusal(now) is not None:
            return
        if len(ulaw) > MAX_MESSAGE:
            for at in range(0, len(ulaw), MAX_MESSAGE):
                self.play_ulaw(ulaw[at : at + MAX_MESSAGE], now)
        else:
            self._counters.to_caller += 1
            playout.play(ulaw, now)

    def drop(self, size: int, why: str, now: float) -> None:
        """Drop `size` bytes of the agent's audio."""
        if self._transcode is not None:
            self._transcode.skip(size)
        self._drop_ms(why, size / self._bytes_per_ms, now)

    def _skip(self, size: int, now: float) -> None:
        """Leave out what the agent sends while it is held. That is no fault of its own, but it is
        charged: nobody hears it.
        """
        if self._transcode is not None:
            self._transcode.skip(size)
        self.charge(size / self._bytes_per_ms / 1000, now)

    @property
    def streaming(self) -> bool:
        """Return whether there is a stream to play to."""
        return self._playout is not None

    def queued(self, now: float) -> float:
        """Return the seconds of audio that have not been played yet."""
        return 0.0 if self._playout is None else self._playout.queued(now)

    def refusal(self, now: float) -> str | None:
        """Return the reason why nothing can be played, or None."""
        return "no_stream" if self._playout is None else self._playout.refusal(now)

    def press(self, digits: str, now: float) -> None:
        """Press keys: as messages if the provider takes them, or as tones."""
        playout, why = self._playout, self.refusal(now)
        if playout is None or why is not None:
            self._drop_ms(why or "no_stream", tones.duration_ms(digits), now)
        elif playout.keys:
            self._press_by_message(playout, digits, now)
        else:
            self._play_long(playout, tones.dtmf(digits), now)

    def beep(self, now: float) -> None:
        """Play a beep, behind what is queued."""
        if self._playout is not None:
            self._play_long(self._playout, tones.beep(), now)

    def mark(self, name: str) -> bool | None:
        """Set a mark at the end of what is queued. Return False if too many are set, None if there
        is no stream.
        """
        return None if self._playout is None else self._playout.mark(name)

    def reached(self, echo: str) -> str | None:
        """Return the agent's name of a mark that the provider echoes; None if it was cleared or is
        not ours.
        """
        return None if self._playout is None else self._playout.reached(echo)

    def forget_marks(self) -> None:
        """Forget the marks that are set: the agent that set them is gone."""
        if self._playout is not None:
            self._playout.forget_marks()

    def clear(self, now: float, *, by_agent: bool = True) -> list[str]:
        """Empty the queue (barge-in). Return the names of marks that will not be played.
        `by_agent`: the agent wanted it, so that it is charged and its next audio begins a new
        sample.
        """
        if self._transcode is not None:
            self._transcode.clear() if by_agent else self._transcode.skip(0)
        if self._playout is None:
            return []
        if self._recorder is not None:
            self._recorder.cut(now)
        queued = self._playout.queued(now)
        self.quality.cut(now)
        if by_agent:
            self.quality.cleared(queued, now, marks=self._playout.marked)
            self.charge(queued, now)
        return self._playout.clear()

    def charge(self, seconds: float, now: float) -> None:
        """Charge the agent for audio that nobody hears; read it less often if it is too much."""
        wait = self._unheard.spend(seconds, now)
        if wait and self._agent is not None:
            self._agent.pause(wait)

    def _listener(self) -> Listener | None:
        return None if self._recorder is None else self._recorder.plays

    def _check_rate(self, pace: float) -> None:
        """Report a wrong sample rate if audio twice came as much too fast as another rate explains.

        Speech that is sent faster than it is spoken comes at any pace; a live source comes at one.
        """
        rate = next(
            (each for each in RATES if abs(pace * self._rate / each - 1) < PACE_TOLERANCE), None
        )
        if rate is not None and rate == self._suspected:
            self._on_wrong_rate(rate, self._rate)
        self._suspected = rate

    def _press_by_message(self, playout: PlayoutEstimate, digits: str, now: float) -> None:
        """Send keys as messages, each followed by silence for as long as its tone would take."""
        for digit in digits:
            if digit != "w":
                playout.press(digit)
            self._play_long(playout, tones.silence(tones.duration_ms(digit)), now)

    def _play_long(self, playout: PlayoutEstimate, ulaw: bytes | memoryview, now: float) -> None:
        """Play in messages of a second, as many as there is room for."""
        for at in range(0, len(ulaw), MAX_MESSAGE):
            why = playout.refusal(now)
            if why is not None:
                self._drop_ms(why, (len(ulaw) - at) / ULAW_PER_MS, now)
                return
            self._counters.to_caller += 1
            playout.play(ulaw[at : at + MAX_MESSAGE], now)

    def _drop_ms(self, why: str, ms: float, now: float) -> None:
        self._on_dropped(why, ms, now)
        self.charge(ms / 1000, now)
