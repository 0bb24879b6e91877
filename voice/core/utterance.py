"""A text that is to be spoken, and how much of it was heard.

Its sentences are synthesised and sent one by one. Marks in the audio tell how far it was played,
and between marks the time does. The words that were heard of a sentence are in proportion to the
part of its audio that was played.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from voice.core.sentences import Sentence, divide
from voice.engines.base import VoiceInfo

MS_A_CHARACTER = 65
"""Audio for each character at speed 1: an estimate, until all of a sentence is synthesised."""


@dataclass(slots=True)
class Spoken:
    """A sentence of an utterance and its audio. Times are ms of the utterance's audio."""

    sentence: Sentence
    from_ms: float
    sent_ms: float = 0.0
    """Length of what was sent of it."""
    complete: bool = False
    """True once all of it was sent."""


@dataclass(slots=True, eq=False)
class Utterance:
    """An utterance: what is to be spoken, and how far it is."""

    utterance_id: str
    text: str
    voice: VoiceInfo
    speed: float = 1.0
    barge_in: bool = True
    sentences: list[Sentence] = field(default_factory=list)
    """Those that are not synthesised yet."""
    spoken: list[Spoken] = field(default_factory=list)
    sent_ms: float = 0.0
    """Length of the audio that was sent."""
    all_sent: bool = False
    """True once its last mark was sent."""
    failed: bool = False
    """True if the rest of it could not be synthesised."""
    started: bool = False
    """True once playout has begun."""
    marked_ms: float = 0.0
    """Place of the last mark that was played."""
    marked_at: float = 0.0
    """The time at which that mark was played, in s."""
    next_mark_ms: float = 0.0
    """Place of the next mark that is to be sent."""
    state: str = "queued"
    """queued, finished or interrupted."""
    why: str | None = None
    heard_text: str = ""
    heard_ms: int = 0
    started_ms: int | None = None
    """The time at which its playout began, in ms since the call's answer."""

    def __post_init__(self) -> None:
        self.sentences = divide(self.text)

    @property
    def over(self) -> bool:
        """Return whether it has ended."""
        return self.state != "queued"

    @property
    def begun(self) -> bool:
        """Return whether any of its audio was sent."""
        return self.sent_ms > 0 or self.all_sent

    def begin_sentence(self) -> Sentence:
        """Take the next sentence to synthesise."""
        sentence = self.sentences.pop(0)
        self.spoken.append(Spoken(sentence, self.sent_ms))
        return sentence

    def add(self, ms: float) -> None:
        """Count audio that was sent of the current sentence."""
        self.spoken[-1].sent_ms += ms
        self.sent_ms += ms

    def played(self, place_ms: float, now: float) -> None:
        """Note that a mark was played."""
        self.started = True
        self.marked_ms, self.marked_at = max(self.marked_ms, place_ms), now

    def position(self, now: float, next_mark_ms: float) -> float:
        """Return how many ms of it were heard. `next_mark_ms` is the place of the first mark that
        was not played.
        """
        if not self.started:
            return 0.0
        passed = self.marked_ms + (now - self.marked_at) * 1000
        return max(self.marked_ms, min(passed, next_mark_ms, self.sent_ms))

    def text_until(self, heard_ms: float) -> str:
        """Return the text that was heard in the first `heard_ms`, in whole words."""
        end = 0
        for each in self.spoken:
            passed = heard_ms - each.from_ms
            if passed <= 0:
                break
            length = each.sent_ms
            if not each.complete:
                guess = len(each.sentence.text) * MS_A_CHARACTER / self.speed
                length = max(length, guess)
            elif passed >= length - 1:
                end = each.sentence.end
                continue
            part = _words(each.sentence.text, passed / length)
            if part:
                end = self.text.index(part, each.sentence.start) + len(part)
            break
        return self.text[:end].strip()

    def end(self, state: str, why: str | None, heard_ms: float) -> None:
        """End in this state. All of a finished utterance was heard."""
        self.state, self.why = state, why
        self.heard_ms = round(heard_ms)
        finished = state == "finished"
        self.heard_text = self.text.strip() if finished else self.text_until(heard_ms)
        self.sentences.clear()


def _words(text: str, share: float) -> str:
    """Return the words of a text of which at least half is within this share of its length."""
    place = share * len(text)
    end = 0
    start = 0
    for word in text.split(" "):
        if start + len(word) / 2 > place:
            break
        start += len(word)
        end = start
        start += 1
    return text[:end]
