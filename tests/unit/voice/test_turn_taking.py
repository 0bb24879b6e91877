"""Turns of the caller: when one begins, pauses, goes on and is over."""

from __future__ import annotations

from tests.unit.voice.tones import loud, pitch, silence, tone
from voice.core.turn_taking import (
    END_MS,
    FRAME_BYTES,
    LEAD_MS,
    MAX_TURN_MS,
    PAUSE_MS,
    Change,
    Turn,
    TurnTaking,
)


class Caller:
    def __init__(self) -> None:
        self.turns = TurnTaking(loud)
        self.changes: list[tuple[Change, Turn, int]] = []

    def says(self, pcm: bytes) -> list[Change]:
        before = len(self.changes)
        for at in range(0, len(pcm), FRAME_BYTES):
            for change, turn in self.turns.frame(pcm[at : at + FRAME_BYTES]):
                self.changes.append((change, turn, self.turns.heard_ms))
        return [change for change, _, _ in self.changes[before:]]

    def when(self, wanted: Change) -> int:
        return next(at for change, _, at in self.changes if change is wanted)


def test_a_turn_begins_with_speech_and_ends_after_a_silence():
    caller = Caller()
    assert caller.says(silence(600)) == []
    assert caller.says(tone(400, 500)) == [Change.STARTED]
    assert caller.says(silence(600)) == [Change.PAUSED, Change.ENDED]
    assert caller.when(Change.PAUSED) == 1100 + PAUSE_MS
    assert caller.when(Change.ENDED) == 1100 + END_MS
    turn = caller.changes[-1][1]
    assert (turn.started_ms, turn.ended_ms, turn.spoken_ms) == (600, 1100, 500)


def test_a_turn_has_its_first_sound_and_what_came_just_before():
    caller = Caller()
    caller.says(silence(1000) + tone(400, 200) + tone(600, 200) + silence(500))
    turn = caller.changes[-1][1]
    lead = (turn.started_ms - turn.pcm_from_ms) * 16
    assert 0 < lead <= LEAD_MS * 16
    assert not loud(bytes(turn.pcm[:lead]))
    assert pitch(bytes(turn.pcm[lead : lead + 200 * 16])) == 400
    assert pitch(bytes(turn.pcm[lead + 200 * 16 : lead + 400 * 16])) == 600


def test_a_caller_who_goes_on_after_a_pause_keeps_the_turn():
    caller = Caller()
    changes = caller.says(tone(400, 300) + silence(300) + tone(600, 300) + silence(500))
    assert changes == [
        Change.STARTED, Change.PAUSED, Change.WENT_ON, Change.PAUSED, Change.ENDED,
    ]  # fmt: skip
    assert len({turn.number for _, turn, _ in caller.changes}) == 1


def test_a_click_is_no_turn():
    caller = Caller()
    assert caller.says(tone(400, 60) + silence(600)) == [Change.STARTED, Change.NOTHING]
    assert caller.says(tone(400, 40) + silence(600)) == []


def test_noise_of_one_frame_does_not_keep_a_turn_open():
    caller = Caller()
    quiet = silence(80) + tone(400, 20)
    changes = caller.says(tone(400, 300) + quiet * 6)
    assert changes == [Change.STARTED, Change.PAUSED, Change.ENDED]


def test_endless_speech_is_cut_into_turns_without_losing_any():
    caller = Caller()
    caller.says(tone(400, 2 * MAX_TURN_MS + 1000) + silence(500))
    turns = [turn for change, turn, _ in caller.changes if change is Change.ENDED]
    assert len(turns) == 3
    assert max(len(turn.pcm) for turn in turns) <= MAX_TURN_MS * 16
    covered = turns[0].pcm_from_ms
    for turn in turns:
        assert turn.pcm_from_ms <= covered
        covered = turn.pcm_from_ms + len(turn.pcm) // 16
    assert covered >= 2 * MAX_TURN_MS + 1000


def test_partial_looks_come_while_the_caller_speaks_on():
    caller = Caller()
    assert caller.says(tone(400, 3500)).count(Change.PARTIAL) == 3


def test_only_speech_after_arming_interrupts():
    caller = Caller()
    caller.says(tone(400, 300))
    assert caller.turns.barges_in
    caller.turns.arm()
    assert not caller.turns.barges_in
    caller.says(tone(400, 100))
    assert not caller.turns.barges_in
    caller.says(tone(400, 20))
    assert caller.turns.barges_in


def test_audio_that_is_missing_ends_the_turn():
    caller = Caller()
    caller.says(tone(400, 300))
    assert [change for change, _ in caller.turns.gap()] == [Change.PAUSED, Change.ENDED]
    assert caller.turns.gap() == []
