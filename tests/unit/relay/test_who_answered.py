"""The detector of who answered a call that was dialled, by the audio that it hears."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common import g711
from relay.core.who_answered import (
    DECIDE_MS,
    GREETING_WITHIN_MS,
    SILENT_MS,
    AnswerDetector,
    Answered,
    GreetingEnded,
)
from tests.support.answers import HELD_OUT, NOISES, FarEnd, far_ends, tone

EDGE_MS = 60


def ulaw(*parts):
    """Pairs of a wave's Hz (0: silence) and its ms, as mu-law."""
    waves = [tone(hz, ms) if hz else np.zeros(ms * 8) for hz, ms in parts]
    return g711.encode(np.concatenate(waves).astype("<i2").tobytes())


def words(ms):
    """What sounds like speech by its levels: noise in syllables."""
    chance = np.random.default_rng(ms)
    syllables = np.repeat(np.resize([1.0, 0.7, 1.0, 0.05], ms // 60 + 1), 480)[: ms * 8]
    wave = chance.normal(size=ms * 8) * 3000 * syllables
    return g711.encode(np.clip(wave, -32000, 32000).astype("<i2").tobytes())


def heard(audio, until="greeting_end", size=160):
    """All that the detector finds in audio that comes in messages of `size` bytes."""
    detector, found = AnswerDetector(until), []
    for start in range(0, len(audio), size):
        found += detector.hear(audio[start : start + size], start / 8000)
    return found


@cache
def outcomes() -> list[tuple[FarEnd, list]]:
    """The half of the synthesised far ends that no constant was chosen by, and what is found."""
    return [(far_end, heard(far_end.ulaw)) for far_end in far_ends(HELD_OUT)]


def by(kind, noise="any"):
    of = [found for end, found in outcomes() if end.by == kind and noise in ("any", end.noise)]
    return Counter(found[0].by for found in of)


def test_nine_of_ten_far_ends_are_told_apart() -> None:
    right = sum(found[0].by == end.by for end, found in outcomes())
    assert right >= 0.9 * len(outcomes()), [by(k) for k in ("human", "machine", "fax", "unknown")]


@pytest.mark.parametrize("noise", NOISES, ids=str)
def test_noise_of_the_line_is_not_taken_for_words(noise) -> None:
    people, machines = by("human", noise), by("machine", noise)
    assert people["human"] >= 0.9 * people.total()
    assert machines["machine"] >= 0.85 * machines.total()


def test_a_fax_is_never_taken_for_a_person_and_nobody_for_a_fax() -> None:
    assert set(by("fax")) == {"fax"}
    assert all(found[0].by != "fax" for end, found in outcomes() if end.by != "fax")


def test_a_person_does_not_wait_for_us_in_vain() -> None:
    """A second after the last word, which is what somebody waits before the next `hello?`."""
    waits = [
        found[0].at_ms - end.said_ms
        for end, found in outcomes()
        if end.by == "human" and found[0].by == "human"
    ]
    assert np.median(waits) <= 1200
    assert max(waits) <= 1500


def test_the_end_of_a_greeting_is_where_its_beep_ends_or_a_while_after_its_last_word() -> None:
    machines = [
        (e, found) for e, found in outcomes() if e.by == "machine" and found[0].by == "machine"
    ]
    for end, found in machines:
        (ended,) = found[1:]
        assert ended.by == ("beep" if end.beep else "silence"), (end.text, end.noise)
        late = ended.at_ms - end.said_ms
        assert -EDGE_MS <= late <= 400 if end.beep else 1000 <= late <= 3500, (end.text, late)


def test_hello_and_a_pause_is_a_person() -> None:
    assert [f.by for f in heard(ulaw((0, 400)) + words(600) + ulaw((0, 2000)))] == ["human"]


def test_who_talks_on_is_a_machine_though_nobody_has_heard_the_end() -> None:
    (found,) = heard(words(8000), until="answer")
    assert found.by == "machine"
    assert found.at_ms <= 4000


def test_silence_is_nobody_that_can_be_told() -> None:
    assert heard(ulaw((0, 10_000))) == [Answered("unknown", SILENT_MS)]


def test_a_short_greeting_with_a_beep_is_a_machine_and_over_at_once() -> None:
    answered, ended = heard(words(600) + ulaw((0, 300), (1000, 400), (0, 1000)))
    assert answered.by == "machine"
    assert (ended.by, ended.at_ms) == ("beep", pytest.approx(1300, abs=EDGE_MS))


def test_a_beep_of_a_fax_frequency_after_words_is_a_machine_beep() -> None:
    audio = words(4000) + ulaw((0, 300), (1100, 500), (0, 3000))
    assert [f.by for f in heard(audio)] == ["machine", "beep"]


@pytest.mark.parametrize("hz", [2100, 1100])
def test_the_tones_of_a_fax_are_known_within_two_seconds(hz) -> None:
    ms = 3300 if hz == 2100 else 500
    (found,) = heard(ulaw((0, 500), (hz, ms), (0, 3000)))
    assert found.by == "fax"
    assert found.at_ms <= 2000


def test_a_machine_that_talks_forever_is_given_up() -> None:
    *_, ended = heard(words(40_000))
    assert ended == GreetingEnded("timeout", GREETING_WITHIN_MS)


def test_a_tone_that_does_not_end_is_nobody_that_can_be_told() -> None:
    assert heard(ulaw((425, 20_000))) == [Answered("unknown", DECIDE_MS)]


NETWORK_TONES = {
    "ringing in the US": ((440, 480), 2000, 4000),
    "ringing in Europe": ((425,), 1000, 4000),
    "ringing in Britain": ((400, 450), 400, 200),
    "busy in the US": ((480, 620), 500, 500),
    "busy in Europe": ((425,), 500, 500),
    "a dial tone": ((350, 440), 20_000, 0),
}


@pytest.mark.parametrize("name", NETWORK_TONES)
def test_tones_of_a_network_are_neither_words_nor_a_beep(name) -> None:
    """A switchboard may answer first, and ring on."""
    frequencies, on_ms, off_ms = NETWORK_TONES[name]
    waves = [sum(tone(hz, on_ms, 4000.0) for hz in frequencies), np.zeros(off_ms * 8)] * 10
    audio = g711.encode(np.concatenate(waves).astype("<i2").tobytes())
    assert [f.by for f in heard(audio[: 8 * 15_000])] == ["unknown"]


def test_a_far_end_that_sends_nothing_in_its_pauses_is_heard_as_silent() -> None:
    detector = AnswerDetector("answer")
    assert detector.hear(words(600), 0.0) == []
    (found,) = detector.hear(ulaw((0, 20)), 3.0)
    assert found.by == "human"


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 900), min_size=1, max_size=30))
def test_the_sizes_of_messages_change_nothing(sizes) -> None:
    audio = words(600) + ulaw((0, 500), (1000, 300), (0, 500))
    detector, found, at, number = AnswerDetector("greeting_end"), [], 0, 0
    while at < len(audio):
        size = sizes[number % len(sizes)]
        found += detector.hear(audio[at : at + size], at / 8000)
        at, number = at + size, number + 1
    assert [(f.by, f.at_ms) for f in found] == [(f.by, f.at_ms) for f in heard(audio)]


@settings(max_examples=30, deadline=None)
@given(st.binary(min_size=1, max_size=4000), st.floats(0, 100))
def test_any_bytes_at_any_time_are_survived_and_decided_once(noise, step) -> None:
    detector, found = AnswerDetector("greeting_end"), []
    for number in range(100):
        found += detector.hear(noise, number * step)
    assert [type(f) for f in found] in ([], [Answered], [Answered, GreetingEnded])
