"""The quality of one call's audio as this relay sees it: gaps, underruns, latency, levels.

Fed with audio and time by the sockets and the play-out; it decides nothing and sends nothing. What
it finds goes to the application (`common/call_facts.py`) and into the counts of the process.
"""

from __future__ import annotations

from common.call_facts import (
    ADDED_LATENCY_MS,
    CLEAR_TO_SILENCE_MS,
    MAX_MARKS,
    MAX_PIECE,
    MAX_STEPS,
    STEP_MS,
    Mark,
    Piece,
    Sums,
    pack,
)
from relay.core.counters import Counters
from relay.core.histogram import Histogram
from relay.core.levels import LevelBand

LATE_S = 0.04
"""Between two messages of the caller's, of 20 ms each: with more, the later one is late."""
GAP_S = 0.1
"""Between two messages of the caller's: with more, it is a gap."""
UNDERRUN_S = 0.03, 1.0
"""Time without audio of the agent's that is an underrun: less is not heard, more is a pause."""
SAMPLE_S = 0.1
"""Least time between two samples of the added latency, for each direction."""
CLEAR_WAIT_S = 5.0
"""Time for which the echo of a mark that was cleared is awaited."""
_NEVER = float("inf")


class CallQuality:
    """The quality of one call. It does nothing before the first stream."""

    __slots__ = (
        "_added",
        "_agent_at",
        "_agent_audio_at",
        "_agent_talks",
        "_agents",
        "_caller",
        "_caller_audio_at",
        "_cleared_at",
        "_clears",
        "_counters",
        "_frames",
        "_gap_ms",
        "_gaps",
        "_heard",
        "_last",
        "_late",
        "_marks",
        "_silence",
        "_step",
        "_streams",
        "_underrun_ms",
        "_underruns",
        "began",
        "sample_agent_at",
        "sample_caller_at",
    )  # fmt: skip

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self.began: float | None = None
        """The time of the first stream."""
        self.sample_caller_at = self.sample_agent_at = _NEVER
        """The times from which on the latency of the next message is to be told."""
        self._caller, self._heard = LevelBand(0.0), LevelBand(0.0)
        self._last = _NEVER
        """The time of the last audio of the caller's."""
        self._step = self._frames = self._late = self._gaps = self._underruns = self._clears = 0
        self._gap_ms = self._underrun_ms = 0.0
        self._streams = self._agents = 0
        self._agent_at: float | None = None
        self._caller_audio_at: float | None = None
        self._agent_audio_at: float | None = None
        self._cleared_at: float | None = None
        self._agent_talks = True
        """False while the caller hears a source or another call."""
        self._added, self._silence = Histogram(ADDED_LATENCY_MS), Histogram(CLEAR_TO_SILENCE_MS)
        self._marks: list[Mark] = []

    # What happens

    def stream_began(self, now: float) -> None:
        """Note that a stream of the provider's is attached."""
        if self.began is None:
            self.began = now
            self._caller, self._heard = LevelBand(now), LevelBand(now)
            self.sample_caller_at = self.sample_agent_at = now
        self._streams += 1
        self._cleared_at = None
        self._heard.cut(now)  # what the older stream had queued is not heard
        self._mark("stream", now)

    def agent_came(self, now: float) -> None:
        """Note that a connection of the agent's is attached."""
        self._agents += 1
        if self._agent_at is None:
            self._agent_at = now
        self._mark("agent", now)

    def caller_spoke(self, ulaw: bytes, now: float) -> None:
        """Take audio that came from the caller. Hot path."""
        self._frames += 1
        if now - self._last > LATE_S:
            self._come_late(now - self._last, now)
        self._last = now
        if now >= self._caller.due:
            if self._caller_audio_at is None:
                self._caller_audio_at = now
            self._caller.add(ulaw, now)

    def played(self, ulaw: bytes | memoryview, empty_at: float, now: float) -> None:
        """Take audio for the caller, before which the queue was empty at `empty_at`. Hot path."""
        if empty_at < now:
            if UNDERRUN_S[0] < now - empty_at <= UNDERRUN_S[1]:
                self._run_empty(empty_at, now)
            empty_at = now
        if empty_at + len(ulaw) / 8000 > self._heard.due:
            if self._agent_audio_at is None and self._agent_talks:
                self._agent_audio_at = empty_at
            self._heard.add(ulaw, empty_at)

    def cut(self, now: float) -> None:
        """Note that what was queued is not heard."""
        self._heard.cut(now)

    def cleared(self, queued_s: float, now: float, *, marks: bool) -> None:
        """Note that the agent cut its own audio, so much of it; `marks`: the provider will echo
        some of it.
        """
        if queued_s <= 0:
            return
        self._clears += 1
        self._mark("clear", now, queued_s * 1000)
        self._cleared_at = now if marks else None

    def mark_came(self, now: float) -> None:
        """Note the echo of a mark: the first one after a `clear` says that it was followed."""
        cleared_at, self._cleared_at = self._cleared_at, None
        if cleared_at is not None and now - cleared_at <= CLEAR_WAIT_S:
            ms = (now - cleared_at) * 1000
            self._silence.add(ms)
            self._counters.clear_to_silence.add(ms)

    def pressed(self, now: float) -> None:
        """Note that the caller pressed a key."""
        self._mark("key", now)

    def switched(self, mode: str, now: float) -> None:
        """Note whom the caller hears from now on: a mode of the line (`relay/core/line.py`)."""
        self._agent_talks = mode == "agent"
        self._mark("talk" if self._agent_talks else mode, now)

    def passed(self, began: float, now: float) -> None:
        """Note how long a message of the caller's took from the socket to the agent's."""
        self.sample_caller_at = now + SAMPLE_S
        self._add_latency((now - began) * 1000)

    def answered(self, began: float, now: float) -> None:
        """Note how long a message of the agent's took from the socket to the caller's."""
        self.sample_agent_at = now + SAMPLE_S
        self._add_latency((now - began) * 1000)

    # What is told

    def sums(self) -> Sums:
        """Return the sums so far."""
        return Sums(
            frames=self._frames,
            late=self._late,
            gaps=self._gaps,
            gap_ms=round(self._gap_ms),
            underruns=self._underruns,
            underrun_ms=round(self._underrun_ms),
            clears=self._clears,
            streams=self._streams,
            agents=self._agents,
            agent_ms=self._since(self._agent_at),
            caller_audio_ms=self._since(self._caller_audio_at),
            agent_audio_ms=self._since(self._agent_audio_at),
            added_latency=tuple(self._added.counts),
            clear_to_silence=tuple(self._silence.counts),
        )

    def take_piece(self, now: float) -> Piece:
        """Return the levels and marks since this was last called, and forget them."""
        step, began = self._step, self.began if self.began is not None else now
        # Pieces are of an even number of levels, as two make a byte.
        until = min(int((now - began) * 1000 / STEP_MS) // 2 * 2, MAX_STEPS)
        if until - step > MAX_PIECE:
            step = until - MAX_PIECE
            self._caller.take(step)
            self._heard.take(step)
        self._step = until = max(step, until)
        marks, self._marks = tuple(self._marks), []
        return Piece(step, pack(self._caller.take(until)), pack(self._heard.take(until)), marks)

    def _come_late(self, seconds: float, now: float) -> None:
        if seconds > GAP_S:
            self._gaps += 1
            self._gap_ms += seconds * 1000
            self._counters.gaps.add(seconds * 1000)
            self._mark("gap", now - seconds, seconds * 1000)
        else:
            self._late += 1

    def _run_empty(self, empty_at: float, now: float) -> None:
        if not self._agent_talks:
            return  # a source or another caller
        self._underruns += 1
        self._underrun_ms += (now - empty_at) * 1000
        self._mark("underrun", empty_at, (now - empty_at) * 1000)

    def _add_latency(self, ms: float) -> None:
        self._added.add(ms)
        self._counters.added_latency.add(ms)

    def _mark(self, kind: str, at: float, ms: float = 0.0) -> None:
        since = self._since(at)
        if since is not None and len(self._marks) < MAX_MARKS:
            self._marks.append(Mark(kind, since, round(ms)))

    def _since(self, at: float | None) -> int | None:
        return None if at is None or self.began is None else round((at - self.began) * 1000)
