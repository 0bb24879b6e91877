"""Legs of a call: meeting, going, coming back, being replaced; and the call's end."""

from __future__ import annotations

from relay.wire.agent import AudioFormat
from tests.unit.relay.scene import FakeLeg, Scene, call


def test_start_comes_first_and_only_once_both_legs_are_there(scene: Scene) -> None:
    agent = scene.join_agent(AudioFormat())
    assert agent.texts == []
    scene.start_stream()
    (start,) = agent.said()
    assert start == {
        "type": "start",
        "protocol": "1",
        "resumed": False,
        "call": call("active"),
        "audio": {
            "format": "pcm_s16le",
            "sample_rate": 16000,
            "channels": 1,
            "frame_duration_ms": 20,
            "frame_bytes": 640,
        },
    }


def test_agent_that_comes_second_gets_start_at_once(scene: Scene) -> None:
    scene.start_stream()
    assert scene.join_agent().said()[0]["type"] == "start"


def test_held_agent_has_the_call_watched_every_second(scene: Scene) -> None:
    scene.join_agent()
    for _ in range(3):
        assert scene.wait(0.9) == []
        assert scene.wait(0.1) == ["watch"]
        assert scene.wait(0.5) == [], "an unanswered question is not asked twice"
        scene.answer("watch", "ringing")


def test_held_agent_hears_that_the_call_is_over(scene: Scene) -> None:
    agent = scene.join_agent()
    scene.wait(1)
    scene.answer("watch", "missed", "ring_timeout")
    assert agent.said() == [{"type": "stop", "reason": "ring_timeout", "state": "missed"}]
    assert agent.closed == (1000, "the call is over")
    assert scene.port.forgotten
    assert scene.bridge.over


def test_held_agent_that_leaves_leaves_nothing_behind(scene: Scene) -> None:
    scene.join_agent()
    assert scene.wait(1) == ["watch"]
    scene.lose_agent()
    assert scene.port.forgotten
    scene.bridge.answered("watch", call("active"), scene.now + 60, scene.now)
    assert scene.wait(100) == []


def test_watching_slows_down_when_the_stream_is_there(scene: Scene) -> None:
    scene.join_agent()
    scene.wait(1)
    scene.start_stream()
    scene.answer("watch")
    assert scene.wait(12.4) == []
    assert scene.wait(0.1) == ["watch"]


def test_agent_may_come_back_within_its_grace_and_is_told_it_resumed(live: Scene) -> None:
    live.lose_agent()
    assert live.wait(9.9) == []
    live.bridge.caller_audio(b"\xff" * (16000 + 800), live.now)
    back = live.join_agent()
    start, dropped = back.said()
    assert (start["type"], start["resumed"]) == ("start", True)
    assert dropped == {"type": "dropped", "direction": "to_agent", "ms": 100, "why": "no_agent"}
    assert live.told(100) == []
    assert live.provider.closed is None


def test_agent_that_stays_away_is_reported_and_the_call_obeys(live: Scene) -> None:
    live.lose_agent()
    assert live.wait(10) == ["agent_lost"]
    live.answer("agent_lost", "ended", "agent_lost")
    assert live.provider.closed == (1000, "the call is over")
    assert live.port.forgotten


def test_agent_lost_is_reported_again_while_the_application_keeps_the_call(live: Scene) -> None:
    live.lose_agent()
    live.wait(10)
    live.answer("agent_lost", "active")
    assert live.wait(2) == ["agent_lost"]


def test_late_answer_does_not_shorten_a_new_grace(live: Scene) -> None:
    live.lose_agent()
    assert live.wait(10) == ["agent_lost"]
    live.join_agent()
    live.lose_agent()
    live.answer("agent_lost", "active")
    assert live.told(9.9) == []
    assert live.wait(0.1) == ["agent_lost"]


def test_no_agent_is_reported_thirty_seconds_after_the_stream_began(scene: Scene) -> None:
    scene.start_stream()
    assert scene.told(29.9) == []
    assert scene.told(0.1) == ["no_agent"]


def test_agent_in_time_is_not_reported(scene: Scene) -> None:
    scene.start_stream()
    scene.wait(29)
    scene.join_agent()
    assert scene.told(100) == []


def test_second_agent_replaces_the_first(live: Scene) -> None:
    first = live.agent
    second = live.join_agent()
    assert first.closed == (4409, "replaced by a newer connection")
    assert second.said()[0]["resumed"] is True
    live.bridge.agent_gone(first, live.now)
    live.bridge.caller_audio(b"abc", live.now)
    assert (second.audio, first.audio) == ([b"abc"], [])
    assert live.told(100) == []


def test_second_agent_replaces_a_held_one_without_a_second_watch(scene: Scene) -> None:
    first = scene.join_agent()
    scene.now += 0.5
    scene.join_agent()
    assert first.closed is not None
    assert scene.wait(0.5) == ["watch"]


def test_lost_stream_is_watched_at_growing_steps_then_reported(live: Scene) -> None:
    live.lose_stream()
    began = live.now
    times = []
    while (kinds := live.wait(live.port.wakes[-1] - live.now)) == ["watch"]:
        times.append(live.now - began)
        live.answer("watch")
    assert times == [0.25, 0.75, 1.75, 2.75, 3.75, 4.75, 5.75, 6.75, 7.75, 8.75, 9.75]
    assert (kinds, live.now - began) == (["media_lost"], 10)
    assert live.agent.closed is None
    live.answer("media_lost", "failed", "media_failed")
    assert live.agent.said("stop") == [
        {"type": "stop", "reason": "media_failed", "state": "failed"}
    ]


def test_lost_stream_of_a_call_that_is_over_stops_the_agent(live: Scene) -> None:
    live.lose_stream()
    assert live.wait(0.25) == ["watch"]
    live.answer("watch", "ended", "caller_hangup")
    assert live.agent.said() == [{"type": "stop", "reason": "caller_hangup", "state": "ended"}]
    assert live.agent.closed == (1000, "the call is over")


def test_new_stream_goes_on_with_the_same_agent_socket(live: Scene) -> None:
    live.lose_stream()
    live.wait(0.25)
    live.start_stream()
    live.answer("watch")
    assert live.agent.said() == []
    live.bridge.caller_audio(b"abc", live.now)
    live.bridge.agent_audio(b"xyz", live.now)
    assert live.agent.audio == [b"abc"]
    assert live.provider.heard() == b"xyz"
    assert live.told(100) == []


def test_newer_stream_replaces_the_older(live: Scene) -> None:
    old = live.provider
    new = live.start_stream()
    assert old.closed == (1000, "replaced by a newer stream")
    live.bridge.provider_gone(old, live.now)
    live.bridge.agent_audio(b"xyz", live.now)
    assert new.heard() == b"xyz"
    assert live.told(100) == []


def test_agent_that_comes_back_while_the_stream_is_lost_is_held(live: Scene) -> None:
    live.lose_stream()
    live.lose_agent()
    back = live.join_agent(AudioFormat())
    assert back.said() == []
    live.start_stream()
    assert back.said()[0]["resumed"] is True


def test_stream_that_comes_back_while_the_agent_is_away_keeps_its_grace(live: Scene) -> None:
    live.lose_agent()
    live.now += 5
    live.start_stream()
    assert live.wait(4.9) == []
    assert live.wait(0.1) == ["agent_lost"]


def test_stream_lost_before_any_agent_came_is_reported_as_lost(scene: Scene) -> None:
    scene.start_stream()
    scene.lose_stream()
    assert sorted(scene.wait(10)) == ["media_lost", "watch"]
    scene.join_agent()
    scene.lose_agent()
    assert not scene.port.forgotten


def test_end_of_the_longest_duration_is_reported_and_obeyed(live: Scene) -> None:
    live.bridge.update(call("active"), live.now + 60, live.now)
    assert live.told(59) == []
    assert live.wait(1) == ["max_duration"]
    live.answer("max_duration", "ended", "max_duration")
    assert live.agent.said("stop")[0]["reason"] == "max_duration"
    assert live.provider.closed is not None


def test_duration_that_was_lengthened_is_waited_for_anew(live: Scene) -> None:
    live.bridge.update(call("active"), live.now + 60, live.now)
    live.wait(60)
    live.bridge.answered("max_duration", call("active"), live.now + 30, live.now)
    assert live.wait(29) == []
    assert live.wait(1) == ["max_duration"]


def test_duration_that_is_past_is_asked_again_without_haste(live: Scene) -> None:
    live.bridge.update(call("active"), live.now - 5, live.now)
    assert live.wait(0.1) == []
    assert live.wait(2) == ["max_duration"]


def test_hangup_is_reported_at_once_and_only_once(live: Scene) -> None:
    live.send(type="hangup")
    live.send(type="hangup")
    assert live.port.wakes[-1] == live.now
    assert live.wait(0) == ["agent_hangup"]
    live.answer("agent_hangup", "ended", "agent_hangup")
    assert live.agent.said() == [{"type": "stop", "reason": "agent_hangup", "state": "ended"}]
    assert live.provider.closed == (1000, "the call is over")


def test_hangup_of_a_ringing_call_is_said_to_be_impossible(scene: Scene) -> None:
    scene.join_agent()
    scene.send(type="hangup")
    scene.wait(0)
    scene.answer("agent_hangup", "ringing")
    (error,) = scene.agent.said()
    assert (error["type"], error["code"]) == ("error", "not_active")
    scene.send(type="hangup")
    assert scene.wait(0) == ["agent_hangup"]


def test_reports_that_get_no_answer_are_repeated_and_audio_goes_on(live: Scene) -> None:
    live.send(type="hangup")
    for _ in range(100):
        assert "agent_hangup" in live.wait(2)
        live.bridge.unanswered("agent_hangup", live.now)
    live.bridge.caller_audio(b"abc", live.now)
    live.bridge.agent_audio(b"xyz", live.now)
    assert live.agent.audio == [b"abc"]
    assert live.provider.heard() == b"xyz"


def test_call_without_stream_is_let_go_when_the_application_stays_silent(live: Scene) -> None:
    live.lose_stream()
    began = live.now
    while not live.port.forgotten:
        assert live.now - began < 70
        for kind in live.wait(1):
            live.bridge.unanswered(kind, live.now)
    assert live.now - began >= 60
    assert live.agent.closed == (1013, "the application cannot be reached")


def test_one_answer_starts_the_patience_anew(live: Scene) -> None:
    live.lose_stream()
    live.wait(0.25)
    live.bridge.unanswered("watch", live.now)
    live.wait(59)
    live.answer("watch")
    live.wait(5)
    live.bridge.unanswered("watch", live.now)
    assert not live.port.forgotten


def test_answers_after_the_end_change_nothing(live: Scene) -> None:
    live.bridge.shut(1001, "going away")
    assert live.agent.closed == live.provider.closed == (1001, "going away")
    live.answer("watch", "ended")
    live.bridge.unanswered("watch", live.now)
    live.bridge.update(call("ended"), None, live.now)
    assert live.agent.said() == []
    assert live.wait(100) == []


def test_calls_that_end_without_an_agent_close_the_stream(scene: Scene) -> None:
    scene.start_stream()
    scene.bridge.update(call("ended", "agent_hangup"), None, scene.now)
    assert scene.provider.closed == (1000, "the call is over")


def test_gone_legs_that_were_never_here_are_ignored(live: Scene) -> None:
    live.bridge.agent_gone(FakeLeg(), live.now)
    live.bridge.provider_gone(FakeLeg(), live.now)
    assert live.told(100) == []
