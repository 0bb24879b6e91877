"""The state of a call's audio line at this end: what waits to be read, the marks that are out, and
when to connect again. No I/O, no clock.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from chamade.audio.messages import (
    Advice,
    AnsweredBy,
    Dropped,
    Dtmf,
    GreetingEnded,
    Heard,
    Mark,
    Refusal,
    Start,
    Stop,
    parse,
)

log = logging.getLogger("chamade")

GRACE_S = 10.0
"""Seconds for which the call goes on without its agent."""
PAUSES_S = (0.0, 0.25, 0.5, 1.0, 2.0)
"""Seconds before each attempt to connect again; the last value is repeated."""
BUFFER_S = 10.0
"""Seconds of unread audio that are kept."""
MAX_MARKS = 200
"""Marks that the program may have out; the relay takes 256."""
MAX_UNREAD = 1000
"""Unread messages besides audio that are kept."""
OURS = "~"
"""The beginning of the names of our own marks, which the program does not see."""

_FINAL_CODES = frozenset({1000, 1002, 1003, 1007, 1008, 1009, 1010})


@dataclass(frozen=True)
class Format:
    """The format of binary messages, both ways."""

    name: str = "pcm_s16le"
    rate: int = 16000

    def __post_init__(self) -> None:
        if self.name not in ("pcm_s16le", "mulaw"):
            raise ValueError(f"format is pcm_s16le or mulaw, not {self.name!r}")
        rates = (8000,) if self.name == "mulaw" else (8000, 16000, 24000)
        if self.rate not in rates:
            raise ValueError(f"{self.name} goes at {', '.join(map(str, rates))} Hz")

    @classmethod
    def wanted(cls, name: str, rate: int | None) -> Format:
        """Make a format by its name; without a rate, with the name's usual one."""
        return cls(name, rate or (8000 if name == "mulaw" else 16000))

    @property
    def bytes_per_s(self) -> int:
        """Return the bytes of one second of sound."""
        return self.rate * (1 if self.name == "mulaw" else 2)

    @property
    def query(self) -> str:
        """Return the format as the query of the socket's URL."""
        return f"format={self.name}&rate={self.rate}"


class Unread:
    """A bounded buffer of what came and was not read yet. If too much audio waits, the oldest is
    discarded, and a `Dropped` takes its place.
    """

    def __init__(self, bytes_per_s: int, buffer_s: float = BUFFER_S) -> None:
        self._limit = int(bytes_per_s * buffer_s)
        self._bytes_per_s = bytes_per_s
        self._items: deque[Heard] = deque()
        self._audio = self._gone = self._others = 0

    def put(self, item: Heard) -> None:
        """Add what came last."""
        self._items.append(item)
        if isinstance(item, bytes):
            self._audio += len(item)
        else:
            self._others += 1
        while self._audio > self._limit or self._others > MAX_UNREAD:
            self._drop_oldest()

    def take(self) -> Heard | None:
        """Return what came first; None if nothing waits."""
        if self._gone:
            lost, self._gone = self._gone, 0
            return Dropped("to_agent", lost * 1000 // self._bytes_per_s, "slow_reader")
        if not self._items:
            return None
        return self._forget(self._items.popleft())

    def skip_audio(self) -> None:
        """Discard the audio that waits, and nothing else."""
        self._items = deque(item for item in self._items if not isinstance(item, bytes))
        self._audio = self._gone = 0

    def _drop_oldest(self) -> None:
        audio = self._audio > self._limit
        for at, item in enumerate(self._items):
            if isinstance(item, bytes) == audio:
                del self._items[at]
                self._forget(item)
                self._gone += len(item) if isinstance(item, bytes) else 0
                return

    def _forget(self, item: Heard) -> Heard:
        if isinstance(item, bytes):
            self._audio -= len(item)
        else:
            self._others -= 1
        return item


class Marks:
    """The marks that are out, in the order in which they were sent and will come back. When a mark
    comes back before earlier ones, those were lost with a connection.
    """

    def __init__(self) -> None:
        self._out: list[str] = []
        self._count = 0

    def set(self, name: str) -> None:
        """Note that a mark was sent."""
        self._out.append(name)

    def own(self, purpose: str) -> str:
        """Make a name for a mark that nobody else uses."""
        self._count += 1
        return f"{OURS}{purpose}-{self._count}"

    @property
    def out(self) -> int:
        """Return how many marks are out."""
        return len(self._out)

    def returned(self, mark: Mark) -> list[Mark]:
        """Return the marks that are settled now, oldest first: this one, and before it those that
        were lost. No marks for one that is not out: it was sent twice, since it was not known
        whether the first had reached the relay.
        """
        if mark.name not in self._out:
            return []
        at = self._out.index(mark.name)
        lost = [Mark(name, played=False) for name in self._out[:at]]
        del self._out[: at + 1]
        return [*lost, mark]

    def refused(self) -> list[Mark]:
        """Settle the mark sent last, since the relay refused one and does not say which."""
        return [Mark(self._out.pop(), played=False)] if self._out else []


@dataclass
class Line:
    """The state of one call's line. `on_mark` and `on_dtmf` are called at once."""

    format: Format
    on_mark: Callable[[Mark], None]
    on_dtmf: list[Callable[[str], None]] = field(default_factory=list)
    started: bool = False
    """True while there is a connection and audio flows."""
    ever_started: bool = False
    stop: Stop | None = None
    keys: str = ""
    """All the keys that the caller has pressed."""

    def __post_init__(self) -> None:
        self.unread = Unread(self.format.bytes_per_s)
        self.marks = Marks()

    def received(self, message: str | bytes) -> bool:
        """Take a message; return whether it is the `start` of a connection that follows another
        one.
        """
        if isinstance(message, bytes):
            self.unread.put(message)
            return False
        try:
            parsed = parse(message)
        except ValueError:
            self.unread.put(Refusal("bad_message", message[:200]))
            return False
        match parsed:
            case Start():
                self.started = self.ever_started = True
                return parsed.resumed
            case Stop():
                self.stop = parsed
            case Mark():
                self._settle_marks(self.marks.returned(parsed))
            case Refusal(code="too_many_marks"):
                self.unread.put(parsed)
                self._settle_marks(self.marks.refused())
            case Dtmf():
                self.keys += parsed.digit
                self.unread.put(parsed)
                self._tell_of_key(parsed.digit)
            case AnsweredBy() | GreetingEnded() | Dropped() | Refusal():
                self.unread.put(parsed)
            case Advice():
                log.warning("%s: %s", parsed.code, parsed.detail)
        return False

    def _tell_of_key(self, digit: str) -> None:
        for tell in self.on_dtmf:
            try:
                tell(digit)
            except Exception:
                log.exception("a callback of on_dtmf failed")

    def _settle_marks(self, marks: list[Mark]) -> None:
        for mark in marks:
            self.on_mark(mark)
            if not mark.name.startswith(OURS):
                self.unread.put(mark)


class Comeback:
    """Decides when to connect again after a connection was lost, or could not be made."""

    def __init__(self) -> None:
        self._lost_at: float | None = None
        self._tries = 0

    def connected(self) -> None:
        """Note that audio flows, or that the call still rings and we wait for it."""
        self._lost_at, self._tries = None, 0

    def pause(self, now: float) -> float | None:
        """Return the seconds to wait before the next attempt; None if it is too late."""
        if self._lost_at is None:
            self._lost_at = now
        pause = PAUSES_S[min(self._tries, len(PAUSES_S) - 1)]
        self._tries += 1
        return pause if now + pause - self._lost_at <= GRACE_S else None


def may_return(close_code: int | None) -> bool:
    """Return whether a connection closed with this code may be made again (None: it broke)."""
    if close_code is None:
        return True
    return close_code not in _FINAL_CODES and not 4000 <= close_code <= 4999
