"""Two calls that are bridged: who hears whom, and what each event of a call means then."""

from __future__ import annotations

import pytest

from common import media_stream
from relay.core.peer import ASK_EVERY, MAX_AHEAD_S, RETRY_S
from relay.protocol import tones
from tests.unit.relay.call_pair import Pair
from tests.unit.relay.scene import MULAW, RecordingLeg, Scene

ONE, TWO, AGENT = b"\x11" * 160, b"\x12" * 160, b"\x21" * 160


@pytest.fixture
def pair() -> Pair:
    """Two calls that talk to agents of their own."""
    pair = Pair()
    for scene in pair.scenes:
        scene.start_stream()
        scene.join_agent()
        scene.agent.said()
    return pair


@pytest.fixture
def bridged(pair: Pair) -> Pair:
    """The two calls, bridged; their agents stay."""
    pair.bridge()
    for scene in pair.scenes:
        scene.agent.said()
        scene.reports()
    return pair


def press(scene: Scene, digit: str) -> None:
    message = media_stream.Dtmf(media_stream.DtmfDetail(digit))
    scene.bridge.caller_message(message, scene.now)


def test_each_caller_hears_the_other_and_no_agent_hears_or_is_heard(bridged: Pair) -> None:
    bridged.speak(0, ONE)
    bridged.speak(1, TWO)
    for scene in bridged.scenes:
        scene.bridge.agent_audio(AGENT, scene.now)
    assert [ear.pass_time(0.1) for ear in bridged.ears] == [TWO, ONE]
    assert [scene.agent.audio for scene in bridged.scenes] == [[], []]


def test_agents_that_stay_are_told(pair: Pair) -> None:
    pair.bridge()
    pair.change(0, "agent")
    told = [{"type": "held", "why": "transfer"}, {"type": "unheld"}]
    assert pair.scenes[0].agent.said() == told
    assert pair.scenes[1].agent.said() == told[:1]


def test_what_was_queued_for_a_caller_is_not_heard_in_the_bridge_nor_the_bridge_after_it(
    pair: Pair,
) -> None:
    pair.scenes[0].bridge.agent_audio(AGENT * 50, pair.scenes[0].now)
    pair.bridge()
    pair.speak(1, TWO * 5)
    assert pair.ears[0].queued == TWO * 5
    pair.change(0, "agent")
    assert pair.ears[0].queued == b""
    pair.speak(1, TWO)
    assert pair.ears[0].queued == b""


def test_the_first_audio_is_reported_once_for_each_number_of_the_line(bridged: Pair) -> None:
    one = bridged.scenes[0]
    assert one.actions.bridged_lines == []
    for _ in range(3):
        bridged.speak(1, TWO)
    assert one.actions.bridged_lines == [1]
    bridged.change(0, "bridge", agent="leave")
    bridged.speak(1, TWO)
    bridged.speak(1, TWO)
    assert one.actions.bridged_lines == [1, 2]


def test_keys_are_pressed_for_the_other_caller_and_reported(bridged: Pair) -> None:
    one = bridged.scenes[0]
    press(one, "5")
    assert bridged.ears[1].queued == tones.dtmf("5")
    assert one.agent.said() == []
    assert one.actions.keys == ["5"]


def test_a_call_that_is_bridged_with_one_that_is_not_hears_nothing(pair: Pair) -> None:
    pair.change(0, "bridge")
    pair.speak(0, ONE)
    pair.speak(1, TWO)
    assert [ear.queued for ear in pair.ears] == [b"", b""]
    assert pair.scenes[1].agent.audio == [TWO]


def test_an_older_way_is_closed_and_nothing_comes_by_it(bridged: Pair) -> None:
    old = bridged.wires[0]
    new = type(old)(bridged, 1)
    assert bridged.scenes[0].bridge.peer.joined(new, "call_2")
    assert old.closed is not None
    bridged.scenes[0].bridge.peer.hear(old, TWO, bridged.scenes[0].now)
    assert bridged.ears[0].queued == b""


def test_a_way_to_a_call_that_is_not_the_lines_is_refused(bridged: Pair) -> None:
    stranger = type(bridged.wires[0])(bridged, 1)
    assert not bridged.scenes[0].bridge.peer.joined(stranger, "call_3")
    assert stranger.closed is not None
    bridged.speak(0, ONE)
    assert bridged.ears[1].queued == ONE


def test_a_way_that_is_lost_is_looked_for_again_and_the_caller_hears_silence(
    bridged: Pair,
) -> None:
    bridged.reachable = False
    bridged.wires[0].close(1006, "")
    bridged.settle()
    bridged.speak(1, TWO)
    assert bridged.ears[0].queued == b""
    bridged.reachable = True
    bridged.pass_time(RETRY_S + 0.1)
    bridged.speak(1, TWO)
    assert bridged.ears[0].queued == TWO


@pytest.mark.parametrize("url", ["ws://other", None])
def test_while_the_other_call_is_away_it_is_tried_each_half_second_and_asked_for_at_each_third(
    pair: Pair, url: str | None
) -> None:
    pair.reachable = False
    pair.scenes[1].lose_stream()
    pair.change(0, "bridge", peer_url=url)
    one = pair.scenes[0]
    one.reports()
    one.actions.peers.clear()
    tries = 0
    for _ in range(round(6 / 0.1)):
        one.now += 0.1
        one.bridge.tick(one.now)
        tries += len(one.actions.peers)
        if one.actions.peers:
            one.actions.peers.clear()
            one.bridge.peer.unreached(one.now)
        if "watch" in one.actions.reports:
            one.bridge.answered("watch", {"state": "active"}, None, one.now)
    assert tries == pytest.approx(6 / RETRY_S, abs=2)
    assert one.actions.reports.count("watch") == pytest.approx(tries / ASK_EVERY, abs=1)


def test_a_new_address_of_the_other_call_is_tried_at_once(pair: Pair) -> None:
    pair.change(0, "bridge")
    one = pair.scenes[0]
    pair.numbers[0] -= 1
    pair.scenes[1].bridge.follow_line(None, one.now)
    one.actions.peers.clear()
    newer = one.bridge.line.now
    one.bridge.follow_line(
        type(newer)(1, "bridge", peer="call_2", peer_url="ws://third", peer_token="t"), one.now
    )
    one.bridge.tick(one.now)
    assert [line.peer_url for line in one.actions.peers] == ["ws://third"]


def test_after_a_pause_of_the_network_the_conversation_is_not_late(bridged: Pair) -> None:
    one = bridged.scenes[0]
    for _ in range(100):
        bridged.speak(1, TWO)
    assert len(bridged.ears[0].queued) <= MAX_AHEAD_S * 8000 + 160
    assert one.counters.dropped["to_caller", "late_peer"] > 70
    bridged.ears[0].pass_time(1)
    bridged.scenes[1].now = one.now
    bridged.speak(1, TWO)
    assert bridged.ears[0].queued == TWO


def test_a_message_of_more_than_a_second_is_left_out(bridged: Pair) -> None:
    bridged.speak(1, TWO * 51)
    assert bridged.ears[0].queued == b""


def test_audio_for_a_relay_that_does_not_read_is_dropped_and_counted(bridged: Pair) -> None:
    bridged.wires[0].choked = bridged.wires[1].choked = True
    bridged.speak(0, ONE)
    press(bridged.scenes[0], "5")
    assert bridged.ears[1].queued == b""
    dropped = bridged.scenes[0].counters.dropped
    assert (dropped["to_peer", "slow_peer"], dropped["to_peer", "no_peer"]) == (1, 1)


def test_the_other_relay_presses_no_more_keys_than_a_telephone_can(bridged: Pair) -> None:
    one = bridged.scenes[0]
    way = bridged.wires[0]
    for _ in range(200):
        one.bridge.peer.press(way, "5", one.now)
    assert len(bridged.ears[0].queued) <= 32 * len(tones.dtmf("5"))


# What each event of a call means while it is bridged.


def test_a_lost_stream_is_reported_after_its_time_and_the_way_stays(bridged: Pair) -> None:
    one = bridged.scenes[0]
    one.lose_stream()
    bridged.speak(1, TWO)
    assert one.wait_without_watches(9.9) == []
    assert one.wait_without_watches(0.2) == ["media_lost"]
    assert bridged.wires[0].closed is None


def test_a_stream_that_comes_back_goes_on_with_the_bridge(bridged: Pair) -> None:
    one = bridged.scenes[0]
    one.lose_stream()
    one.start_stream()
    bridged.speak(1, TWO)
    bridged.speak(0, ONE)
    assert (one.provider.heard(), bridged.ears[1].queued) == (TWO, ONE)


def test_an_agent_that_is_lost_is_not_reported_and_may_come_back(bridged: Pair) -> None:
    one = bridged.scenes[0]
    one.lose_agent()
    assert one.wait_without_watches(60) == []
    one.join_agent()
    assert [message["type"] for message in one.agent.said()] == ["start", "held"]
    bridged.speak(0, ONE)
    assert one.agent.audio == []


def test_a_bridge_without_an_agent_is_not_reported_as_having_none(pair: Pair) -> None:
    pair.bridge(agent="leave")
    for scene in pair.scenes:
        assert scene.agent.closed == (1000, "the call was transferred")
        assert scene.wait_without_watches(60) == []
        late = RecordingLeg()
        assert not scene.bridge.agent_joined(late, MULAW, scene.now)
    pair.scenes[1].now = pair.scenes[0].now
    pair.speak(0, ONE)
    assert pair.ears[1].queued == ONE


def test_the_end_of_a_call_closes_the_way_and_the_other_caller_hears_silence(
    bridged: Pair,
) -> None:
    one, two = bridged.scenes
    one.answer("watch", "ended", "caller_hangup")
    assert bridged.wires[0].closed is not None
    assert two.provider.closed is None
    bridged.settle()
    bridged.speak(1, TWO)
    assert one.agent.said("stop")[0]["reason"] == "caller_hangup"
    two.bridge.tick(two.now)
    assert "watch" in two.reports(), "it asks at once whether it is over, too"


def test_a_call_that_moves_to_another_relay_is_joined_there(bridged: Pair) -> None:
    """`hand_over`: the bridge of this relay is closed, and the next one is told the same line."""
    bridged.scenes[1].bridge.hand_over("ws://third")
    assert bridged.scenes[1].bridge.over
    moved = bridged.scenes[1] = Scene()
    moved.now = bridged.scenes[0].now
    bridged.ears[1]._scene = moved
    bridged.numbers[1] = 0
    moved.start_stream()
    bridged.change(1, "bridge")
    bridged.speak(0, ONE)
    bridged.speak(1, TWO)
    assert [ear.queued for ear in bridged.ears] == [TWO, ONE]


def test_the_longest_duration_is_reported_as_ever(bridged: Pair) -> None:
    one = bridged.scenes[0]
    one.bridge.update({"state": "active"}, one.now + 5, one.now)
    assert one.wait_without_watches(5.1) == ["max_duration"]
