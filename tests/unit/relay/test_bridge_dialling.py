"""RecentDials of the agent by a bridge, with time passed in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import media_stream
from relay.core.interfaces import AgentAddress
from relay.protocol.twilio_dialect import TwilioDialect
from tests.unit.relay.scene import MULAW, RecordingLeg, Scene, call

AGENT = AgentAddress("wss://agent.example/")


@pytest.fixture
def dialling(scene: Scene) -> Scene:
    """The stream is up, and there is an agent to dial."""
    scene.bridge.set_agent_address(AGENT)
    scene.start_stream()
    return scene


def dialled(scene: Scene) -> int:
    """Return how often the agent was dialled since last asked."""
    scene.bridge.tick(scene.now)
    count = len(scene.actions.dialled)
    scene.actions.dialled.clear()
    return count


def join(scene: Scene) -> RecordingLeg:
    scene.agent = RecordingLeg(TwilioDialect(lambda *_: None), dialled=True)
    scene.bridge.agent_joined(scene.agent, MULAW, scene.now)
    return scene.agent


def fail(scene: Scene, *, final: bool = False) -> None:
    scene.bridge.dial_failed("refused", scene.now, final=final)


def test_the_agent_is_dialled_once_when_the_stream_is_up(scene: Scene) -> None:
    scene.bridge.set_agent_address(AGENT)
    assert dialled(scene) == 0
    scene.start_stream()
    assert dialled(scene) == 1
    scene.wait(0.5)
    assert dialled(scene) == 0
    join(scene)
    assert [m["event"] for m in scene.agent.said()] == ["connected", "start"]
    assert scene.wait_without_watches(60) == []


def test_a_call_without_an_agent_url_dials_nobody(scene: Scene) -> None:
    scene.start_stream()
    assert dialled(scene) == 0
    assert scene.wait_without_watches(30) == ["no_agent"]


def test_failed_dials_are_repeated_with_growing_pauses(dialling: Scene) -> None:
    began, tries = dialling.now, []
    while "no_agent" not in dialling.actions.reports:
        if dialled(dialling):
            tries.append(round(dialling.now - began, 2))
            fail(dialling)
        dialling.now += 0.01
    assert tries[:5] == pytest.approx([0, 0.25, 0.75, 1.75, 3.75], abs=0.11)
    assert 15 < len(tries) < 20
    assert dialling.actions.whys[dialling.actions.reports.index("no_agent")] == "refused"


def test_the_reason_is_told_at_once_when_it_changes_and_when_the_agent_is_there(
    dialling: Scene,
) -> None:
    for why in ("refused", "refused", "no address"):
        dialling.bridge.dial_failed(why, dialling.now, final=False)
    join(dialling)
    dialling.lose_agent()
    fail(dialling)
    dialling.join_agent()
    assert dialling.actions.told_of_agent == ["refused", "no address", "", "refused", ""]


@pytest.mark.parametrize("final", [False, True])
def test_a_dial_that_fails_after_an_agent_has_come_by_itself_changes_nothing(
    dialling: Scene, final: bool
) -> None:
    dialled(dialling)
    dialling.join_agent()
    fail(dialling, final=final)
    assert dialling.actions.told_of_agent == []
    dialling.lose_agent()
    fail(dialling, final=final)
    assert dialling.actions.told_of_agent == []
    assert dialling.wait_without_watches(9) == [], "the agent has its time to come back"
    assert dialling.wait_without_watches(1.1) == ["agent_lost"]
    assert dialling.actions.whys[-1] is None


def test_a_reason_that_another_relay_has_told_is_taken_back_once_the_agent_is_there(
    scene: Scene,
) -> None:
    scene.bridge.set_agent_detail("The agent was not reached: refused.")
    scene.bridge.set_agent_address(AGENT)
    scene.start_stream()
    dialled(scene)
    join(scene)
    assert scene.actions.told_of_agent == [""]


def test_an_agent_that_can_never_be_reached_is_reported_at_once(dialling: Scene) -> None:
    assert dialled(dialling) == 1
    fail(dialling, final=True)
    assert dialling.wait_without_watches(0) == ["no_agent"]
    dialling.answer("no_agent", "ended", "no_agent")
    assert dialling.bridge.over


def test_a_dialled_agent_that_breaks_again_and_again_has_ten_seconds_in_all(
    dialling: Scene,
) -> None:
    dialled(dialling)
    join(dialling)
    dialling.wait(60)
    dialling.lose_agent()
    for _ in range(3):
        assert dialled(dialling) == 1
        join(dialling)
        assert dialling.wait_without_watches(1) == []
        dialling.lose_agent()
        dialling.now += 2
    assert dialling.wait_without_watches(1.1) == ["agent_lost"]


def test_a_dialled_agent_that_worked_for_a_while_has_ten_new_seconds(dialling: Scene) -> None:
    dialled(dialling)
    for _ in range(3):
        join(dialling)
        assert dialling.wait_without_watches(10.1) == []
        dialling.lose_agent()
        assert dialled(dialling) == 1, "at once"
        assert dialling.wait_without_watches(9) == []


def test_the_reason_of_the_last_failure_is_reported_with_agent_lost(dialling: Scene) -> None:
    dialled(dialling)
    join(dialling)
    dialling.lose_agent()
    assert dialled(dialling) == 1
    fail(dialling, final=True)
    assert dialling.wait_without_watches(0) == ["agent_lost"]
    assert dialling.actions.whys[-1] == "refused"


def test_a_hang_up_is_reported_at_once_and_the_agent_is_not_dialled_again(dialling: Scene) -> None:
    dialled(dialling)
    join(dialling)
    dialling.bridge.agent_gone(dialling.agent, dialling.now, hung_up=True)
    assert dialling.wait_without_watches(0) == ["agent_hangup"]
    dialling.lose_stream()
    dialling.start_stream()
    assert dialled(dialling) == 0


def test_no_agent_is_dialled_while_there_is_no_stream(dialling: Scene) -> None:
    dialled(dialling)
    dialling.lose_stream()
    fail(dialling)
    dialling.now += 1
    assert dialled(dialling) == 0
    dialling.start_stream()
    dialling.now += 0.3
    assert dialled(dialling) == 1


def test_a_dialled_connection_is_closed_if_an_agent_has_come_by_itself(dialling: Scene) -> None:
    dialled(dialling)
    dialling.join_agent()
    own = dialling.agent
    late = RecordingLeg(TwilioDialect(lambda *_: None), dialled=True)
    assert not dialling.bridge.agent_joined(late, MULAW, dialling.now)
    assert late.closed is not None
    assert own.closed is None


def test_an_agent_that_comes_by_itself_replaces_a_dialled_one_even_if_it_is_older(
    dialling: Scene,
) -> None:
    own = RecordingLeg()
    dialled(dialling)
    join(dialling)
    assert dialling.agent.order > own.order
    assert dialling.bridge.agent_joined(own, MULAW, dialling.now)
    assert dialling.agent.closed is not None
    assert [m["type"] for m in own.said()] == ["start"]


def test_a_call_that_ended_while_its_agent_was_dialled_reports_nothing(dialling: Scene) -> None:
    dialled(dialling)
    dialling.bridge.update(call("ended", "caller_hangup"), None, dialling.now)
    fail(dialling)
    assert dialling.wait_without_watches(60) == []


def test_keys_go_to_the_agent_and_to_the_application(dialling: Scene) -> None:
    dialled(dialling)
    join(dialling).said()
    for digit in "1#":
        detail = media_stream.DtmfDetail(digit)
        dialling.bridge.caller_message(media_stream.Dtmf(detail, "MZ1"), dialling.now)
    assert dialling.actions.keys == ["1", "#"]
    assert [m["dtmf"]["digit"] for m in dialling.agent.said()] == ["1", "#"]


@given(
    st.lists(
        st.one_of(
            st.binary(min_size=1, max_size=320).map(lambda ulaw: ("media", ulaw)),
            st.sampled_from("0123456789*#ABCD").map(lambda digit: ("dtmf", digit)),
        ),
        max_size=30,
    )
)
def test_audio_and_keys_reach_the_agent_in_order_and_numbered_without_gaps(said: list) -> None:
    scene = Scene()
    scene.bridge.set_agent_address(AGENT)
    scene.start_stream()
    dialled(scene)
    leg = join(scene)
    leg.send_audio = lambda ulaw: leg.send_text(leg.dialect.media(ulaw))  # type: ignore[method-assign]
    for event, what in said:
        if event == "media":
            scene.bridge.caller_audio(what, scene.now)
        else:
            scene.bridge.caller_message(
                media_stream.Dtmf(media_stream.DtmfDetail(what), "MZ1"), scene.now
            )
    _, start, *rest = [json.loads(text) for text in leg.texts]
    heard = [media_stream.parse_from_provider(text) for text in leg.texts[2:]]
    assert start["sequenceNumber"] == "1"
    assert [m["sequenceNumber"] for m in rest] == [str(n + 2) for n in range(len(rest))]
    assert [
        ("media", m.media.payload) if isinstance(m, media_stream.Media) else ("dtmf", m.dtmf.digit)
        for m in heard
    ] == said


HOSTS = AgentAddress("ws://a/", dialect="chamade", others=("ws://b/", "ws://c/"), trusted=True)


def urls(scene: Scene) -> list[str]:
    """Return the URLs that were dialled since last asked."""
    scene.bridge.tick(scene.now)
    found = [agent.url for agent in scene.actions.dialled]
    scene.actions.dialled.clear()
    return found


def test_each_dial_goes_to_the_next_address_and_a_pause_comes_after_a_round(scene: Scene) -> None:
    scene.bridge.set_agent_address(HOSTS)
    scene.start_stream()
    for url in ("ws://a/", "ws://b/", "ws://c/"):
        assert urls(scene) == [url]
        fail(scene)
    assert urls(scene) == []
    scene.now += 0.25
    assert urls(scene) == ["ws://a/"]


def test_a_lost_host_is_replaced_by_the_next_one_at_once(scene: Scene) -> None:
    scene.bridge.set_agent_address(HOSTS)
    scene.start_stream()
    assert urls(scene) == ["ws://a/"]
    for url in ("ws://b/", "ws://c/", "ws://a/"):
        join(scene)
        scene.wait(20)
        scene.lose_agent()
        assert urls(scene) == [url]


def test_a_hopeless_address_is_no_reason_to_give_up_the_others(scene: Scene) -> None:
    scene.bridge.set_agent_address(HOSTS)
    scene.start_stream()
    assert urls(scene) == ["ws://a/"]
    fail(scene, final=True)
    assert urls(scene) == ["ws://b/"]
    assert scene.wait_without_watches(5) == []
