"""Turn what the caller says into texts, in the order in which it was spoken."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from common import g711
from common.voice_requests import Said
from voice.core.call_clock import CallClock, Numbering
from voice.core.call_settings import CallSettings
from voice.core.interfaces import World
from voice.core.turn_taking import FRAME_BYTES, FRAME_MS, Change, IsSpeech, Turn, TurnTaking
from voice.engines.base import Heard

MAX_UNRECOGNISED = 8
"""Turns whose text is not there yet; a further turn has no text."""
MAX_TURN_TEXT = 2000
"""Characters of a turn's text; more cannot be said in that time."""
KEPT_FINALS = 200
"""Texts of the caller that `listen` can still return."""


@dataclass(slots=True)
class _Unrecognised:
    turn: Turn
    ended: bool = False
    silent_since: float = 0.0
    """The time at which the caller's speech ended, in s."""
    resolved: bool = False
    heard: Heard | None = None


class Hearing:
    """The caller of one call."""

    def __init__(
        self,
        world: World,
        settings: CallSettings,
        is_speech: IsSpeech,
        clock: CallClock,
        on_final: Callable[[float], None],
    ) -> None:
        self._world, self._settings, self._clock = world, settings, clock
        self._on_final = on_final
        self.turns = TurnTaking(is_speech)
        self.numbering = Numbering()
        self.finals: deque[Said] = deque(maxlen=KEPT_FINALS)
        self._unrecognised: dict[int, _Unrecognised] = {}
        self._begins: dict[int, int] = {}
        """Number of a turn -> its begin as reported, in ms since the answer: it must not change."""
        self._rest = bytearray()

    @property
    def speaking(self) -> bool:
        """Return whether the caller speaks, or has spoken and the text is not there yet."""
        return self.turns.speaking or bool(self._unrecognised)

    def audio(self, ulaw: bytes, now: float) -> None:
        """Take audio of the caller, mu-law, of any length."""
        self._rest += g711.decode(ulaw)
        while len(self._rest) >= FRAME_BYTES:
            frame = bytes(self._rest[:FRAME_BYTES])
            del self._rest[:FRAME_BYTES]
            if self._clock.heard(self.turns.heard_ms + FRAME_MS, now):
                self._take(self.turns.gap(), now)
            self._world.feed(frame)
            self._take(self.turns.frame(frame), now)

    def break_off(self, now: float) -> None:
        """End the turn that goes on, since no more audio comes."""
        self._take(self.turns.gap(), now)

    def _take(self, changes: list[tuple[Change, Turn]], now: float) -> None:
        for change, turn in changes:
            if change is Change.PAUSED:
                self._recognise(turn)
            elif change is Change.WENT_ON and turn.number in self._unrecognised:
                del self._unrecognised[turn.number]
                self._world.withdraw(turn)
            elif change is Change.PARTIAL and self._settings.partials:
                self._world.partial(turn)
            elif change is Change.ENDED and turn.number in self._unrecognised:
                waiting = self._unrecognised[turn.number]
                waiting.ended = True
                waiting.silent_since = now - (self.turns.heard_ms - turn.ended_ms) / 1000
                self._deliver(now)

    def _recognise(self, turn: Turn) -> None:
        if len(self._unrecognised) >= MAX_UNRECOGNISED:
            self._world.count("turns_lost")
            return
        self._unrecognised[turn.number] = _Unrecognised(turn)
        self._world.recognise(turn)

    def recognised(self, turn: Turn, heard: Heard | None, now: float) -> None:
        """Take the text of a turn, or None if there was no speech in it or it could not be
        recognised.
        """
        waiting = self._unrecognised.get(turn.number)
        if waiting is not None:
            waiting.resolved, waiting.heard = True, heard
            self._deliver(now)

    def partly_recognised(self, turn: Turn, text: str | None, now: float) -> None:
        """Take the text of a turn that goes on."""
        if text and text.strip() and self.turns.turn is turn:
            said = self._said(turn, Heard(text), now)
            self._report(said, final=False)

    def _deliver(self, now: float) -> None:
        while self._unrecognised:
            number, first = next(iter(self._unrecognised.items()))
            if not (first.ended and first.resolved):
                return
            del self._unrecognised[number]
            if first.heard is not None and first.heard.text.strip():
                self._world.count("final", (now - first.silent_since) * 1000)
                said = self._said(first.turn, first.heard, now)
                self.finals.append(said)
                self._report(said, final=True)
                self._on_final(now)
            self._begins.pop(number, None)

    def _said(self, turn: Turn, heard: Heard, now: float) -> Said:
        began = self._begins.setdefault(turn.number, self._clock.of_audio(turn.started_ms))
        sure = heard.confidence
        return Said(
            sequence=self.numbering.next(self._clock.ms(now)),
            text=heard.text.strip()[:MAX_TURN_TEXT],
            started_ms=began,
            ended_ms=max(began, self._clock.of_audio(turn.ended_ms)),
            confidence=sure if sure is None else min(1.0, max(0.0, sure)),
        )

    def _report(self, said: Said, *, final: bool) -> None:
        if self._settings.transcript is not False:
            item = {"type": "transcript", "speaker": "caller", **said, "final": final}
            self._world.report(item)
