"""The agent of one call: its connection of the moment, and the audio and messages both ways.

Connections of the agent come and go; counts of what it costs, and audio kept for it, stay. The time
is passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any, Literal

from relay.core.agent_channel import AgentMessages, AgentRequests
from relay.core.agent_to_caller import AgentToCaller
from relay.core.caller_to_agent import CallerToAgent
from relay.core.counters import Counters
from relay.core.deadlines import TELL_DROPPED, Deadlines
from relay.core.interfaces import AgentLeg
from relay.core.requests_to_agent import RequestsToAgent
from relay.protocol import pcm
from relay.protocol.agent import AudioFormat, Sids

Why = Literal["hold", "transfer"]

KEPT_KEYS = 256
"""Keys that are kept for an agent that is not there. Marks are as many as can be outstanding."""
TELL_EVERY_S = 1.0
"""Between two messages to the agent about dropped audio."""


class CurrentAgent:
    """The agent's side of one call."""

    def __init__(
        self, counters: Counters, deadlines: Deadlines, hang_up: Callable[[float], None]
    ) -> None:
        """`hang_up(now)` is called when the agent asks to end the call."""
        self._counters, self._deadlines = counters, deadlines
        self.leg: AgentLeg | None = None
        self.ever_started = False
        """True once any connection of the agent has been sent its `start`."""
        self.messages = AgentMessages()
        self.to_caller = AgentToCaller(
            counters, partial(self._count_dropped, "to_caller"), self._warn_of_rate
        )
        self.to_agent = CallerToAgent(counters, partial(self._count_dropped, "to_agent"))
        self.requests = RequestsToAgent(self.messages.request)
        self._handler = AgentRequests(self.to_caller, self.messages, hang_up, self.requests.take)
        self._dropped = Dropped()
        self._warned: AgentLeg | None = None
        """The connection that was warned of a wrong sample rate: each is warned once."""
        self._kept_keys = 0
        self.held: Why | None = None
        """The reason why the caller neither hears the agent nor is heard by it; None: they talk."""
        self._deaf_since = 0.0
        """The time from which the agent's connection has heard nothing, while it is held."""
        self._marks_of = 0
        """Counts the agents: one that does not resume knows nothing of the marks before it."""

    def attach(self, leg: AgentLeg, audio: AudioFormat) -> None:
        """Make `leg` the agent's connection. It gets no audio before `start`."""
        self.requests.lose_agent()
        self.leg = leg
        self.messages.attach(leg)
        if not leg.dialect.resumes:
            self.to_caller.forget_marks()
            self._marks_of += 1
        to_agent, to_caller = pcm.transcoders(audio)
        self.to_agent.attach(to_agent)
        self.to_caller.attach(leg, audio, to_caller)
        if not self.ever_started:
            self._dropped.forget_audio()

    def detach(self) -> None:
        """Have no connection from now on."""
        self.requests.lose_agent()
        self.leg = None
        self.to_agent.detach()
        self.messages.attach(None)
        self._deadlines.cancel(TELL_DROPPED)

    def start(self, call: dict[str, Any], sids: Sids, now: float) -> None:
        """Tell the agent that audio flows, once for each of its connections."""
        if self.leg is None or self.to_agent.listener is not None:
            return
        self.messages.start(call, sids, resumed=self.ever_started)
        self.ever_started = True
        self._kept_keys = 0
        self.tell_dropped(now)
        self.to_agent.begin(self.leg)
        if self.held:
            self._deaf_since = now
            self.messages.held(self.held)
        self.requests.begin(self.leg.dialect)

    def hold(self, why: Why, divert: Callable[[bytes, float], None], now: float) -> None:
        """Take the audio both ways from the agent; `divert(ulaw, now)` gets the caller's."""
        told, self.held = self.held, why
        self.to_caller.held, self.to_agent.diverted = True, divert
        if told is None:
            self.to_agent.forget_audio()
            self._deaf_since = now
        if told != why and self.to_agent.listener is not None:
            self.messages.held(why)

    def unhold(self, now: float) -> None:
        """Give the audio back to the agent."""
        if self.held is None:
            return
        self.held = None
        self.to_caller.held, self.to_agent.diverted = False, None
        self.to_agent.reset()
        if self.to_agent.listener is not None:
            self.messages.unheld(round((now - self._deaf_since) * 1000))

    def handle(self, text: bytes | memoryview, now: float) -> None:
        """Handle a JSON message from the agent."""
        if self.leg is not None:
            started = self.to_agent.listener is not None
            held = self.held is not None
            self._handler.handle(self.leg, text, now, started=started, held=held)

    def pressed(self, digit: str, now: float) -> None:
        """Tell the agent that the caller pressed a key: now, or when it is there."""
        if self.to_agent.listener is None:
            if self._kept_keys >= KEPT_KEYS:
                self._dropped.add_key(now)
                return
            self._kept_keys += 1
        self.to_agent.tell(partial(self.messages.dtmf, digit))

    def passed_mark(self, ours: str) -> None:
        """Tell the agent that playout has reached a mark, as the provider calls it."""
        name = self.to_caller.reached(ours)
        if name is not None:
            self.to_agent.tell(partial(self._mark, self._marks_of, name, played=True))

    def marks_unplayed(self, names: list[str]) -> None:
        """Tell the agent that these marks will not be played."""
        for name in names:
            self.to_agent.tell(partial(self._mark, self._marks_of, name, played=False))

    def _mark(self, marks_of: int, name: str, *, played: bool) -> None:
        """Tell the agent about a mark, unless another agent has set it."""
        if marks_of == self._marks_of:
            self.messages.mark(name, played=played)

    def _warn_of_rate(self, seems: int, rate: int) -> None:
        if self._warned is not self.leg:
            self._warned = self.leg
            self.messages.warning(
                "wrong_rate",
                f"Audio comes {seems / rate:.2f} times as fast as it is played. Is it sampled at "
                f"{seems} Hz? This socket plays {rate} Hz: the caller hears it slow and deep.",
            )

    def tell_dropped(self, now: float) -> None:
        """Tell the agent about the audio and keys that were dropped since it was last told."""
        for direction, why, ms, keys in self._dropped.take(now):
            self.messages.dropped(direction, ms, why, keys)

    def _count_dropped(self, direction: str, why: str, ms: float, now: float) -> None:
        self._counters.dropped[direction, why] += 1
        due = self._dropped.add(direction, why, ms, now)
        if self.to_agent.listener is None:
            return
        if due <= now:
            self.tell_dropped(now)
        else:
            self._deadlines.set(TELL_DROPPED, due)


class Dropped:
    """Sums of what was dropped in one call: audio by direction and reason, and keys of a caller who
    had no agent.
    """

    def __init__(self) -> None:
        self._ms: dict[tuple[str, str], float] = {}
        self._keys = 0
        self._next_at = -inf

    def add(self, direction: str, why: str, ms: float, now: float) -> float:
        """Add `ms` of audio. Return the time at which the agent may be told."""
        key = direction, why
        self._ms[key] = self._ms.get(key, 0.0) + ms
        return max(now, self._next_at)

    def add_key(self, now: float) -> None:
        """Add a key. It is told with the agent's `start`."""
        self._keys += 1
        self.add("to_agent", "no_agent", 0.0, now)

    def take(self, now: float) -> list[tuple[str, str, int, int]]:
        """Return (direction, why, ms, keys) of all sums, and begin new ones."""
        no_agent = "to_agent", "no_agent"
        sums = [
            (*key, round(ms), self._keys if key == no_agent else 0) for key, ms in self._ms.items()
        ]
        if sums:
            self._ms.clear()
            self._keys = 0
            self._next_at = now + TELL_EVERY_S
        return sums

    def forget_audio(self) -> None:
        """Forget the audio of the time before the first agent. Keys are told."""
        self._ms.clear()
        if self._keys:
            self._ms["to_agent", "no_agent"] = 0.0
