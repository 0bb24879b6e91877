"""The reports of a bridge and their answers: watches, durations, hang-ups, silence."""

from __future__ import annotations

import pytest

from tests.unit.relay.scene import Scene, call


@pytest.mark.parametrize(("spread", "seconds"), [(0.0, 10.0), (0.5, 12.5), (1.0, 15.0)])
def test_call_with_both_legs_is_watched_now_and_then(
    scene: Scene, spread: float, seconds: float
) -> None:
    scene.spread = spread
    scene.join_agent()
    scene.start_stream()
    for _ in range(3):
        assert scene.wait(seconds - 0.1) == []
        assert scene.wait(0.1) == ["watch"]
        scene.answer("watch")
    assert scene.agent.said("stop", "error") == []


def test_call_that_was_ended_elsewhere_ends_here_though_both_legs_are_up(live: Scene) -> None:
    assert live.wait(12.5) == ["watch"]
    live.answer("watch", "ended", "agent_hangup")
    assert live.agent.said() == [{"type": "stop", "reason": "agent_hangup", "state": "ended"}]
    assert live.agent.closed == live.provider.closed == (1000, "the call is over")
    assert live.actions.forgotten


def test_call_without_its_agent_is_watched_too(live: Scene) -> None:
    live.lose_agent()
    assert live.wait(12.5) == ["watch", "agent_lost"]


def test_an_unanswered_watch_does_not_disturb_audio_and_is_repeated(live: Scene) -> None:
    for _ in range(20):
        assert live.wait(12.5) == ["watch"]
        live.bridge.unanswered("watch", live.now)
        live.bridge.caller_audio(b"abc", live.now)
        live.bridge.agent_audio(b"xyz", live.now)
    assert live.agent.audio == [b"abc"] * 20
    assert live.provider.heard() == b"xyz" * 20
    assert live.agent.said() == []
    assert live.agent.closed is live.provider.closed is None


def test_unanswered_reports_while_a_stream_was_up_do_not_count_after_it_is_lost(
    live: Scene,
) -> None:
    for _ in range(10):
        live.wait(12.5)
        live.bridge.unanswered("watch", live.now)
    live.lose_stream()
    assert live.wait(0.25) == ["watch"]
    live.bridge.unanswered("watch", live.now)
    assert not live.actions.forgotten


def test_unanswered_reports_before_a_new_stream_do_not_count_after_it_is_lost(live: Scene) -> None:
    live.lose_stream()
    live.wait(0.25)
    live.bridge.unanswered("watch", live.now)
    live.start_stream()
    live.wait(100)
    live.lose_stream()
    live.wait(0.25)
    live.bridge.unanswered("watch", live.now)
    assert not live.actions.forgotten


def test_watch_that_was_asked_before_the_stream_came_back_is_not_asked_twice(live: Scene) -> None:
    live.lose_stream()
    assert live.wait(0.25) == ["watch"]
    live.start_stream()
    live.bridge.answered("watch", call("active"), None, live.now)
    assert live.wait(12.4) == []


def test_the_end_of_the_longest_duration_is_reported_and_the_answer_ends_the_call(
    live: Scene,
) -> None:
    live.bridge.update(call("active"), live.now + 60, live.now)
    assert live.wait_without_watches(59) == []
    assert live.wait(1) == ["max_duration"]
    live.answer("max_duration", "ended", "max_duration")
    assert live.agent.said("stop")[0]["reason"] == "max_duration"
    assert live.provider.closed is not None


def test_a_duration_that_was_lengthened_is_waited_for_again(live: Scene) -> None:
    live.bridge.update(call("active"), live.now + 60, live.now)
    live.wait(60)
    live.bridge.answered("max_duration", call("active"), live.now + 30, live.now)
    assert live.wait(29) == []
    assert live.wait(1) == ["max_duration"]


def test_a_duration_in_the_past_is_reported_after_two_seconds(live: Scene) -> None:
    live.bridge.update(call("active"), live.now - 5, live.now)
    assert live.wait(0.1) == []
    assert live.wait(2) == ["max_duration"]


def test_hangup_is_reported_at_once_and_only_once(live: Scene) -> None:
    live.send(type="hangup")
    live.send(type="hangup")
    assert live.actions.wakes[-1] == live.now
    assert live.wait(0) == ["agent_hangup"]
    live.answer("agent_hangup", "ended", "agent_hangup")
    assert live.agent.said() == [{"type": "stop", "reason": "agent_hangup", "state": "ended"}]
    assert live.provider.closed == (1000, "the call is over")


def test_a_hang_up_of_a_ringing_call_is_answered_with_an_error(scene: Scene) -> None:
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


def test_a_call_without_a_stream_is_closed_when_the_application_stays_silent(live: Scene) -> None:
    live.lose_stream()
    began = live.now
    while not live.actions.forgotten:
        assert live.now - began < 70
        for kind in live.wait(1):
            live.bridge.unanswered(kind, live.now)
    assert live.now - began >= 60
    assert live.agent.closed == (1013, "the application cannot be reached")


def test_one_answer_restarts_the_time_for_the_application_to_answer(live: Scene) -> None:
    live.lose_stream()
    live.wait(0.25)
    live.bridge.unanswered("watch", live.now)
    live.wait(59)
    live.answer("watch")
    live.wait(5)
    live.bridge.unanswered("watch", live.now)
    assert not live.actions.forgotten
