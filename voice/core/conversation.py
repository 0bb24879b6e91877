"""One hosted call: what the caller says, what is said to them, and who waits for either.

It takes the caller's audio, the relay's messages, what the engines have made, and the time; it acts
on its `World`. It does no I/O and reads no clock: `now` is in seconds.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Any

from common.voice_requests import BadRequestError, Clear, ClearResult, Listen, Say, Uttered, read
from voice.core.answers import Answers
from voice.core.call_clock import CallClock
from voice.core.call_settings import CallSettings
from voice.core.hearing import KEPT_FINALS, Hearing
from voice.core.interfaces import World
from voice.core.playout import Piece, Playout
from voice.core.turn_taking import IsSpeech
from voice.core.utterance import Utterance
from voice.core.voices import UnknownChoiceError, Voices

HOLD_S = 5.0
"""While the caller speaks an utterance waits this long, and is then spoken anyway."""
KEPT_IDS = 256
"""Utterances that are remembered, so that none is spoken twice."""


class Conversation:
    """One call, from the relay's socket to its end."""

    def __init__(
        self,
        world: World,
        settings: CallSettings,
        voices: Voices,
        is_speech: IsSpeech,
        clock: CallClock,
    ) -> None:
        self._world, self._settings, self._voices, self._clock = world, settings, voices, clock
        self.started = False
        self.over = False
        self.hearing = Hearing(world, settings, is_speech, clock, self._caller_said)
        self.playout = Playout(world, self._utterance_started, self._utterance_ended)
        self._uttered: deque[Uttered] = deque(maxlen=KEPT_FINALS)
        self._answers = Answers(world, self.hearing.finals, self._uttered, self.playout.heard_ms)
        self._known: OrderedDict[str, Utterance] = OrderedDict()
        self._held_since: float | None = None
        self._armed_for: Utterance | None = None
        """The utterance that the caller's speech would interrupt."""
        self._over_speech = False
        """True while an utterance is spoken over a caller who spoke before it began."""

    def message(self, message: Mapping[str, Any], now: float) -> None:
        """Take a text message of the relay. Keys and unknown messages are ignored."""
        kind = message.get("type")
        if kind == "start":
            self._start(resumed=message.get("resumed") is True)
        elif kind == "mark":
            self.playout.mark(
                str(message.get("name")), played=message.get("played") is True, now=now
            )
        elif kind == "request":
            self._request(message, now)
        elif kind == "stop":
            self.close("call_over", now)

    def _start(self, *, resumed: bool) -> None:
        self.started = True
        if resumed:
            self._world.report({"type": "resumed"})

    def audio(self, ulaw: bytes, now: float) -> None:
        """Take audio of the caller, mu-law."""
        if self.over:
            return
        self.hearing.audio(ulaw, now)
        self._maybe_barge_in(now)

    def _maybe_barge_in(self, now: float) -> None:
        current, turns = self.playout.current, self.hearing.turns
        if not turns.speaking:
            self._over_speech = False
        if current is not self._armed_for:
            turns.arm()
            self._over_speech = self._armed_for is None and turns.speaking
            self._armed_for = current
        if current is None or not current.barge_in or self._over_speech or not turns.barges_in:
            return
        self._world.count("barge_ins")
        self.playout.drop("barge_in", now, all_of_them=False)
        self._armed_for = self.playout.current

    def next_piece(self, now: float) -> Piece | None:
        """Take the sentence that is to be synthesised now, if there is one."""
        if self.over or not self.started:
            return None
        held = self.hearing.turns.speaking and self.playout.current is None
        if not (held and self.playout.open):
            self._held_since = None
        elif self._held_since is None:
            self._held_since = now
        since = self._held_since
        return self.playout.next_piece(now, hold=since is not None and now - since < HOLD_S)

    def tick(self, now: float) -> None:
        """Do what is due. To be called a few times each second."""
        self.playout.tick(now)
        self._answers.tick(now, self.hearing.speaking)

    def close(self, why: str, now: float) -> None:
        """End everything that is spoken or waits: the call or its connection is over."""
        if self.over:
            return
        self.hearing.break_off(now)
        self.over = True
        self.playout.drop(why, now)
        self._answers.close()

    def _request(self, message: Mapping[str, Any], now: float) -> None:
        request_id = message.get("id")
        if not isinstance(request_id, str):
            return  # nobody could be answered
        if self.over:
            self._answers.error(request_id, "call_over", "the call is over")
            return
        if self._answers.full:
            self._answers.error(request_id, "too_many", "too many requests of this call wait")
            return
        try:
            request = read(message.get("method"), message.get("params"))
        except BadRequestError as error:
            self._answers.error(request_id, "bad_request", str(error))
            return
        if isinstance(request, Say):
            self._say(request_id, request, now)
        elif isinstance(request, Clear):
            dropped = self.playout.drop("cleared", now)
            cleared = [each.utterance_id for each in dropped]
            self._answers.result(request_id, ClearResult(cleared=cleared))
        else:
            self._listen(request_id, request, now)

    def _listen(self, request_id: str, listen: Listen, now: float) -> None:
        last = self.hearing.numbering.last
        self._answers.listen(request_id, listen, last, now, self.hearing.speaking)

    def _say(self, request_id: str, say: Say, now: float) -> None:
        utterance = self._known.get(say.utterance_id)
        if utterance is None:
            try:
                utterance = self._new_utterance(say)
            except UnknownChoiceError as error:
                self._answers.error(request_id, error.code, str(error), choices=error.choices)
                return
            if say.interrupt:
                self.playout.drop("replaced", now)
            if self.playout.full:
                detail = "too much waits to be spoken; wait, or interrupt"
                self._answers.error(request_id, "queue_full", detail)
                return
            self._remember(utterance)
            self.playout.add(utterance)
        self._answers.say(request_id, say, utterance, now, self._clock.ms(now))

    def _new_utterance(self, say: Say) -> Utterance:
        name, language = say.name, say.language
        if name is None and language is None:
            name, language = self._settings.name, self._settings.language
        return Utterance(
            utterance_id=say.utterance_id,
            text=say.text,
            voice=self._voices.choose(name, language).voice,
            speed=say.speed or self._settings.speed or 1.0,
            barge_in=say.barge_in,
        )

    def _remember(self, utterance: Utterance) -> None:
        self._known[utterance.utterance_id] = utterance
        if len(self._known) > KEPT_IDS:
            self._known.popitem(last=False)

    def _caller_said(self, now: float) -> None:
        self._answers.said(now, self.hearing.speaking)

    def _utterance_started(self, utterance: Utterance, now: float) -> None:
        utterance.started_ms = self._clock.ms(now)
        self._report(utterance, "started")

    def _utterance_ended(self, utterance: Utterance, now: float) -> None:
        self._world.count(utterance.state)
        number = self.hearing.numbering.next(self._clock.ms(now))
        self._report(utterance, utterance.state, sequence=number)
        self._keep(utterance, number)
        self._answers.utterance_ended(utterance, now, self._clock.ms(now))

    def _keep(self, utterance: Utterance, number: int) -> None:
        """Keep for `listen` what the transcript gets of an utterance."""
        if utterance.heard_text and self._settings.transcript is not False:
            started = utterance.started_ms or 0
            self._uttered.append(
                Uttered(
                    sequence=number,
                    utterance_id=utterance.utterance_id,
                    text=utterance.heard_text,
                    started_ms=started,
                    ended_ms=started + utterance.heard_ms,
                    interrupted=utterance.state == "interrupted",
                )
            )

    def _report(self, utterance: Utterance, state: str, **more: Any) -> None:
        self._world.report(
            {
                "type": "speech",
                "utterance_id": utterance.utterance_id,
                "state": state,
                "heard_text": utterance.heard_text if utterance.over else None,
                "heard_ms": utterance.heard_ms,
                "why": utterance.why,
                "started_ms": utterance.started_ms,
                **more,
            }
        )
