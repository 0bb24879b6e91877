"""Find the caller's turns in the audio: where each begins, where it pauses, and where it is over.

A turn goes from the first speech to the silence that ends it. Recognition begins at a shorter
silence and is thrown away if the caller goes on, so that the text is there soon after the end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

FRAME_MS = 20
FRAME_BYTES = FRAME_MS * 16
"""PCM s16le, 8000 Hz."""

START_MS, START_OF_MS = 60, 120
"""A turn begins with this much speech within this much time."""
LEAD_MS = 300
"""Audio before the first speech that is kept with the turn, for the first consonant."""
PAUSE_MS = 200
"""Silence after which recognition begins."""
END_MS = 440
"""Silence after which a turn is over."""
LEAST_MS = 100
"""The least speech of a turn; with less it was a click."""
MAX_TURN_MS = 30_000
"""A longer turn is cut here, which bounds the audio that is kept."""
PARTIAL_MS = 1000
"""Speech between two partial texts of a turn that goes on."""
BARGE_IN_MS, BARGE_IN_OF_MS = 120, 240
"""The caller interrupts with this much speech within this much time."""

IsSpeech = Callable[[bytes], bool]
"""Returns whether there is speech in a frame of `FRAME_BYTES`."""


class Change(Enum):
    """A change in the caller's turn."""

    STARTED = auto()
    PAUSED = auto()
    """It may be over: recognition begins."""
    WENT_ON = auto()
    """It was not over: that recognition is thrown away."""
    PARTIAL = auto()
    """Enough was said since the last partial text for another one."""
    ENDED = auto()
    """It is over. What was recognised at the pause counts."""
    NOTHING = auto()
    """It is over and was no speech, only a click."""


@dataclass(slots=True, eq=False)
class Turn:
    """A turn of the caller. Times are places in the audio that was fed, in ms."""

    number: int
    pcm_from_ms: int
    """Place at which `pcm` begins, a little before the speech."""
    started_ms: int
    """Place at which its first speech begins."""
    pcm: bytearray
    spoken_ms: int = 0
    """Speech in it, without silence."""
    ended_ms: int = 0
    """Place at which its last speech ends."""


class TurnTaking:
    """The turns of one caller. It is fed with frames in order."""

    def __init__(self, is_speech: IsSpeech) -> None:
        self._is_speech = is_speech
        self.heard_ms = 0
        """Audio that was fed."""
        self.turn: Turn | None = None
        """The turn that goes on, if there is one."""
        self._turns = 0
        self._lead: deque[bytes] = deque(maxlen=LEAD_MS // FRAME_MS)
        self._recent: deque[bool] = deque(maxlen=START_OF_MS // FRAME_MS)
        self._since_armed: deque[bool] = deque(maxlen=BARGE_IN_OF_MS // FRAME_MS)
        self._silence_ms = 0
        self._run = 0
        """Frames of speech in a row."""
        self._paused = False
        self._next_partial_ms = PARTIAL_MS

    @property
    def speaking(self) -> bool:
        """Return whether the caller has the turn."""
        return self.turn is not None

    @property
    def barges_in(self) -> bool:
        """Return whether the caller has spoken for long enough, since `arm`, to interrupt."""
        return sum(self._since_armed) * FRAME_MS >= BARGE_IN_MS

    def arm(self) -> None:
        """Forget the speech up to now: only what follows interrupts."""
        self._since_armed.clear()

    def frame(self, pcm: bytes) -> list[tuple[Change, Turn]]:
        """Take the next frame. Return what changed, in order."""
        speech = self._is_speech(pcm)
        self.heard_ms += FRAME_MS
        self._since_armed.append(speech)
        self._run = self._run + 1 if speech else 0
        turn = self.turn
        if turn is None:
            return self._maybe_start(pcm, speech)
        turn.pcm += pcm
        if speech:
            turn.spoken_ms += FRAME_MS
        return [(change, turn) for change in self._changes(turn)]

    def gap(self) -> list[tuple[Change, Turn]]:
        """End the turn, because audio is missing from here on. Return what changed."""
        turn = self.turn
        return [] if turn is None else [(change, turn) for change in self._end(turn)]

    def _maybe_start(self, pcm: bytes, speech: bool) -> list[tuple[Change, Turn]]:
        self._lead.append(pcm)
        self._recent.append(speech)
        if sum(self._recent) * FRAME_MS < START_MS:
            return []
        self._turns += 1
        recent = list(self._recent)
        audio = bytearray(b"".join(self._lead))
        turn = Turn(
            number=self._turns,
            pcm_from_ms=self.heard_ms - len(audio) // (FRAME_BYTES // FRAME_MS),
            started_ms=self.heard_ms - (len(recent) - recent.index(True)) * FRAME_MS,
            pcm=audio,
            spoken_ms=sum(recent) * FRAME_MS,
            ended_ms=self.heard_ms,
        )
        self.turn = turn
        self._silence_ms, self._paused, self._next_partial_ms = 0, False, PARTIAL_MS
        self._lead.clear()
        self._recent.clear()
        return [(Change.STARTED, turn)]

    def _changes(self, turn: Turn) -> list[Change]:
        changes: list[Change] = []
        if self._run >= 2:  # one frame alone may be noise, and must not keep a turn open
            self._silence_ms = 0
            turn.ended_ms = self.heard_ms
            if self._paused:
                self._paused = False
                changes.append(Change.WENT_ON)
        else:
            self._silence_ms += FRAME_MS
        if self._silence_ms >= END_MS or len(turn.pcm) >= MAX_TURN_MS // FRAME_MS * FRAME_BYTES:
            return changes + self._end(turn)
        if self._silence_ms >= PAUSE_MS and not self._paused and turn.spoken_ms >= LEAST_MS:
            self._paused = True
            changes.append(Change.PAUSED)
        elif turn.spoken_ms >= self._next_partial_ms and not self._paused:
            self._next_partial_ms = turn.spoken_ms + PARTIAL_MS
            changes.append(Change.PARTIAL)
        return changes

    def _end(self, turn: Turn) -> list[Change]:
        self.turn = None
        if turn.spoken_ms < LEAST_MS:
            return [Change.NOTHING]
        return [Change.ENDED] if self._paused else [Change.PAUSED, Change.ENDED]
