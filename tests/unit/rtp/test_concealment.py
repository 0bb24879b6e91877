"""Tests of concealment: a tone goes on where audio is missing, fades, and comes back smoothly."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.rtp.concealment import SILENT_AFTER, Concealment
from gateway.rtp.g711 import FRAME, SILENT_FRAME, to_linear
from tests.unit.rtp.streams import tone


def after(frames=5, hz=200.0):
    concealment = Concealment()
    for at in range(frames):
        frame = tone(FRAME, hz, start=at * FRAME)
        assert concealment.hear(frame) == frame
    return concealment


def level(ulaw):
    return float(np.sqrt(np.mean(to_linear(ulaw).astype(float) ** 2)))


@pytest.mark.parametrize("hz", [100, 150, 200, 440, 1000])
def test_a_tone_goes_on_in_its_phase(hz):
    concealment = after(hz=hz)
    wanted = to_linear(tone(80, hz, start=5 * FRAME))
    made_up = to_linear(concealment.conceal(FRAME))[:80]
    error = np.sqrt(np.mean((made_up - wanted) ** 2)) / np.sqrt(np.mean(wanted**2))
    assert error < 0.35


def test_it_fades_out_and_is_silent_after_60_ms():
    concealment = after()
    levels = [level(concealment.conceal(FRAME)) for _ in range(3)]
    assert levels[0] > levels[1] > levels[2] > 0
    assert concealment.conceal(FRAME) == SILENT_FRAME
    assert SILENT_AFTER == 3 * FRAME


def test_pieces_of_any_size_continue_each_other():
    whole, pieces = after(), after()
    made_up = b"".join(pieces.conceal(size) for size in (1, 79, 80, 33, 127))
    assert made_up == whole.conceal(160) + whole.conceal(160)


def test_audio_comes_back_without_a_click():
    concealment = after()
    before = concealment.conceal(FRAME)
    came = tone(FRAME, 200, start=6 * FRAME)
    back = concealment.hear(came)
    joined = to_linear(before + back)
    steepest = np.abs(np.diff(to_linear(tone(800, 200)))).max()
    assert np.abs(np.diff(joined)).max() < 2 * steepest
    assert back[80:] == came[80:]
    assert concealment.hear(came) == came


def test_audio_that_comes_back_in_another_phase_is_faded_in():
    concealment = after(hz=200)
    before = concealment.conceal(FRAME)
    back = concealment.hear(tone(FRAME, 200, start=6 * FRAME + 10))  # a quarter of its period on
    joined = to_linear(before + back)
    steepest = np.abs(np.diff(to_linear(tone(800, 200)))).max()
    assert np.abs(np.diff(joined)).max() < 2 * steepest


def test_silence_and_too_little_audio_are_concealed_by_silence():
    assert Concealment().conceal(FRAME) == SILENT_FRAME
    concealment = Concealment()
    for _ in range(4):
        concealment.hear(SILENT_FRAME)
    assert concealment.conceal(FRAME) == SILENT_FRAME
    short = Concealment()
    short.hear(tone(FRAME))
    assert short.conceal(FRAME) == SILENT_FRAME


def test_a_pause_is_silence_and_what_follows_is_left_as_it_is():
    concealment = after()
    assert concealment.rest(FRAME) == SILENT_FRAME
    frame = tone(FRAME)
    assert concealment.hear(frame) == frame


def test_where_a_frame_is_left_out_the_two_sides_are_blended():
    concealment = after()
    left_out, following = tone(FRAME, 200, start=0), tone(FRAME, 200, start=50)
    spliced = concealment.splice(left_out, following)
    assert spliced[40:] == following[40:]
    assert abs(to_linear(spliced)[0] - to_linear(left_out)[0]) < 500
