"""The utterances of one call: which is spoken, which wait, and what becomes of each.

Every utterance that was queued ends exactly once, and `on_end` is told. The time is passed in, in
seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voice.core.interfaces import World
from voice.core.sentences import Sentence
from voice.core.utterance import Utterance
from voice.engines.base import BYTES_A_MS

MAX_QUEUED = 32
"""Utterances that are spoken or wait."""
MAX_QUEUED_TEXT = 10_000
"""Characters of them together."""
AHEAD_MS = 4000
"""The next sentence is not synthesised while more audio than this is still to be played."""
MARK_MS = 400
"""Audio between two marks, so that what was heard is known to about a word."""
MAX_MARKS_AHEAD = 128
"""Marks that have not come back; with so many, only the last one of an utterance is added. A relay
takes 256.
"""
LOST_S = 5.0
"""An utterance whose last mark is overdue by this has failed."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence that is to be synthesised, and its utterance."""

    utterance: Utterance
    sentence: Sentence


@dataclass(frozen=True, slots=True)
class _Mark:
    utterance: Utterance
    place_ms: float
    last: bool


class Playout:
    """The utterances of one call, and the marks that are on their way."""

    def __init__(
        self,
        world: World,
        on_start: Callable[[Utterance, float], None],
        on_end: Callable[[Utterance, float], None],
    ) -> None:
        self._world, self._on_start, self._on_end = world, on_start, on_end
        self.open: list[Utterance] = []
        """Those that are not over, in order; the first is the one that is spoken."""
        self._marks: dict[str, _Mark] = {}
        self._named = 0
        self._empty_at = 0.0
        """The time at which what was sent will have been played, as far as can be known."""

    @property
    def current(self) -> Utterance | None:
        """Return the utterance that is spoken, if any of its audio was sent."""
        return self.open[0] if self.open and self.open[0].begun else None

    @property
    def full(self) -> bool:
        """Return whether nothing more can be queued."""
        text = sum(len(each.text) for each in self.open)
        return len(self.open) >= MAX_QUEUED or text >= MAX_QUEUED_TEXT

    def add(self, utterance: Utterance) -> None:
        """Queue an utterance."""
        self.open.append(utterance)

    def next_piece(self, now: float, *, hold: bool) -> Piece | None:
        """Take the sentence that is to be synthesised now, if there is one.

        `hold`: the caller speaks, so nothing that may be interrupted begins.
        """
        if (self._empty_at - now) * 1000 > AHEAD_MS:
            return None
        for utterance in list(self.open):
            if utterance.all_sent:
                continue
            if not utterance.begun and not utterance.spoken and self._must_wait(utterance, hold):
                return None
            if utterance.spoken and not utterance.spoken[-1].complete:
                return None  # a sentence is being synthesised
            if utterance.sentences:
                return Piece(utterance, utterance.begin_sentence())
            self._close(utterance, now)  # nothing in it can be spoken
        return None

    def _must_wait(self, utterance: Utterance, hold: bool) -> bool:
        """Return whether an utterance must not begin yet: the caller speaks, or it may not be
        interrupted and a `clear` for the one before it would take its audio away.
        """
        before = [each for each in self.open if each.begun]
        if not before:
            return hold and utterance.barge_in
        return not utterance.barge_in and any(each.barge_in for each in before)

    def audio(self, piece: Piece, pcm: bytes, now: float) -> bool:
        """Send audio of a sentence, with marks. Return False if it is not wanted any more."""
        utterance = piece.utterance
        if utterance.over:
            return False
        if not utterance.begun:
            self._mark(utterance, 0.0)
            utterance.next_mark_ms = MARK_MS
        while pcm:
            room = int((utterance.next_mark_ms - utterance.sent_ms) * BYTES_A_MS)
            part, pcm = pcm[:room], pcm[room:]
            self._world.send_audio(part)
            ms = len(part) / BYTES_A_MS
            utterance.add(ms)
            self._empty_at = max(self._empty_at, now) + ms / 1000
            if utterance.sent_ms >= utterance.next_mark_ms:
                if len(self._marks) < MAX_MARKS_AHEAD:
                    self._mark(utterance, utterance.sent_ms)
                utterance.next_mark_ms += MARK_MS
        return True

    def sentence_done(self, piece: Piece, now: float, *, failed: bool = False) -> None:
        """Note that a sentence was synthesised to its end, or that this failed."""
        utterance = piece.utterance
        if utterance.over:
            return
        utterance.spoken[-1].complete = not failed
        if failed:
            utterance.failed = True
            utterance.sentences.clear()
        if not utterance.sentences:
            self._close(utterance, now)

    def _close(self, utterance: Utterance, now: float) -> None:
        """Send the last mark of an utterance: what was sent of it is heard before it ends."""
        utterance.all_sent = True
        if utterance.sent_ms or not utterance.failed:
            self._mark(utterance, utterance.sent_ms, last=True)
            self._empty_at = max(self._empty_at, now)
        else:
            self._end(utterance, "interrupted", "failed", now)

    def _mark(self, utterance: Utterance, place_ms: float, *, last: bool = False) -> None:
        self._named += 1
        name = f"v{self._named}"
        self._marks[name] = _Mark(utterance, place_ms, last)
        self._world.send({"type": "mark", "name": name})

    def mark(self, name: str, *, played: bool, now: float) -> None:
        """Take a mark that came back. Marks of audio that was cleared mean nothing any more."""
        mark = self._marks.pop(name, None)
        if mark is None or mark.utterance.over:
            return
        utterance = mark.utterance
        if not played:  # we did not ask for it: the stream broke, or another cleared it
            self._end(utterance, "interrupted", "failed", now)
            return
        if not utterance.started:
            utterance.played(mark.place_ms, now)
            self._on_start(utterance, now)
        utterance.played(mark.place_ms, now)
        if mark.last:
            state, why = ("interrupted", "failed") if utterance.failed else ("finished", None)
            self._end(utterance, state, why, now)

    def drop(self, why: str, now: float, *, all_of_them: bool = True) -> list[Utterance]:
        """End what is spoken and what waits, or only what may be interrupted. Return what ended."""
        dropped = [each for each in self.open if all_of_them or each.barge_in]
        sent = any(each.begun for each in dropped)
        for each in dropped:
            self._end(each, "interrupted", why, now)
        if sent:
            self._world.clear()
            self._empty_at = now
        return dropped

    def tick(self, now: float) -> None:
        """End an utterance whose last mark was lost."""
        first = self.open[0] if self.open else None
        if first and first.all_sent and now - max(self._empty_at, first.marked_at) > LOST_S:
            self._end(first, "interrupted", "failed", now)

    def heard_ms(self, utterance: Utterance, now: float) -> float:
        """Return how many ms of an utterance were heard by now."""
        waiting = [mark.place_ms for mark in self._marks.values() if mark.utterance is utterance]
        return utterance.position(now, min(waiting, default=utterance.sent_ms))

    def _end(self, utterance: Utterance, state: str, why: str | None, now: float) -> None:
        finished = state == "finished"
        heard_ms = utterance.sent_ms if finished else self.heard_ms(utterance, now)
        self._marks = {
            name: mark for name, mark in self._marks.items() if mark.utterance is not utterance
        }
        utterance.end(state, why, heard_ms)
        self.open.remove(utterance)
        self._on_end(utterance, now)
