"""Audio of our own that is played to a caller on hold, a little ahead of playout. The time is
passed in.
"""

from __future__ import annotations

from relay.core.agent_to_caller import ULAW_PER_MS, AgentToCaller

AHEAD_S = 1.0
"""Audio that is sent ahead: it bridges the pauses of a busy process, and little is in vain when the
hold ends."""
EVERY_S = 0.5
"""Between two looks at the queue: two messages a second are cheap, for the provider too."""
_FRAME = 20 * ULAW_PER_MS


class LineSource:
    """The source of one call; silent until one is chosen."""

    def __init__(self, to_caller: AgentToCaller) -> None:
        self._to_caller = to_caller
        self._ulaw, self._loop, self._at = b"", False, 0

    def choose(self, ulaw: bytes, *, loop: bool = True) -> None:
        """Play this from its begin; b"": silence."""
        self._ulaw, self._loop, self._at = ulaw, loop, 0

    def play_on(self, now: float) -> float | None:
        """Send what is missing to `AHEAD_S`. Return the time of the next look; None: all is sent,
        or there is nobody to hear it.
        """
        to_caller = self._to_caller
        if not (self._ulaw and to_caller.streaming):
            return None
        missing = int((AHEAD_S - to_caller.queued(now)) * 1000 * ULAW_PER_MS)
        missing -= missing % _FRAME
        # A provider that does not read gets nothing, and the source waits for it.
        if missing > 0 and to_caller.refusal(now) is None:
            to_caller.play_ulaw(self._take(missing), now)
        return now + EVERY_S if self._ulaw else None

    def _take(self, size: int) -> bytes:
        """Return the next `size` bytes, less at the end of what is played once."""
        piece = self._ulaw[self._at : self._at + size]
        self._at += len(piece)
        while self._loop and len(piece) < size:
            self._at = min(size - len(piece), len(self._ulaw))
            piece += self._ulaw[: self._at]
        if self._at >= len(self._ulaw) and not self._loop:
            self.choose(b"")
        return piece
