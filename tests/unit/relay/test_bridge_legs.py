"""The legs of a bridge: joining, leaving, coming back, being replaced; and the call's end."""

from __future__ import annotations

from relay.protocol.agent import AudioFormat
from tests.unit.relay.scene import MULAW, STREAM, RecordingLeg, Scene, call


def test_start_is_the_first_message_and_is_sent_once_both_legs_are_there(scene: Scene) -> None:
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


def test_while_an_agent_waits_for_the_stream_the_call_is_watched_every_second(scene: Scene) -> None:
    scene.join_agent()
    for _ in range(3):
        assert scene.wait(0.9) == []
        assert scene.wait(0.1) == ["watch"]
        assert scene.wait(0.5) == [], "an unanswered question is not asked twice"
        scene.answer("watch", "ringing")


def test_an_agent_that_waits_is_told_when_the_call_is_over(scene: Scene) -> None:
    agent = scene.join_agent()
    scene.wait(1)
    scene.answer("watch", "missed", "ring_timeout")
    assert agent.said() == [{"type": "stop", "reason": "ring_timeout", "state": "missed"}]
    assert agent.closed == (1000, "the call is over")
    assert scene.actions.forgotten
    assert scene.bridge.over


def test_when_a_waiting_agent_leaves_the_call_is_forgotten(scene: Scene) -> None:
    scene.join_agent()
    assert scene.wait(1) == ["watch"]
    scene.lose_agent()
    assert scene.actions.forgotten
    scene.bridge.answered("watch", call("active"), scene.now + 60, scene.now)
    assert scene.wait(100) == []


def test_watching_slows_down_when_the_stream_is_there(scene: Scene) -> None:
    scene.join_agent()
    scene.wait(1)
    scene.start_stream()
    scene.answer("watch")
    assert scene.wait(12.4) == []
    assert scene.wait(0.1) == ["watch"]


def test_an_agent_may_come_back_in_time_and_is_told_that_it_resumes(live: Scene) -> None:
    live.lose_agent()
    assert live.wait(9.9) == []
    live.bridge.caller_audio(b"\xff" * (16000 + 800), live.now)
    back = live.join_agent()
    start, dropped = back.said()
    assert (start["type"], start["resumed"]) == ("start", True)
    assert dropped == {"type": "dropped", "direction": "to_agent", "ms": 100, "why": "no_agent"}
    assert live.wait_without_watches(100) == []
    assert live.provider.closed is None


def test_an_agent_that_stays_away_is_reported_and_the_answer_ends_the_call(live: Scene) -> None:
    live.lose_agent()
    assert live.wait(10) == ["agent_lost"]
    live.answer("agent_lost", "ended", "agent_lost")
    assert live.provider.closed == (1000, "the call is over")
    assert live.actions.forgotten


def test_agent_lost_is_reported_again_while_the_application_keeps_the_call(live: Scene) -> None:
    live.lose_agent()
    live.wait(10)
    live.answer("agent_lost", "active")
    assert live.wait(2) == ["agent_lost"]


def test_a_late_answer_does_not_shorten_the_agents_new_time_to_come_back(live: Scene) -> None:
    live.lose_agent()
    assert live.wait(10) == ["agent_lost"]
    live.join_agent()
    live.lose_agent()
    live.answer("agent_lost", "active")
    assert live.wait_without_watches(9.9) == []
    assert live.wait(0.1) == ["agent_lost"]


def test_no_agent_is_reported_thirty_seconds_after_the_stream_began(scene: Scene) -> None:
    scene.start_stream()
    assert scene.wait_without_watches(29.9) == []
    assert scene.wait_without_watches(0.1) == ["no_agent"]


def test_agent_in_time_is_not_reported(scene: Scene) -> None:
    scene.start_stream()
    scene.wait(29)
    scene.join_agent()
    assert scene.wait_without_watches(100) == []


def test_second_agent_replaces_the_first(live: Scene) -> None:
    first = live.agent
    second = live.join_agent()
    assert first.closed == (4409, "replaced by a newer connection")
    assert second.said()[0]["resumed"] is True
    live.bridge.agent_gone(first, live.now)
    live.bridge.caller_audio(b"abc", live.now)
    assert (second.audio, first.audio) == ([b"abc"], [])
    assert live.wait_without_watches(100) == []


def test_an_agent_that_replaces_a_waiting_one_causes_no_second_watch(scene: Scene) -> None:
    first = scene.join_agent()
    scene.now += 0.5
    scene.join_agent()
    assert first.closed is not None
    assert scene.wait(0.5) == ["watch"]


def test_lost_stream_is_watched_at_growing_steps_then_reported(live: Scene) -> None:
    live.lose_stream()
    began = live.now
    times = []
    while (kinds := live.wait(live.actions.wakes[-1] - live.now)) == ["watch"]:
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
    assert live.wait_without_watches(100) == []


def test_newer_stream_replaces_the_older(live: Scene) -> None:
    old = live.provider
    new = live.start_stream()
    assert old.closed == (1000, "replaced by a newer stream")
    live.bridge.provider_gone(old, live.now)
    live.bridge.agent_audio(b"xyz", live.now)
    assert new.heard() == b"xyz"
    assert live.wait_without_watches(100) == []


def test_an_agent_that_comes_back_while_the_stream_is_lost_waits_for_it(live: Scene) -> None:
    live.lose_stream()
    live.lose_agent()
    back = live.join_agent(AudioFormat())
    assert back.said() == []
    live.start_stream()
    assert back.said()[0]["resumed"] is True


def test_a_new_stream_does_not_lengthen_the_agents_time_to_come_back(live: Scene) -> None:
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
    assert not scene.actions.forgotten


def test_answers_after_the_end_change_nothing(live: Scene) -> None:
    live.bridge.close(1001, "going away")
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


def test_the_loss_of_an_unknown_leg_is_ignored(live: Scene) -> None:
    live.bridge.agent_gone(RecordingLeg(), live.now)
    live.bridge.provider_gone(RecordingLeg(), live.now)
    assert live.wait_without_watches(100) == []


def test_agent_that_connected_earlier_does_not_replace_its_successor(live: Scene) -> None:
    older, newer = RecordingLeg(), live.join_agent()
    older.order = newer.order - 1
    newer.said()
    assert live.bridge.agent_joined(older, MULAW, live.now) is False
    assert older.closed == (4409, "a newer connection is here")
    assert (older.texts, newer.closed, newer.texts) == ([], None, [])
    live.bridge.agent_gone(older, live.now)
    live.bridge.caller_audio(b"abc", live.now)
    assert newer.audio == [b"abc"]
    assert live.wait_without_watches(100) == []


def test_an_agent_that_connected_earlier_joins_if_its_successor_has_gone(live: Scene) -> None:
    older = RecordingLeg()
    live.join_agent()
    live.lose_agent()
    assert live.bridge.agent_joined(older, MULAW, live.now) is True
    assert older.said()[0]["resumed"] is True


def test_stream_that_connected_earlier_does_not_replace_its_successor(live: Scene) -> None:
    older, newer = RecordingLeg(), live.start_stream()
    older.order = newer.order - 1
    live.send(type="mark", name="a")
    assert live.bridge.provider_started(older, STREAM, live.now) is False
    assert older.closed == (1000, "a newer stream is here")
    assert newer.closed is None
    assert live.agent.said("mark") == [], "the mark is still outstanding"
    live.bridge.agent_audio(b"xyz", live.now)
    assert newer.heard() == b"xyz"
