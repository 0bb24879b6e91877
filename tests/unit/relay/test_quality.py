"""What a relay finds out about the audio of a call."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from common import g711, media_stream
from common.call_facts import MAX_MARKS, MAX_STEPS, pack, quantile, unpack
from relay.core.counters import Counters
from relay.core.levels import LevelBand
from relay.core.quality import CallQuality
from relay.protocol.line import Line, Source
from tests.unit.relay.scene import Scene

SILENCE = b"\xff" * 160


def tone(ms: int, amplitude: int = 20000, hz: int = 400) -> bytes:
    samples = (round(amplitude * math.sin(2 * math.pi * hz * n / 8000)) for n in range(ms * 8))
    return g711.encode(b"".join(each.to_bytes(2, "little", signed=True) for each in samples))


def hear(quality: CallQuality, frames: list[bytes], start: float, every: float = 0.02) -> float:
    for number, frame in enumerate(frames):
        quality.caller_spoke(frame, start + number * every)
    return start + len(frames) * every


def begun(at: float = 1000.0) -> CallQuality:
    quality = CallQuality(Counters())
    quality.stream_began(at)
    return quality


def test_the_callers_levels_show_where_the_tone_was() -> None:
    quality = begun()
    at = hear(quality, [SILENCE] * 50, 1000.0)
    at = hear(quality, [tone(20)] * 25, at)
    at = hear(quality, [SILENCE] * 25, at)
    levels = unpack(quality.take_piece(at).caller)
    assert levels[:10] == [0] * 10
    assert min(levels[10:15]) >= 13
    assert levels[15:] == [0] * 5


@given(st.sampled_from([200, 400, 440, 697, 1000, 1209, 2000]), st.integers(500, 32000))
def test_levels_are_three_decibels_apart_whatever_the_tone(hz: int, amplitude: int) -> None:
    loud, band = LevelBand(0.0), LevelBand(0.0)
    loud.add(tone(20, 32000, hz), 0.0)
    band.add(tone(20, amplitude, hz), 0.0)
    softer_db = 20 * math.log10(32000 / amplitude)
    step = loud.take(1)[0] - band.take(1)[0]
    assert abs(step * 3 - softer_db) <= 6


def test_what_the_caller_heard_is_placed_where_it_was_played() -> None:
    quality = begun()
    quality.played(tone(500), 0.0, 1001.0)  # all sent at once
    quality.played(SILENCE * 25, 1001.5, 1001.0)
    quality.played(tone(500), 1002.0, 1001.0)
    levels = unpack(quality.take_piece(1004.0).heard)
    assert [level > 10 for level in levels] == (
        [False] * 10 + [True] * 5 + [False] * 5 + [True] * 5 + [False] * 15
    )


def test_what_a_clear_cut_is_not_in_the_levels() -> None:
    quality = begun()
    quality.played(tone(900), 0.0, 1000.0)
    quality.cut(1000.3)
    quality.cleared(0.6, 1000.3, marks=False)
    quality.played(tone(200), 0.0, 1000.8)
    levels = unpack(quality.take_piece(1002.0).heard)
    assert [level > 10 for level in levels[:12]] == [True] * 4 + [False] * 4 + [True] * 2 + [
        False
    ] * 2
    assert quality.sums().clears == 1
    assert quality.sums().underruns == 0, "a cleared queue has not run out"


def test_a_gap_and_a_late_frame_are_told_apart() -> None:
    quality = begun()
    at = hear(quality, [SILENCE] * 10, 1000.0)
    at = hear(quality, [SILENCE] * 10, at + 0.03)  # 50 ms after the one before
    hear(quality, [SILENCE] * 10, at + 0.48)
    sums = quality.sums()
    assert (sums.frames, sums.late, sums.gaps, sums.gap_ms) == (30, 1, 1, 500)
    gap = next(mark for mark in quality.take_piece(1002.0).marks if mark.type == "gap")
    assert (gap.at_ms, gap.ms) == (410, 500)


def test_audio_that_runs_out_within_what_is_said_is_an_underrun_and_a_pause_is_none() -> None:
    quality = begun()
    quality.played(SILENCE, 0.0, 1000.0)
    quality.played(SILENCE, 1000.02, 1000.03)  # 10 ms late: nobody hears it
    quality.played(SILENCE, 1000.05, 1000.15)  # 100 ms late
    quality.played(SILENCE, 1000.17, 1003.0)  # the agent's next words
    assert (quality.sums().underruns, quality.sums().underrun_ms) == (1, 100)


def test_a_barge_in_is_measured_by_the_echo_of_a_mark_that_it_cleared() -> None:
    scene = Scene()
    scene.start_stream()
    scene.join_agent()
    scene.bridge.agent_audio(tone(1000), scene.now)
    scene.send(type="mark", name="said")
    scene.now += 0.2
    scene.send(type="clear")
    scene.now += 0.09
    echo_all_marks(scene)
    assert scene.counters.clear_to_silence.total > 89
    assert quantile(scene.counters.clear_to_silence.bounds, scene.counters.clear_to_silence.counts,
                    0.95) == 100  # fmt: skip
    echo_all_marks(scene)
    assert sum(scene.counters.clear_to_silence.counts) == 1, "a later echo is none of it"


def echo_all_marks(scene: Scene) -> None:
    mark = media_stream.Mark(media_stream.MarkDetail("chamade-1"), "MZ1")
    scene.bridge.caller_message(mark, scene.now)


def test_the_times_of_the_first_audio_and_the_agent_count_from_the_stream() -> None:
    scene = Scene()
    scene.start_stream()
    scene.now += 0.4
    scene.join_agent()
    scene.now += 0.1
    scene.bridge.quality.caller_spoke(SILENCE, scene.now)
    scene.now += 0.25
    scene.bridge.agent_audio(tone(20), scene.now)
    sums = scene.bridge.quality.sums()
    assert (sums.agent_ms, sums.caller_audio_ms, sums.agent_audio_ms) == (400, 500, 750)
    assert (sums.streams, sums.agents) == (1, 1)


def test_a_stream_that_comes_again_is_counted_and_drops_what_the_old_one_had_queued() -> None:
    scene = Scene()
    scene.start_stream()
    scene.join_agent()
    scene.bridge.agent_audio(tone(1000), scene.now)
    scene.now += 0.3
    scene.start_stream()
    scene.now += 1
    quality = scene.bridge.quality
    assert quality.sums().streams == 2
    assert [level > 10 for level in unpack(quality.take_piece(scene.now).heard)] == (
        [True] * 4 + [False] * 8
    )


def test_pieces_follow_one_another_without_a_seam() -> None:
    quality = begun()
    frames = [tone(20) if n // 25 % 2 else SILENCE for n in range(200)]
    for number, frame in enumerate(frames):
        quality.caller_spoke(frame, 1000.0 + number * 0.02)
    whole, pieces = [], []
    for at in (1000.73, 1001.5, 1001.52, 1004.0):
        piece = quality.take_piece(at)
        assert piece.step == len(whole)
        whole += unpack(piece.caller)
        pieces.append(piece)
    assert [level > 10 for level in whole] == [n // 5 % 2 == 1 for n in range(40)]
    assert all(piece.caller and piece.heard for piece in pieces[::3])


def test_a_call_keeps_no_more_than_its_bounds() -> None:
    quality = begun()
    for number in range(MAX_MARKS * 3):
        quality.pressed(1000.0 + number)
    for minute in range(60 * 5):
        quality.caller_spoke(tone(20), 1000.0 + minute * 60)
    quality.caller_spoke(tone(20), 1000.0 + 4 * 3600 + 60)
    piece = quality.take_piece(1000.0 + 5 * 3600)
    assert len(piece.marks) == MAX_MARKS
    assert len(unpack(piece.caller)) <= 1800
    band = LevelBand(0.0)
    band.add(tone(20), 4 * 3600 + 5.0)
    assert len(band.take(MAX_STEPS * 2)) <= MAX_STEPS


@given(st.lists(st.integers(0, 15), max_size=50))
def test_levels_are_packed_without_loss(levels: list[int]) -> None:
    assert unpack(pack(levels))[: len(levels)] == levels


def test_holds_are_marked_and_are_no_barge_ins() -> None:
    scene = Scene()
    scene.start_stream()
    scene.join_agent()
    scene.bridge.agent_audio(tone(1000), scene.now)
    scene.now += 0.3
    held = Line(number=1, mode="hold", source=Source(kind="silence"))
    scene.bridge.line.follow(held, scene.now, state="active")
    scene.now += 1.0
    scene.bridge.line.follow(Line(number=2), scene.now, state="active")
    quality = scene.bridge.quality
    marks = [(mark.type, mark.at_ms) for mark in quality.take_piece(scene.now).marks]
    assert marks[-2:] == [("hold", 300), ("talk", 1300)]
    assert quality.sums().clears == 0


def test_audio_of_a_source_or_another_call_says_nothing_of_the_agent() -> None:
    quality = begun()
    quality.switched("hold", 1000.0)
    quality.played(SILENCE, 0.0, 1000.0)
    quality.played(SILENCE, 1000.02, 1000.2)
    assert (quality.sums().underruns, quality.sums().agent_audio_ms) == (0, None)
    quality.switched("agent", 1001.0)
    quality.played(SILENCE, 0.0, 1002.0)
    assert quality.sums().agent_audio_ms == 2000
