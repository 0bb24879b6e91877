"""What has been sent to one provider stream and not yet been heard: audio and marks.

The provider queues what it gets and plays it in real time, telling nothing but when a mark is
reached; so the queue's length is an estimate: what was sent, minus the time that went by. One
object a stream. No I/O but through the leg it was given.
"""

from __future__ import annotations

from relay.ports import ProviderLeg
from wire import media_stream

MAX_QUEUED_S = 300.0
MAX_MESSAGE = 8000
"""Bytes of mu-law in one message: a second."""
MAX_MARKS = 256


class Playout:
    """One provider stream, agent to caller."""

    def __init__(self, leg: ProviderLeg, stream_sid: str, *, keys: bool = False) -> None:
        self.keys = keys
        """Whether the provider presses keys itself, or has to be sent their sound."""
        self._leg = leg
        self._stream_sid = stream_sid
        self._encode = media_stream.MediaEncoder(stream_sid)
        self._empty_at = 0.0
        self._marks: dict[str, str] = {}
        self._marked = 0
        self._cleared = False
        """The last `clear` was sent while the leg was choked."""

    def refuses(self, now: float) -> str | None:
        """None if there is room, else why there is not: to be asked before `play`. Hot path."""
        if self._leg.choked:
            return "slow_provider"
        return "queue_full" if self._empty_at - now > MAX_QUEUED_S else None

    def play(self, ulaw: bytes | memoryview, now: float) -> None:
        """Queue up to `MAX_MESSAGE` bytes of mu-law. Hot path."""
        empty_at = self._empty_at
        begins = empty_at if empty_at > now else now
        self._empty_at = begins + len(ulaw) / media_stream.SAMPLE_RATE
        self._leg.send_text(self._encode(ulaw))

    def press(self, digit: str) -> None:
        """Have the provider press a key once playout gets here. Silence for it is to follow."""
        message = media_stream.Dtmf(media_stream.DtmfDetail(digit, "outbound"), self._stream_sid)
        self._leg.send_text(media_stream.encode(message))

    def queued(self, now: float) -> float:
        """Seconds of audio that the caller has not heard yet."""
        return max(0.0, self._empty_at - now)

    def mark(self, name: str) -> bool:
        """Have the provider say when playout gets here. False if too much is outstanding."""
        if len(self._marks) >= MAX_MARKS or self._leg.choked:
            return False
        # Agents may use a name twice, and an echo must be told apart: so names of our own.
        self._marked += 1
        ours = f"chamade-{self._marked}"
        self._marks[ours] = name
        mark = media_stream.Mark(media_stream.MarkDetail(ours), self._stream_sid)
        self._leg.send_text(media_stream.encode(mark))
        return True

    def reached(self, echo: str) -> str | None:
        """The agent's name of a mark that the provider echoes; None if cleared or never ours."""
        return self._marks.pop(echo, None)

    def clear(self) -> list[str]:
        """Barge-in. The names of the marks that will not be played.

        The provider echoes those too, and its echoes cannot be told from real ones: hence they
        are struck off here and now, and the echoes find nothing.
        """
        self._empty_at = 0.0
        # While the provider does not read, nothing is queued after a first `clear`: one will do.
        if not (self._cleared and self._leg.choked):
            self._leg.send_text(media_stream.encode(media_stream.Clear(self._stream_sid)))
        self._cleared = self._leg.choked
        return self.abandon()

    def abandon(self) -> list[str]:
        """The stream is gone: the names of the marks that will not be played."""
        names = list(self._marks.values())
        self._marks.clear()
        return names
