"""Tells who answered a call that was dialled: a person, a machine or a fax, from the far end's
audio; and when a machine's greeting is over.

A person says a few words and waits for ours. A machine talks on, or beeps. A fax sends a tone of
2,100 Hz (CED, ITU-T T.30) or 1,100 Hz for half a second (CNG). The time is the audio's own: each
20 ms of it are 20 ms. Measured figures are in docs/benchmarks.md, and `python -m tests.load
answered` takes them.
"""

from __future__ import annotations

from dataclasses import dataclass

from relay.core.sound_blocks import BLOCK, BLOCK_MS, SoundBlocks, Tone
from relay.protocol.detection import AnsweredBy, EndedBy, Until

WORD_MS, SHORT_PAUSE_MS = 80, 60
"""Speech that is shorter, between pauses that are longer, is a click, or the edge of a tone."""
WAITS_MS = {700: 1100, 1800: 900, 10_000: 1160}
"""Silence after a person's words, in which the person waits for ours, by how long the words took at
most. Very short ones begin greetings of machines, too ("Hi!"); long ones may be a whole sentence of
one."""
TALKS_ON_MS = 3000
"""Words that last longer, with short pauses, are a machine's."""
SILENT_MS = 6000
"""Time without a word, from the answer on, after which nobody can tell."""
DECIDE_MS = 8000
"""Time from the answer on by which it is decided, at the latest."""
GREETING_OVER_MS = 2400
"""Silence that ends a machine's greeting: longer than between its sentences and before its beep."""
GREETING_WITHIN_MS = 30_000
"""Time from the answer on in which a greeting ends."""
LONGEST_BEEP_MS = 2600
LOW_HZ, LONGEST_LOW_BEEP_MS = 500, 700
"""A tone that is as low is of the network, unless it is short and comes after words."""
CED_HZ, CED_MS = (2080, 2120), 900
CNG_HZ, CNG_MS, AFTER_CNG_MS = (1070, 1130), (400, 620), 600
FAR_BEHIND_MS = 500
"""A stream whose audio is so much less than the time that passed has sent none meanwhile."""
_SILENCE = b"\xff"


@dataclass(frozen=True, slots=True)
class Answered:
    """The decision; `at_ms` counts from the first audio of the detector."""

    by: AnsweredBy
    at_ms: int


@dataclass(frozen=True, slots=True)
class GreetingEnded:
    """The end of a machine's greeting."""

    by: EndedBy
    at_ms: int


Found = Answered | GreetingEnded


class AnswerDetector:
    """The detector of one call; `over` once it has nothing more to find."""

    __slots__ = ("_at", "_before", "_began", "_blocks", "_decided", "_first_word", "_last_speech",
                 "_last_tone", "_last_word", "_rest", "_sound", "_until", "over")  # fmt: skip

    def __init__(self, until: Until, decided: AnsweredBy | None = None) -> None:
        """`decided`: who answered is known already, and only the end of the greeting is not."""
        self.over = False
        self._until = until
        self._blocks = SoundBlocks()
        self._began: float | None = None
        self._at = 0
        """ms of audio so far."""
        self._first_word: int | None = None
        self._last_word = 0
        """ms at which the last word ended."""
        self._before: tuple[int | None, int] = None, 0
        """The first and the last word before the present sound."""
        self._sound = self._last_speech = 0
        """ms of speech since a short pause, and when it ended: what is too short is a click."""
        self._last_tone: tuple[Tone, int] | None = None
        """The tone that ended last, and when."""
        self._decided = decided
        self._rest = b""

    def hear(self, ulaw: bytes, now: float) -> list[Found]:
        """Take audio of the far end's, mu-law of any length; return what is known by it, in
        order.
        """
        if self._began is None:
            self._began = now
        behind = round((now - self._began) * 1000) - self._at
        if behind > FAR_BEHIND_MS:
            ulaw = _SILENCE * (min(behind, GREETING_WITHIN_MS) * 8) + ulaw
        data = self._rest + ulaw
        whole = len(data) - len(data) % BLOCK
        self._rest = data[whole:]
        found: list[Found] = []
        for start in range(0, whole, BLOCK):
            if self.over:
                break
            found += self._take(data[start : start + BLOCK])
        return found

    def _take(self, block: bytes) -> list[Found]:
        blocks = self._blocks
        tone = blocks.tone
        words = blocks.add(block)
        self._at += BLOCK_MS
        if words > 0:
            self._speak(words * BLOCK_MS)
        elif words < 0:
            self._first_word, self._last_word = self._before
            self._sound = 0
        if tone is not None and (blocks.tone is None or blocks.tone.blocks < tone.blocks):
            self._last_tone = tone, self._at - BLOCK_MS
        if self._decided is None:
            return self._decide()
        return self._await_end()

    def _speak(self, ms: int) -> None:
        if self._at - ms - self._last_speech > SHORT_PAUSE_MS:
            self._sound = 0
            self._before = self._first_word, self._last_word
        self._sound += ms
        self._last_speech = self._at
        if self._sound >= WORD_MS:
            if self._first_word is None:
                self._first_word = self._at - self._sound
            self._last_word = self._at

    def _decide(self) -> list[Found]:
        by = self._fax() or self._who()
        if by is None:
            return []
        self._decided = by
        found: list[Found] = [Answered(by, self._at)]
        self.over = self._until == "answer" or by != "machine"
        return found if self.over else found + self._await_end()

    def _fax(self) -> AnsweredBy | None:
        tone = self._blocks.tone
        if tone and _within(tone.hz, CED_HZ) and tone.blocks * BLOCK_MS >= CED_MS:
            return "fax"
        if self._last_tone and self._first_word is None:
            burst, ended = self._last_tone
            if (
                _within(burst.hz, CNG_HZ)
                and _within(burst.blocks * BLOCK_MS, CNG_MS)
                and self._at - max(ended, self._last_word) >= AFTER_CNG_MS
            ):
                return "fax"
        return None

    def _who(self) -> AnsweredBy | None:
        if self._beeped() and not self._may_be_fax():
            return "machine"
        if self._at >= DECIDE_MS:
            return "unknown"
        if self._first_word is None:
            return "unknown" if self._at >= SILENT_MS and not self._blocks.tone else None
        if self._blocks.undecided:
            return None
        spoke = self._last_word - self._first_word
        if spoke >= TALKS_ON_MS:
            return "machine"
        quiet = self._at - self._last_word
        waits = next(wait for longest, wait in WAITS_MS.items() if spoke <= longest)
        return "human" if quiet >= waits and not self._blocks.tone else None

    def _may_be_fax(self) -> bool:
        return (
            self._last_tone is not None
            and self._first_word is None
            and _within(self._last_tone[0].hz, CNG_HZ)
            and self._at - self._last_tone[1] < AFTER_CNG_MS
        )

    def _await_end(self) -> list[Found]:
        by: EndedBy | None = None
        if self._beeped():
            by = "beep"
        elif self._blocks.tone is None and self._at - self._last_sound() >= GREETING_OVER_MS:
            by = "silence"
        elif self._at >= GREETING_WITHIN_MS:
            by = "timeout"
        if by is None:
            return []
        self.over = True
        return [GreetingEnded(by, self._at)]

    def _beeped(self) -> bool:
        """Return whether a beep has just ended: the last sound, and no tone of the network's."""
        if self._last_tone is None or self._blocks.tone or self._blocks.undecided:
            return False
        tone, ended = self._last_tone
        if tone.hz < LOW_HZ and (
            self._first_word is None or tone.blocks * BLOCK_MS > LONGEST_LOW_BEEP_MS
        ):
            return False
        return tone.blocks * BLOCK_MS <= LONGEST_BEEP_MS and self._last_word <= ended

    def _last_sound(self) -> int:
        return max(self._last_word, self._last_tone[1] if self._last_tone else 0)


def _within(value: float, bounds: tuple[int, int]) -> bool:
    return bounds[0] <= value <= bounds[1]
