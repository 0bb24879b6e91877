"""A call on hold: who hears what, what the agent may do, and nothing of it left behind."""

from __future__ import annotations

import pytest

from common import media_stream
from relay.core.agent_to_caller import UNHEARD
from relay.core.line_source import AHEAD_S
from relay.core.requests_to_agent import RefusedRequestError
from relay.protocol import tones
from relay.protocol.agent import AudioFormat
from relay.protocol.hold_music import MUSIC
from relay.protocol.twilio_dialect import TwilioDialect
from tests.unit.relay.line_scene import Player, follow, hold, resume
from tests.unit.relay.scene import MULAW, RecordingLeg, Scene

CALLER, AGENT = b"\x11" * 160, b"\x22" * 160


def press(scene: Scene, digit: str) -> None:
    message = media_stream.Dtmf(media_stream.DtmfDetail(digit))
    scene.bridge.caller_message(message, scene.now)


def test_the_caller_hears_the_music_from_its_begin_and_in_real_time(live: Scene) -> None:
    player = Player(live)
    hold(live)
    assert player.pass_time(25) == (MUSIC * 2)[: 25 * 8000]
    assert player.longest_queue <= AHEAD_S * 8000


def test_the_agents_audio_is_neither_heard_during_a_hold_nor_after_it(live: Scene) -> None:
    player = Player(live)
    live.bridge.agent_audio(AGENT * 100, live.now)
    assert player.pass_time(0.1) == AGENT * 5
    hold(live)
    live.bridge.agent_audio(AGENT * 100, live.now)
    assert player.pass_time(1) == MUSIC[:8000]
    resume(live)
    live.bridge.agent_audio(b"\x33" * 160, live.now)
    assert player.pass_time(1) == b"\x33" * 160


def test_the_callers_audio_reaches_the_agent_again_after_the_hold_and_none_of_it(
    live: Scene,
) -> None:
    hold(live)
    live.bridge.caller_audio(CALLER, live.now)
    resume(live)
    live.bridge.caller_audio(b"\x12" * 160, live.now)
    assert live.agent.audio == [b"\x12" * 160]


def test_the_agent_is_told_both_and_no_drops(live: Scene) -> None:
    hold(live)
    live.bridge.agent_audio(AGENT, live.now)
    live.wait(2)
    resume(live)
    assert live.agent.said() == [{"type": "held", "why": "hold"}, {"type": "unheld"}]
    assert live.counters.dropped.total() == 0


def test_an_agent_is_told_why_if_it_is_a_transfer(live: Scene) -> None:
    hold(live)
    follow(live, 2, "hold", source={"kind": "music"}, why="transfer")
    assert live.agent.said() == [
        {"type": "held", "why": "hold"},
        {"type": "held", "why": "transfer"},
    ]


def test_marks_of_what_was_queued_come_back_unplayed_and_so_do_marks_of_a_held_agent(
    live: Scene,
) -> None:
    live.bridge.agent_audio(AGENT, live.now)
    live.send(type="mark", name="before")
    hold(live)
    live.send(type="mark", name="during")
    unplayed = [(m["name"], m["played"]) for m in live.agent.said("mark")]
    assert unplayed == [("before", False), ("during", False)]


def test_a_held_agent_can_neither_press_keys_nor_clear_the_music(live: Scene) -> None:
    player = Player(live)
    hold(live)
    live.agent.said()
    live.send(type="dtmf", digits="1")
    live.send(type="clear")
    assert [message["code"] for message in live.agent.said()] == ["held"]
    assert player.pass_time(0.5) == MUSIC[:4000]


def test_commands_through_the_door_are_refused_during_a_hold(live: Scene) -> None:
    hold(live)
    with pytest.raises(RefusedRequestError) as clear:
        live.bridge.commands.clear(live.now)
    with pytest.raises(RefusedRequestError) as keys:
        live.bridge.commands.press("1", live.now)
    assert (clear.value.code, keys.value.code) == ("held", "held")


def test_keys_of_the_caller_reach_a_held_agent(live: Scene) -> None:
    hold(live)
    live.agent.said()
    press(live, "5")
    assert live.agent.said() == [{"type": "dtmf", "digit": "5"}]
    assert live.actions.keys == ["5"]


def test_a_held_agent_that_floods_is_read_less_often(live: Scene) -> None:
    hold(live)
    for _ in range(round(UNHEARD[0]) + 10):
        live.bridge.agent_audio(b"\xff" * 8000, live.now)
    assert live.agent.pauses


def test_a_sample_that_is_cut_by_the_hold_does_not_shift_those_behind_it(scene: Scene) -> None:
    player = Player(scene)
    scene.start_stream()
    scene.join_agent(AudioFormat("pcm_s16le", 8000))
    hold(scene)
    scene.bridge.agent_audio(b"\x01", scene.now)
    resume(scene)
    scene.bridge.agent_audio(b"\x02" + b"\x00\x10" * 160, scene.now)
    assert set(player.pass_time(0.2)[1:]) == {0xAF}


def test_ringback_and_silence(live: Scene) -> None:
    player = Player(live)
    hold(live, 1, "ringback")
    assert player.pass_time(5) == tones.ringback()
    hold(live, 2, "silence")
    assert player.pass_time(5) == b""
    hold(live, 3, "ringback", country="US")
    assert player.pass_time(5)[:16000] == tones.ringback("US")[:16000]


def test_a_source_of_an_unknown_kind_is_music(live: Scene) -> None:
    hold(live, 1, "hologram")
    assert Player(live).pass_time(0.2) == MUSIC[:1600]


def test_a_clip_is_played_once_or_again_and_again(live: Scene) -> None:
    player, clip = Player(live), bytes(range(100, 150)) * 64
    hold(live, 1, "clip", clip_id="clip_1")
    assert player.pass_time(0.3) == b""
    live.bridge.line.clip_fetched("clip_1", clip, live.now)
    assert player.pass_time(1) == (clip * 3)[:8000]
    hold(live, 2, "clip", clip_id="clip_2", loop=False)
    live.bridge.line.clip_fetched("clip_2", clip, live.now)
    assert player.pass_time(1) == clip
    assert live.actions.clips == ["clip_1", "clip_2"]


def test_a_clip_that_cannot_be_had_is_music(live: Scene) -> None:
    hold(live, 1, "clip", clip_id="clip_1")
    live.bridge.line.clip_fetched("clip_1", None, live.now)
    assert Player(live).pass_time(0.2) == MUSIC[:1600]


def test_a_clip_that_comes_after_the_hold_is_not_played(live: Scene) -> None:
    hold(live, 1, "clip", clip_id="clip_1")
    resume(live)
    live.bridge.line.clip_fetched("clip_1", AGENT, live.now)
    assert Player(live).pass_time(0.2) == b""


def test_an_answer_that_was_overtaken_changes_nothing(live: Scene) -> None:
    player = Player(live)
    hold(live, 3)
    resume(live, 2)
    live.bridge.follow_line(None, live.now)
    assert player.pass_time(0.5) == MUSIC[:4000]
    hold(live, 3)
    assert player.pass_time(0.5) == MUSIC[4000:8000]
    resume(live, 4)
    hold(live, 3)
    assert player.pass_time(0.5) == b""


def test_a_relay_that_takes_the_call_over_begins_in_the_right_mode(scene: Scene) -> None:
    hold(scene, 7)
    scene.start_stream()
    scene.join_agent()
    scene.bridge.agent_audio(AGENT, scene.now)
    assert Player(scene).pass_time(0.5) == MUSIC[:4000]
    assert [message["type"] for message in scene.agent.said()] == ["start", "held"]


def test_the_source_goes_on_in_a_new_stream(live: Scene) -> None:
    player = Player(live)
    hold(live)
    player.pass_time(1)
    live.lose_stream()
    assert player.pass_time(0.5) != b""
    live.start_stream()
    heard = player.pass_time(1)
    assert heard in MUSIC
    assert len(heard) == 8000


def test_a_slow_provider_gets_no_more_and_the_source_waits(live: Scene) -> None:
    hold(live)
    live.provider.texts.clear()
    live.provider.choked = True
    live.wait(5)
    assert live.provider.heard() == b""
    live.provider.choked = False
    live.wait(0.5)
    assert live.provider.heard() == MUSIC[8000:16000]


def test_an_agent_that_is_lost_during_a_hold_has_ten_seconds_after_it(live: Scene) -> None:
    hold(live)
    live.lose_agent()
    assert live.wait_without_watches(60) == []
    resume(live)
    assert live.wait_without_watches(9.9) == []
    assert live.wait_without_watches(0.2) == ["agent_lost"]


def test_an_agent_that_is_away_when_the_hold_begins_has_ten_seconds_after_it(live: Scene) -> None:
    live.lose_agent()
    live.wait(9)
    hold(live)
    assert live.wait_without_watches(60) == []
    resume(live)
    live.wait(9.9)
    live.reports()
    assert live.wait_without_watches(0.2) == ["agent_lost"]


def test_a_call_without_any_agent_has_thirty_seconds_after_the_hold(scene: Scene) -> None:
    scene.start_stream()
    scene.wait(29)
    scene.reports()
    hold(scene)
    assert scene.wait_without_watches(60) == []
    resume(scene)
    assert scene.wait_without_watches(29.9) == []
    assert scene.wait_without_watches(0.2) == ["no_agent"]


def test_an_agent_that_comes_back_during_a_hold_is_not_missed_after_it(live: Scene) -> None:
    hold(live)
    live.lose_agent()
    live.wait(20)
    live.join_agent()
    assert [m["type"] for m in live.agent.said("start", "held")] == ["start", "held"]
    resume(live)
    assert live.agent.said() == [{"type": "unheld"}]
    assert live.wait_without_watches(60) == []


def test_a_stream_that_is_lost_during_a_hold_is_reported_as_ever(live: Scene) -> None:
    hold(live)
    live.lose_stream()
    assert live.wait_without_watches(9.9) == []
    assert live.wait_without_watches(0.2) == ["media_lost"]


def test_an_end_during_a_hold_closes_both_legs(live: Scene) -> None:
    hold(live)
    live.agent.said()
    live.answer("watch", "ended", "caller_hangup")
    assert live.agent.said() == [{"type": "stop", "reason": "caller_hangup", "state": "ended"}]
    assert (live.agent.closed, live.provider.closed) == ((1000, "the call is over"),) * 2
    assert live.wait(60) == []


def test_an_agent_that_hangs_up_while_held_is_reported(live: Scene) -> None:
    hold(live)
    live.send(type="hangup")
    assert live.wait_without_watches(0) == ["agent_hangup"]


def test_a_call_whose_agent_is_to_leave_goes_on_without_one(live: Scene) -> None:
    player = Player(live)
    follow(live, 1, "hold", source={"kind": "music"}, agent="leave")
    assert live.agent.said()[-1] == {"type": "stop", "reason": "transferred", "state": "active"}
    assert live.agent.closed == (1000, "the call was transferred")
    assert player.pass_time(60) != b""
    assert [kind for kind in live.reports() if kind != "watch"] == []


def test_an_agent_that_comes_when_there_is_to_be_none_is_turned_away(live: Scene) -> None:
    follow(live, 1, "hold", source={"kind": "music"}, agent="leave")
    late = RecordingLeg()
    assert not live.bridge.agent_joined(late, MULAW, live.now)
    assert late.said() == [{"type": "stop", "reason": "transferred", "state": "active"}]
    assert late.closed == (1000, "the call was transferred")


def test_an_agent_that_is_wanted_again_is_missed_after_ten_seconds(live: Scene) -> None:
    follow(live, 1, "hold", source={"kind": "music"}, agent="leave")
    live.wait(60)
    live.reports()
    resume(live)
    assert live.wait_without_watches(9.9) == []
    assert live.wait_without_watches(0.2) == ["agent_lost"]


def test_a_twilio_agents_time_stamps_go_on_by_the_hold(scene: Scene) -> None:
    scene.start_stream()
    dialect = TwilioDialect(lambda *_: None)
    leg = RecordingLeg(dialect)
    leg.send_audio = lambda audio: leg.send_text(dialect.media(audio))
    scene.bridge.agent_joined(leg, MULAW, scene.now)
    scene.bridge.caller_audio(CALLER, scene.now)
    hold(scene)
    scene.now += 3
    resume(scene)
    scene.bridge.caller_audio(CALLER, scene.now)
    assert [m["media"]["timestamp"] for m in leg.said("media")] == ["0", "3020"]
