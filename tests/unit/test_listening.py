"""Tests of the comparison of recordings: it finds what was played, and notices what is missing."""

import numpy as np

from common import g711
from gateway.softphone import wav
from local import listening
from local.layout import ROOT

FRAME = 160
SILENCE = np.zeros(FRAME, np.int16)


def clip() -> listening.Samples:
    played = wav.read(ROOT / "examples" / "audio" / "greeting.wav")
    return g711.DECODE_TABLE[np.frombuffer(played, np.uint8)]


def with_silence_at(sound: listening.Samples, *places: int) -> listening.Samples:
    """A frame of silence at each place, as a jitter buffer that ran dry puts it there."""
    return np.insert(sound, np.repeat(places, FRAME), 0)


def test_a_sound_that_arrived_late_but_complete_is_found():
    recorded = np.concatenate([np.tile(SILENCE, 20), clip()])
    for match in (listening.find(clip(), recorded), listening.follow(clip(), recorded)):
        assert match.heard
        assert match.share == 1.0
        assert match.slips == 0
        assert match.at_ms == 400.0


def test_a_sound_with_a_pause_in_it_is_followed_and_not_found():
    recorded = with_silence_at(clip(), 9000, 21000)
    assert not listening.find(clip(), recorded).heard
    followed = listening.follow(clip(), recorded)
    assert followed.heard
    assert followed.slips == 2


def test_a_sound_that_slipped_early_is_followed_from_its_beginning():
    recorded = with_silence_at(clip(), 5000)
    followed = listening.follow(clip(), recorded)
    assert followed.heard
    assert followed.at_ms == 0.0


def test_a_sound_with_lost_frames_is_neither_found_nor_followed():
    recorded = clip().copy()
    for at in range(0, len(recorded), 8000):
        recorded[at : at + 1600] = 0
    for match in (listening.find(clip(), recorded), listening.follow(clip(), recorded)):
        assert not match.heard
        assert match.share < 0.9


def test_a_sound_in_wrong_order_is_not_followed():
    half = len(clip()) // 2
    swapped = np.concatenate([clip()[half:], clip()[:half]])
    assert listening.follow(clip(), swapped).share < 0.7


def test_another_sound_is_not_found():
    noise = np.random.default_rng(1).normal(0, 3000, len(clip())).astype(np.int16)
    for match in (listening.find(clip(), noise), listening.follow(clip(), noise)):
        assert match.share < 0.1


def test_an_empty_recording_matches_nothing():
    nothing = np.zeros(0, np.int16)
    assert listening.follow(clip(), nothing).share == 0.0
    assert listening.find(clip(), nothing).share == 0.0
