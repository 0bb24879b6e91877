"""One call's line as this end knows it: what waits to be heard, which marks are out, and what to do
when the connection breaks. No I/O, no clock.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from chamade.audio.messages import Dropped, Dtmf, Heard, Mark, Refusal, Start, Stop, parse

log = logging.getLogger("chamade")

GRACE_S = 10.0
"""How long the call goes on without us."""
PAUSES_S = (0.0, 0.25, 0.5, 1.0, 2.0)
"""Before each attempt to come back; the last one again and again."""
BUFFER_S = 10.0
"""How much unread audio is kept."""
MAX_MARKS = 200
"""Marks that may be out before no more are taken from the program; the relay takes 256."""
MAX_UNREAD = 1000
"""Unread messages besides audio that are kept."""
OURS = "~"
"""What the names of our own marks begin with. They are not shown."""

_FINAL_CODES = frozenset({1000, 1002, 1003, 1007, 1008, 1009, 1010})


@dataclass(frozen=True)
class Format:
    """What binary messages hold, both ways."""

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
        """By its name, with the rate that goes without saying."""
        return cls(name, rate or (8000 if name == "mulaw" else 16000))

    @property
    def bytes_per_s(self) -> int:
        """How much a second of sound is."""
        return self.rate * (1 if self.name == "mulaw" else 2)

    @property
    def query(self) -> str:
        """As the socket's URL asks for it."""
        return f"format={self.name}&rate={self.rate}"


class Unread:
    """What came and was not read yet, bounded: of audio that waits too long the oldest goes, and
    that is said in its place.
    """

    def __init__(self, bytes_per_s: int, buffer_s: float = BUFFER_S) -> None:
        self._limit = int(bytes_per_s * buffer_s)
        self._bytes_per_s = bytes_per_s
        self._items: deque[Heard] = deque()
        self._audio = self._gone = self._others = 0

    def put(self, item: Heard) -> None:
        """What came last."""
        self._items.append(item)
        if isinstance(item, bytes):
            self._audio += len(item)
        else:
            self._others += 1
        while self._audio > self._limit or self._others > MAX_UNREAD:
            self._drop_oldest()

    def take(self) -> Heard | None:
        """What came first, None if nothing waits."""
        if self._gone:
            lost, self._gone = self._gone, 0
            return Dropped("to_agent", lost * 1000 // self._bytes_per_s, "slow_reader")
        if not self._items:
            return None
        return self._forget(self._items.popleft())

    def skip_audio(self) -> None:
        """Forgets the audio that waits, and nothing else."""
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
    """The marks that are out, in the order in which they were sent, which is that in which they
    come back. One that comes back ahead of others shows that those were lost with a connection.
    """

    def __init__(self) -> None:
        self._out: list[str] = []
        self._count = 0

    def set(self, name: str) -> None:
        """This one was sent."""
        self._out.append(name)

    def own(self, purpose: str) -> str:
        """A name that nobody else uses."""
        self._count += 1
        return f"{OURS}{purpose}-{self._count}"

    @property
    def out(self) -> int:
        """How many are out."""
        return len(self._out)

    def returned(self, mark: Mark) -> list[Mark]:
        """What is known now, the oldest first: that mark, and before it those that were lost.

        Nothing for one that is not out: it was sent again, as nobody knew whether it had gone out.
        """
        if mark.name not in self._out:
            return []
        at = self._out.index(mark.name)
        lost = [Mark(name, played=False) for name in self._out[:at]]
        del self._out[: at + 1]
        return [*lost, mark]

    def refused(self) -> list[Mark]:
        """The relay did not set one. It does not say which: the one sent last."""
        return [Mark(self._out.pop(), played=False)] if self._out else []


@dataclass
class Line:
    """The state of one call's line. `on_mark` and `on_dtmf` are told as it happens."""

    format: Format
    on_mark: Callable[[Mark], None]
    on_dtmf: list[Callable[[str], None]] = field(default_factory=list)
    started: bool = False
    """There is a connection, and audio flows."""
    ever_started: bool = False
    stop: Stop | None = None
    keys: str = ""
    """All the keys that the caller has pressed."""

    def __post_init__(self) -> None:
        self.unread = Unread(self.format.bytes_per_s)
        self.marks = Marks()

    def received(self, message: str | bytes) -> bool:
        """A message came. True if it was the `start` of a connection that follows another one."""
        if isinstance(message, bytes):
            self.unread.put(message)
            return False
        try:
            said = parse(message)
        except ValueError:
            self.unread.put(Refusal("bad_message", message[:200]))
            return False
        match said:
            case Start():
                self.started = self.ever_started = True
                return said.resumed
            case Stop():
                self.stop = said
            case Mark():
                self._told(self.marks.returned(said))
            case Refusal(code="too_many_marks"):
                self.unread.put(said)
                self._told(self.marks.refused())
            case Dtmf():
                self.keys += said.digit
                self.unread.put(said)
                self._tell_of_key(said.digit)
            case Dropped() | Refusal():
                self.unread.put(said)
        return False

    def _tell_of_key(self, digit: str) -> None:
        for tell in self.on_dtmf:
            try:
                tell(digit)
            except Exception:
                log.exception("a callback of on_dtmf failed")

    def _told(self, marks: list[Mark]) -> None:
        for mark in marks:
            self.on_mark(mark)
            if not mark.name.startswith(OURS):
                self.unread.put(mark)


class Comeback:
    """When to connect again after a connection was lost, or could not be made."""

    def __init__(self) -> None:
        self._lost_at: float | None = None
        self._tries = 0

    def connected(self) -> None:
        """Audio flows, or the call still rings and we wait for it."""
        self._lost_at, self._tries = None, 0

    def pause(self, now: float) -> float | None:
        """How many seconds to wait before the next attempt; None: it is too late."""
        if self._lost_at is None:
            self._lost_at = now
        pause = PAUSES_S[min(self._tries, len(PAUSES_S) - 1)]
        self._tries += 1
        return pause if now + pause - self._lost_at <= GRACE_S else None


def may_return(close_code: int | None) -> bool:
    """Whether a connection that was closed with this code may be made again (None: it broke)."""
    if close_code is None:
        return True
    return close_code not in _FINAL_CODES and not 4000 <= close_code <= 4999
