"""A call on hold: who hears what, what the agent may do, and nothing of it left behind."""

from __future__ import annotations

import pytest

from common import media_stream
from relay.core.agent_to_caller import UNHEARD
from relay.core.interfaces import AgentAddress
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


def test_an_agent_that_hangs_up_while_held_may_go_if_the_call_goes_on(live: Scene) -> None:
    hold(live)
    live.send(type="hangup")
    assert live.wait_without_watches(0) == ["agent_hangup"]
    live.agent.said()
    live.answer("agent_hangup")
    assert live.agent.said() == [{"type": "stop", "reason": "transferred", "state": "active"}]
    assert live.agent.closed == (1000, "the call was transferred")
    assert live.wait_without_watches(60) == []
    resume(live)
    assert live.wait_without_watches(9.9) == []
    assert live.wait_without_watches(0.2) == ["agent_lost"]


def test_a_hang_up_that_ends_a_held_call_ends_it(live: Scene) -> None:
    hold(live)
    live.send(type="hangup")
    live.wait(0)
    live.agent.said()
    live.answer("agent_hangup", "ended", "agent_hangup")
    assert live.agent.said() == [{"type": "stop", "reason": "agent_hangup", "state": "ended"}]


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


# Agents that the relay dials


AGENT_ADDRESS = AgentAddress("wss://agent.example/")


def join_dialled(scene: Scene) -> RecordingLeg:
    scene.bridge.tick(scene.now)
    scene.actions.dialled.clear()
    scene.agent = RecordingLeg(dialled=True)
    scene.bridge.agent_joined(scene.agent, MULAW, scene.now)
    return scene.agent


@pytest.fixture
def dialled(scene: Scene) -> Scene:
    """A call whose agent was dialled and is there."""
    scene.bridge.set_agent_address(AGENT_ADDRESS)
    scene.start_stream()
    join_dialled(scene)
    return scene


def test_a_dialled_agent_that_is_lost_during_a_hold_is_dialled_again_and_held(
    dialled: Scene,
) -> None:
    hold(dialled)
    dialled.lose_agent()
    dialled.wait(0.1)
    assert dialled.actions.dialled == [AGENT_ADDRESS]
    again = join_dialled(dialled)
    assert [message["type"] for message in again.said()] == ["start", "held"]


@pytest.mark.parametrize(("before", "report"), [(True, "agent_lost"), (False, "no_agent")])
def test_a_dial_that_fails_for_good_during_a_hold_is_reported_at_its_end(
    scene: Scene, before: bool, report: str
) -> None:
    scene.bridge.set_agent_address(AGENT_ADDRESS)
    scene.start_stream()
    if before:
        join_dialled(scene)
    hold(scene)
    if before:
        scene.lose_agent()
    scene.wait(0.1)
    scene.bridge.dial_failed("private", scene.now, final=True)
    assert scene.wait_without_watches(60) == []
    resume(scene)
    assert scene.wait_without_watches(0) == [report]


def test_an_agent_that_is_to_leave_while_it_is_dialled_is_turned_away(scene: Scene) -> None:
    scene.bridge.set_agent_address(AGENT_ADDRESS)
    scene.start_stream()
    scene.wait(0.1)
    follow(scene, 1, "hold", source={"kind": "music"}, agent="leave")
    late = join_dialled(scene)
    assert late.closed == (1000, "the call was transferred")
    scene.wait(60)
    assert scene.actions.dialled == []
    resume(scene)
    scene.wait(0.5)
    assert scene.actions.dialled == [AGENT_ADDRESS]


def test_a_dialled_agent_that_left_is_not_dialled_until_it_is_wanted_again(
    dialled: Scene,
) -> None:
    follow(dialled, 1, "hold", source={"kind": "music"}, agent="leave")
    dialled.lose_agent()
    dialled.lose_stream()
    dialled.start_stream()
    dialled.wait(60)
    assert dialled.actions.dialled == []
    resume(dialled)
    dialled.wait(0.5)
    assert dialled.actions.dialled == [AGENT_ADDRESS]


def test_a_dialled_agent_that_hangs_up_while_held_is_missed_after_the_hold_and_not_dialled(
    dialled: Scene,
) -> None:
    hold(dialled)
    dialled.bridge.agent_gone(dialled.agent, dialled.now, hung_up=True)
    assert dialled.wait_without_watches(0) == ["agent_hangup"]
    dialled.answer("agent_hangup")
    assert dialled.wait_without_watches(60) == []
    resume(dialled)
    assert dialled.wait_without_watches(10.1) == ["agent_lost"]
    assert dialled.actions.dialled == []
