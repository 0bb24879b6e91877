"""The facts of a call's audio, as relays tell the application (`/media/facts`, docs/contracts.md).

A relay's facts begin with the first stream that it has of the call; `*_ms` of events count from
there. A histogram is a count for each of its bounds (ms, inclusive), and one more for what is
above. A level is the loudness of 100 ms, 0 (silence) to 15 (full scale), 3 dB a step; two are
packed into a byte, the earlier one in the upper half.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

PATH = "/media/facts"
EVERY_S = 60.0
"""Time between two reports of a call; the last one comes when the call is over."""
STEP_MS = 100
MAX_STEPS = 4 * 3600 * 1000 // STEP_MS
"""Levels of one direction that a call may have: four hours."""
MAX_REPORTS = 300
"""Reports of one relay about one call: four hours of them, and a few."""
MAX_PIECE = 1800
"""Levels of one direction in a report: three minutes, as a stalled relay may be late with it."""
_MAX_PACKED = MAX_PIECE // 2 * 4 // 3 + 4
MAX_SUM = 2**40
MAX_RELAY = 255
MAX_MARKS = 64
"""Marks in one report; more are left out."""

ADDED_LATENCY_MS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250)
CLEAR_TO_SILENCE_MS = (25, 50, 75, 100, 150, 200, 300, 500, 1000)
GAP_MS = (120, 160, 200, 300, 500, 1000, 2000, 5000, 10000)

MARKS = ("gap", "underrun", "clear", "key", "stream", "agent", "hold", "bridge", "talk")
"""Kinds of marks. `gap`: nothing came from the caller; `underrun`: the agent's audio ran out within
what it said; `clear`: the agent's audio was cut (barge-in); `key`: the caller pressed a key;
`stream`, `agent`: one (more) has come; `hold`, `bridge`, `talk`: from here on the caller is held,
is connected with another call, or hears the agent again."""


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums of one relay since the call's first stream there. Times are in ms."""

    frames: int = 0
    """Messages of audio from the caller."""
    late: int = 0
    """Of these, those that came later than a frame after their turn."""
    gaps: int = 0
    """Pauses of more than 100 ms in which nothing came from the caller."""
    gap_ms: int = 0
    underruns: int = 0
    underrun_ms: int = 0
    clears: int = 0
    streams: int = 0
    agents: int = 0
    """Connections of the agent."""
    agent_ms: int | None = None
    """The arrival of the first agent; below 0 if it was there before the stream."""
    caller_audio_ms: int | None = None
    """The first audio of the caller's."""
    agent_audio_ms: int | None = None
    """The first audio that the caller heard."""
    added_latency: tuple[int, ...] = (0,) * (len(ADDED_LATENCY_MS) + 1)
    clear_to_silence: tuple[int, ...] = (0,) * (len(CLEAR_TO_SILENCE_MS) + 1)

    def __post_init__(self) -> None:
        """Raise ValueError for sums that no relay has."""
        _need(len(self.added_latency) == len(ADDED_LATENCY_MS) + 1, "added_latency")
        _need(len(self.clear_to_silence) == len(CLEAR_TO_SILENCE_MS) + 1, "clear_to_silence")
        for name in self.__slots__:
            value = getattr(self, name)
            for each in value if isinstance(value, tuple) else (value,):
                _need(each is None or abs(each) < MAX_SUM, name)


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment of the call: its kind, when it began and how long it took, in ms."""

    type: str
    at_ms: int
    ms: int = 0

    def __post_init__(self) -> None:
        """Raise ValueError for a mark that no relay makes."""
        _need(self.type in MARKS and abs(self.at_ms) < MAX_SUM and 0 <= self.ms < MAX_SUM, "mark")


@dataclass(frozen=True, slots=True)
class Piece:
    """The levels from `step` (100 ms each) on, packed as base64, and the marks since the piece
    before.
    """

    step: int = 0
    caller: str = ""
    heard: str = ""
    marks: tuple[Mark, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError for a piece that no relay sends."""
        _need(0 <= self.step <= MAX_STEPS, "step")
        _need(len(self.marks) <= MAX_MARKS, "marks")
        for packed in (self.caller, self.heard):
            _need(len(packed) <= _MAX_PACKED, "levels")
            unpack(packed)


@dataclass(frozen=True, slots=True)
class FactsReport:
    """A relay's report. `began_ms` (epoch) names its run of the call: sums and levels begin there.

    `sequence` rises from 1; a repeated report has the same. `last`: the relay is done with the
    call.
    """

    call_id: str
    began_ms: int
    sequence: int
    sums: Sums
    piece: Piece
    last: bool = False
    relay: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError for a report beyond the bounds."""
        _need(1 <= self.sequence <= MAX_REPORTS and 0 <= self.began_ms < 2**45, "sequence")
        _need(len(self.relay) <= MAX_RELAY, "relay")


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"{what} is beyond its bounds")


def pack(levels: Sequence[int]) -> str:
    """Pack levels, two a byte; an odd one gets a silent neighbour."""
    even = bytes(levels) + b"\0" * (len(levels) % 2)
    pairs = zip(even[::2], even[1::2], strict=True)
    return b64encode(bytes(first << 4 | second for first, second in pairs)).decode()


def unpack(packed: str) -> list[int]:
    """Return the levels, of which the last may be the silent neighbour. ValueError."""
    return [half for each in b64decode(packed, validate=True) for half in (each >> 4, each & 15)]


def quantile(bounds: Sequence[float], counts: Sequence[int], share: float) -> float | None:
    """Return the bound below which that share of a histogram is (its last one for what is above
    all); None if it is empty.
    """
    wanted, seen = share * sum(counts), 0
    if not wanted:
        return None
    for bound, count in zip(bounds, counts, strict=False):
        seen += count
        if seen >= wanted:
            return bound
    return bounds[-1]


def added(first: Sequence[int], second: Sequence[int]) -> tuple[int, ...]:
    """Return the sum of two histograms of the same bounds."""
    return tuple(a + b for a, b in zip(first, second, strict=True))


def merged(runs: Sequence[Sums]) -> dict[str, Any]:
    """Return the sums of several runs, in their order, without the times, which have other
    beginnings.
    """
    counts = (
        "frames", "late", "gaps", "gap_ms", "underruns", "underrun_ms", "clears", "streams",
        "agents",
    )  # fmt: skip
    result: dict[str, Any] = {name: sum(getattr(run, name) for run in runs) for name in counts}
    for name in ("added_latency", "clear_to_silence"):
        counted = getattr(Sums(), name)
        for run in runs:
            counted = added(counted, getattr(run, name))
        result[name] = counted
    return result
