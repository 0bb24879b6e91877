"""Audio and marks that were sent to one provider stream and have not been played yet.

The provider queues what it gets and plays it in real time, and only says when it reaches a mark; so
the length of its queue is an estimate: what was sent, minus the time that went by. One object a
stream. The time is passed in.
"""

from __future__ import annotations

from collections.abc import Callable

from common import media_stream
from relay.core.interfaces import ProviderLeg

MAX_QUEUED_S = 300.0
MAX_MESSAGE = 8000
"""Bytes of mu-law in one message: a second."""
MAX_MARKS = 256
PACE_CHECKS_S = 5.0, 10.0
"""Lengths of the queue, in seconds, at which the pace of the audio is looked at."""

Listener = Callable[[bytes | memoryview, float, float], None]
"""(mu-law, when the caller begins to hear it, now)."""


class PlayoutEstimate:
    """The direction from agent to caller of one provider stream."""

    def __init__(
        self,
        leg: ProviderLeg,
        stream_sid: str,
        *,
        keys: bool = False,
        on_pace: Callable[[float], None] = lambda _: None,
        on_played: Callable[[bytes | memoryview, float, float], None] = lambda *_: None,
    ) -> None:
        self.keys = keys
        """True if the provider presses keys itself; else it is sent their tones."""
        self._leg = leg
        self._stream_sid = stream_sid
        # A bound method takes less to call than an object.
        self._encode = media_stream.MediaEncoder(stream_sid).__call__
        self._empty_at = 0.0
        self._on_pace = on_pace
        """Called with how many times faster than real time audio has come, at `PACE_CHECKS_S`."""
        self._on_played = on_played
        """Called with (mu-law, when the queue before it is empty, now)."""
        self._busy_since = 0.0
        self._check_above, self._checks = PACE_CHECKS_S[0], 0
        self._marks: dict[str, str] = {}
        """Our name of a mark -> the agent's."""
        self._marked = 0
        self._cleared = False
        """True if the last `clear` was sent while the leg was choked."""
        self.listener: Listener | None = None
        """Records what is played."""

    def refusal(self, now: float) -> str | None:
        """Return the reason why there is no room, or None: to be asked before `play`. Hot path."""
        if self._leg.choked:
            return "slow_provider"
        return "queue_full" if self._empty_at - now > MAX_QUEUED_S else None

    def play(self, ulaw: bytes | memoryview, now: float) -> None:
        """Queue up to `MAX_MESSAGE` bytes of mu-law. Hot path."""
        empty_at = self._empty_at
        self._on_played(ulaw, empty_at, now)
        if empty_at <= now:
            empty_at = self._busy_since = now
            self._check_above, self._checks = PACE_CHECKS_S[0], 0
        if self.listener is not None:
            self.listener(ulaw, empty_at, now)
        self._empty_at = empty_at = empty_at + len(ulaw) / media_stream.SAMPLE_RATE
        if empty_at - now > self._check_above:
            self._check_pace(now)
        self._leg.send_text(self._encode(ulaw))

    def _check_pace(self, now: float) -> None:
        self._checks += 1
        more = self._checks < len(PACE_CHECKS_S)
        self._check_above = PACE_CHECKS_S[self._checks] if more else float("inf")
        elapsed = now - self._busy_since
        if elapsed > 0:
            self._on_pace((self._empty_at - self._busy_since) / elapsed)

    def press(self, digit: str) -> None:
        """Have the provider press a key once playout gets here. Silence for it must follow."""
        message = media_stream.key(digit, "outbound", self._stream_sid)
        self._leg.send_text(media_stream.encode(message))

    def queued(self, now: float) -> float:
        """Return the seconds of audio that have not been played yet."""
        return max(0.0, self._empty_at - now)

    @property
    def marked(self) -> bool:
        """Return whether marks are set that were not reached."""
        return bool(self._marks)

    def mark(self, name: str) -> bool:
        """Have the provider say when playout gets here. Return False if too many marks are set."""
        if len(self._marks) >= MAX_MARKS or self._leg.choked:
            return False
        # An agent may use a name twice, and the echoes must be told apart: so each gets our name.
        self._marked += 1
        ours = f"chamade-{self._marked}"
        self._marks[ours] = name
        mark = media_stream.Mark(media_stream.MarkDetail(ours), self._stream_sid)
        self._leg.send_text(media_stream.encode(mark))
        return True

    def reached(self, echo: str) -> str | None:
        """Return the agent's name of a mark that the provider echoes; None if it was cleared or is
        not ours.
        """
        return self._marks.pop(echo, None)

    def clear(self) -> list[str]:
        """Empty the queue (barge-in). Return the names of the marks that will not be played.

        The provider echoes those too, and such an echo cannot be told from a real one: hence the
        marks are forgotten at once, and their echoes find nothing.
        """
        self._empty_at = 0.0
        # While the provider does not read, nothing is queued after a first `clear`: one will do.
        if not (self._cleared and self._leg.choked):
            self._leg.send_text(media_stream.encode(media_stream.Clear(self._stream_sid)))
        self._cleared = self._leg.choked
        return self.forget_marks()

    def forget_marks(self) -> list[str]:
        """Forget all marks. Return their names: they will not be played."""
        names = list(self._marks.values())
        self._marks.clear()
        return names
