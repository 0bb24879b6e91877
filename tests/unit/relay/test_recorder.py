"""A recording has what the caller said and heard, sample by sample on one time line."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.recorder import SEGMENT_S, Recorder, Segment
from relay.core.recording_tracks import JITTER, MAX_HELD, LiveTrack
from relay.protocol import tones
from relay.protocol.hold_music import MUSIC
from relay.protocol.line import Line as Hold
from relay.protocol.line import Source
from relay.protocol.recording import WantedRecording
from tests.unit.relay.scene import Scene

FRAME = 160
SILENCE = 0xFF
LOST_S = 5.0
"""The most of a recording that may be lost with the relay."""


def wanted(number: int = 1, state: str = "on", **more: object) -> WantedRecording:
    recording_id = str(more.pop("recording_id", "rec_1"))
    return WantedRecording(number, recording_id, state, 0, **more)  # type: ignore[arg-type]


def speech(frames: int, seed: int = 1) -> list[bytes]:
    """Return frames no two of which are alike, and none of which has silence."""
    made = np.random.default_rng(seed).integers(0, 0xFF, (frames, FRAME), dtype=np.uint8)
    return [each.tobytes() for each in made]


def tracks(segments: list[Segment], seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Return what was said and heard, by its place since the recording began."""
    both = np.full((round(seconds * 8000), 2), SILENCE, dtype=np.uint8)
    for each in segments:
        stereo = np.frombuffer(each.stereo, dtype=np.uint8).reshape(-1, 2)
        both[each.start_ms * 8 :][: len(stereo)] = stereo[: len(both) - each.start_ms * 8]
    return both[:, 0], both[:, 1]


def place(track: np.ndarray, sound: bytes) -> int:
    """Return where a sound begins in a track."""
    found = track.tobytes().find(sound)
    assert found >= 0, "the sound is not in the track"
    return found


class Line:
    """A recorded call: the caller speaks all the time."""

    def __init__(self, scene: Scene, *, state: str = "on", beep: bool = False) -> None:
        self.scene, self.began = scene, scene.now
        scene.bridge.record(wanted(state=state, beep=beep), scene.now, scene.now)
        self.said: list[bytes] = []

    @property
    def at(self) -> float:
        return self.scene.now - self.began

    def talk(self, frames: list[bytes], agent: list[bytes] | None = None) -> None:
        """Let the caller say these frames, and the agent send its own at the same pace."""
        for index, frame in enumerate(frames):
            if agent is not None and index < len(agent):
                self.scene.bridge.agent_audio(agent[index], self.scene.now)
            self.scene.now += 0.02
            self.scene.bridge.caller_audio(frame, self.scene.now)
        self.said += frames

    def end(self) -> tuple[np.ndarray, np.ndarray]:
        self.scene.answer("watch", "ended", "caller_hangup")
        return tracks(self.scene.actions.segments, self.at)


def test_both_sides_are_recorded_sample_by_sample_where_they_were_said_and_heard(
    live: Scene,
) -> None:
    line = Line(live)
    said, answered = speech(700), speech(300, seed=2)
    line.talk(said[:250])
    spoken_at = line.at
    line.talk(said[250:550], agent=answered)
    line.talk(said[550:])
    left, right = line.end()
    assert left.tobytes() == b"".join(said)
    heard = b"".join(answered)
    assert place(right, heard) == round(spoken_at * 8000)
    assert (right[: round(spoken_at * 8000)] == SILENCE).all()
    assert (right[round(spoken_at * 8000) + len(heard) :] == SILENCE).all()
    assert live.actions.recordings_over == ["rec_1"]


def test_audio_that_the_agent_sends_ahead_is_where_the_caller_hears_it(live: Scene) -> None:
    line = Line(live)
    sent = b"".join(speech(500, seed=3))
    line.talk(speech(50))
    live.bridge.agent_audio(sent, live.now)
    line.talk(speech(600))
    _, right = line.end()
    assert place(right, sent) == 8000


def test_what_a_clear_cuts_off_is_not_in_it_and_what_follows_is_heard_at_once(live: Scene) -> None:
    line = Line(live)
    cut, after = b"".join(speech(500, seed=3)), b"".join(speech(50, seed=4))
    live.bridge.agent_audio(cut, live.now)
    line.talk(speech(120))
    live.send(type="clear")
    line.talk(speech(10))
    live.bridge.agent_audio(after, live.now)
    line.talk(speech(100))
    _, right = line.end()
    heard = round(120 * FRAME)
    assert right[:heard].tobytes() == cut[:heard]
    assert (right[heard : heard + 10 * FRAME] == SILENCE).all()
    assert place(right, after) == heard + 10 * FRAME
    assert right.tobytes().count(cut[heard : heard + FRAME]) == 0


def test_a_pause_is_silence_on_both_sides_and_places_stay_times_of_the_call(live: Scene) -> None:
    line = Line(live)
    said, agent = speech(400), speech(400, seed=2)
    line.talk(said[:100], agent[:100])
    live.bridge.record(wanted(2, "paused"), line.began, live.now)
    line.talk(said[100:300], agent[100:300])
    live.bridge.record(wanted(3, "on"), line.began, live.now)
    line.talk(said[300:], agent[300:])
    left, right = line.end()
    for track, whole in ((left, said), (right, agent)):
        assert track[: 100 * FRAME].tobytes() == b"".join(whole[:100])
        assert (track[100 * FRAME : 300 * FRAME] == SILENCE).all()
        assert track[300 * FRAME :].tobytes() == b"".join(whole[300:])


def test_nothing_is_recorded_before_it_is_wanted_or_after_it_ends(live: Scene) -> None:
    live.bridge.caller_audio(speech(1)[0], live.now)
    line = Line(live)
    line.talk(speech(50))
    live.bridge.record(wanted(2, "off"), line.began, live.now)
    assert live.actions.recordings_over == ["rec_1"]
    line.talk(speech(500, seed=5))
    assert sum(len(each.stereo) for each in live.actions.segments) == 2 * 50 * FRAME


def test_an_answer_that_was_overtaken_changes_nothing(live: Scene) -> None:
    line = Line(live)
    live.bridge.record(wanted(3, "off"), line.began, live.now)
    live.bridge.record(wanted(2, "on"), line.began, live.now)
    line.talk(speech(300))
    assert not live.actions.segments


def test_a_second_recording_follows_the_first_at_once(live: Scene) -> None:
    line = Line(live)
    line.talk(speech(20))
    live.bridge.record(wanted(3, recording_id="rec_2"), live.now, live.now)
    line.talk(speech(20, seed=2))
    line.end()
    assert [each.recording_id for each in live.actions.segments] == ["rec_1", "rec_2"]
    assert live.actions.segments[1].stereo[::2] == b"".join(speech(20, seed=2))
    assert live.actions.segments[1].start_ms == 0


def test_on_hold_what_the_caller_says_and_the_music_that_is_heard_are_recorded(
    live: Scene,
) -> None:
    line = Line(live)
    said, cut, after = speech(300), b"".join(speech(200, seed=2)), speech(50, seed=3)
    live.bridge.agent_audio(cut, live.now)
    line.talk(said[:50])
    live.bridge.follow_line(Hold(1, "hold", Source("music")), live.now)
    for frame in said[50:250]:
        live.bridge.tick(live.now)
        line.talk([frame])
    live.bridge.follow_line(Hold(2), live.now)
    line.talk(said[250:], agent=after)
    left, right = line.end()
    assert left.tobytes() == b"".join(said)
    assert right[: 50 * FRAME].tobytes() == cut[: 50 * FRAME]
    music = right[50 * FRAME : 250 * FRAME].tobytes()
    assert cut[50 * FRAME : 51 * FRAME] not in music
    assert MUSIC[:8000] in music
    assert right[250 * FRAME :].tobytes() == b"".join(after)


def test_a_beep_is_heard_and_recorded_once_a_stream_is_there(scene: Scene) -> None:
    line = Line(scene, beep=True)
    scene.now += 0.5
    scene.start_stream()
    line.talk(speech(100))
    assert place(line.end()[1], tones.beep()) == 4000
    assert scene.provider.heard() == tones.beep()


def test_a_relay_that_takes_the_call_over_later_beeps_no_more(scene: Scene) -> None:
    scene.bridge.record(wanted(beep=True), scene.now - 60, scene.now)
    scene.start_stream()
    assert scene.provider.heard() == b""


def test_the_next_relay_goes_on_at_its_time_and_the_gap_is_silence(scene: Scene) -> None:
    began = scene.now
    scene.start_stream()
    line = Line(scene)
    line.talk(speech(300))
    second = Scene()
    second.now = scene.now + 1.5
    second.bridge.record(wanted(), began, second.now)
    second.start_stream()
    said = speech(300, seed=6)
    for frame in said:
        second.now += 0.02
        second.bridge.caller_audio(frame, second.now)
    second.answer("watch", "ended")
    left, _ = tracks(scene.actions.segments + second.actions.segments, second.now - began)
    assert abs(place(left, b"".join(said)) - round(7.5 * 8000)) <= JITTER


def test_frames_that_a_stall_delays_lie_where_they_were_said(live: Scene) -> None:
    line = Line(live)
    said = speech(400)
    line.talk(said[:100])
    late = said[100:180]
    live.now += 0.02 * len(late)
    for frame in late:
        live.bridge.caller_audio(frame, live.now)
    line.talk(said[180:])
    left, _ = line.end()
    assert left.tobytes() == b"".join(said)


def test_a_gap_in_the_stream_is_silence_as_long_as_it_was(live: Scene) -> None:
    line = Line(live)
    before, after = speech(100), speech(200, seed=2)
    line.talk(before)
    live.now += 1.0
    line.talk(after)
    left, _ = line.end()
    assert left[: len(before) * FRAME].tobytes() == b"".join(before)
    assert abs(place(left, b"".join(after)) - (100 * FRAME + 8000)) <= JITTER


def test_a_burst_of_more_than_is_held_is_placed_at_once() -> None:
    track = LiveTrack(0)
    burst = speech(MAX_HELD // FRAME + 1)
    for frame in burst[:-1]:
        track.receive(frame, 8 * MAX_HELD)
    assert not track.settle(8 * MAX_HELD)
    track.receive(burst[-1], 8 * MAX_HELD)
    assert track.settle(8 * MAX_HELD)
    assert track.take(8 * MAX_HELD).endswith(b"".join(burst))


@pytest.mark.parametrize("drift", [60e-6, -60e-6])
def test_a_provider_whose_clock_is_wrong_stays_in_step_for_an_hour(drift: float) -> None:
    segments: list[Segment] = []
    recorder = Recorder(segments.append, lambda _: None)
    recorder.follow(wanted(), 0.0, 0.0)
    marked = speech(1, seed=9)[0]
    every = 50 * 60 * 20
    for number in range(3 * every + 60):
        now = (number + 1) * 0.02 * (1 + drift)
        frame = marked if number % every == every - 1 else bytes([0x55]) * FRAME
        recorder.said(frame, now)
    recorder.end()
    left, _ = tracks(segments, 3 * every * 0.02 + 2)
    found = place(left[3500 * 8000 :], marked) + 3500 * 8000 + FRAME
    assert abs(found - 3 * every * 0.02 * (1 + drift) * 8000) <= 20 * 8


@given(
    lateness=st.lists(st.integers(0, 12), min_size=300, max_size=300),
    cut=st.integers(20, 280),
)
def test_jitter_neither_loses_nor_repeats_a_sample(lateness: list[int], cut: int) -> None:
    segments: list[Segment] = []
    recorder = Recorder(segments.append, lambda _: None)
    recorder.follow(wanted(), 50.0, 50.0)
    said, now = speech(300), 50.0
    for number, (frame, late) in enumerate(zip(said, lateness, strict=True)):
        now = max(now, 50.0 + (number + 1) * 0.02 + late / 1000)
        recorder.said(frame, now)
        if number == cut:
            recorder.plays(frame, now + 1, now)
            recorder.cut(now)
    recorder.end()
    left, right = tracks(segments, 6.2)
    whole = b"".join(said)
    assert place(left, whole[FRAME:]) <= FRAME + 20 * 8
    assert (right == SILENCE).all()


@pytest.mark.parametrize("seed", range(40))
def test_a_relay_that_is_killed_at_any_moment_loses_less_than_five_seconds(seed: int) -> None:
    chance = random.Random(seed)
    scene = Scene()
    scene.start_stream()
    scene.join_agent()
    line = Line(scene)
    count = chance.randrange(1, 1500)
    said, agent = speech(count), speech(count, seed=2)
    line.talk(said, agent)
    kept = scene.actions.segments
    covered = sum(len(each.stereo) for each in kept) // 2
    assert covered / 8000 >= line.at - LOST_S
    left, right = tracks(kept, covered / 8000)
    assert left.tobytes() == b"".join(said)[:covered]
    assert right.tobytes() == b"".join(agent)[:covered]


def test_a_call_without_audio_for_an_hour_makes_no_segments_of_silence(live: Scene) -> None:
    line = Line(live)
    line.talk(speech(50))
    live.lose_stream()
    live.now += 3600
    live.start_stream()
    line.talk(speech(50, seed=2))
    line.end()
    assert len(live.actions.segments) <= 3
    assert all(len(each.stereo) <= 2 * SEGMENT_S * 8000 for each in live.actions.segments)
    assert live.actions.segments[-1].start_ms > 3590_000


def test_a_frame_costs_next_to_nothing() -> None:
    recorder = Recorder(lambda _: None, lambda _: None)
    recorder.follow(wanted(), 0.0, 0.0)
    frame = speech(1)[0]
    began = time.process_time()
    for number in range(50_000):
        now = (number + 1) * 0.02
        recorder.said(frame, now)
        recorder.plays(frame, now, now)
    each_us = (time.process_time() - began) / 50_000 * 1e6
    print(f"{each_us:.2f} us for a frame of both sides")
    assert each_us < 40
