"""Ends that nobody tells the relay of, and which of two sockets is the current one."""

from __future__ import annotations

import pytest

from tests.unit.relay.scene import MULAW, STREAM, FakeLeg, Scene, call


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
    assert live.port.forgotten


def test_call_without_its_agent_is_watched_too(live: Scene) -> None:
    live.lose_agent()
    assert live.wait(12.5) == ["watch", "agent_lost"]


def test_watch_without_answer_disturbs_no_audio_and_goes_on(live: Scene) -> None:
    for _ in range(20):
        assert live.wait(12.5) == ["watch"]
        live.bridge.unanswered("watch", live.now)
        live.bridge.caller_audio(b"abc", live.now)
        live.bridge.agent_audio(b"xyz", live.now)
    assert live.agent.audio == [b"abc"] * 20
    assert live.provider.heard() == b"xyz" * 20
    assert live.agent.said() == []
    assert live.agent.closed is live.provider.closed is None


def test_silence_while_audio_flowed_does_not_count_once_the_stream_is_lost(live: Scene) -> None:
    for _ in range(10):
        live.wait(12.5)
        live.bridge.unanswered("watch", live.now)
    live.lose_stream()
    assert live.wait(0.25) == ["watch"]
    live.bridge.unanswered("watch", live.now)
    assert not live.port.forgotten


def test_silence_before_a_stream_that_came_after_all_does_not_count(live: Scene) -> None:
    live.lose_stream()
    live.wait(0.25)
    live.bridge.unanswered("watch", live.now)
    live.start_stream()
    live.wait(100)
    live.lose_stream()
    live.wait(0.25)
    live.bridge.unanswered("watch", live.now)
    assert not live.port.forgotten


def test_agent_that_connected_earlier_does_not_replace_its_successor(live: Scene) -> None:
    older, newer = FakeLeg(), live.join_agent()
    older.order = newer.order - 1
    newer.said()
    assert live.bridge.agent_joined(older, MULAW, live.now) is False
    assert older.closed == (4409, "a newer connection is here")
    assert (older.texts, newer.closed, newer.texts) == ([], None, [])
    live.bridge.agent_gone(older, live.now)
    live.bridge.caller_audio(b"abc", live.now)
    assert newer.audio == [b"abc"]
    assert live.told(100) == []


def test_agent_that_connected_earlier_is_taken_if_its_successor_has_gone(live: Scene) -> None:
    older = FakeLeg()
    live.join_agent()
    live.lose_agent()
    assert live.bridge.agent_joined(older, MULAW, live.now) is True
    assert older.said()[0]["resumed"] is True


def test_stream_that_connected_earlier_does_not_replace_its_successor(live: Scene) -> None:
    older, newer = FakeLeg(), live.start_stream()
    older.order = newer.order - 1
    live.send(type="mark", name="a")
    assert live.bridge.provider_started(older, STREAM, live.now) is False
    assert older.closed == (1000, "a newer stream is here")
    assert newer.closed is None
    assert live.agent.said("mark") == [], "the mark is still outstanding"
    live.bridge.agent_audio(b"xyz", live.now)
    assert newer.heard() == b"xyz"


def test_watch_that_was_asked_before_the_stream_came_back_is_not_asked_twice(live: Scene) -> None:
    live.lose_stream()
    assert live.wait(0.25) == ["watch"]
    live.start_stream()
    live.bridge.answered("watch", call("active"), None, live.now)
    assert live.wait(12.4) == []
