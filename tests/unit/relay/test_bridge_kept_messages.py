"""Keys and marks of the time without an agent: kept in their place among the audio."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from common import media_stream
from relay.core.caller_to_agent import KEPT_MS
from relay.core.current_agent import KEPT_KEYS
from relay.protocol.twilio_dialect import TwilioDialect
from tests.unit.relay.scene import MULAW, RecordingLeg, Scene

FRAME = 160
KEPT = KEPT_MS * 8


class OrderedLeg(RecordingLeg):
    """A leg that records audio and messages in one list."""

    def __init__(self, dialect: TwilioDialect | None = None) -> None:
        super().__init__(dialect)
        self.received: list[bytes | dict[str, Any]] = []

    def send_text(self, text: bytes) -> None:
        self.received.append(json.loads(text))

    def send_audio(self, audio: bytes) -> None:
        self.received.append(bytes(audio))

    def keys(self) -> str:
        """Return the keys that it was told, in order."""
        messages = [each for each in self.received if isinstance(each, dict)]
        return "".join(each["digit"] for each in messages if each.get("type") == "dtmf")


def join(scene: Scene, leg: OrderedLeg | None = None) -> OrderedLeg:
    leg = leg or OrderedLeg()
    scene.agent = leg
    assert scene.bridge.agent_joined(leg, MULAW, scene.now)
    return leg


def press(scene: Scene, digits: str) -> None:
    for digit in digits:
        scene.now += 0.05
        scene.bridge.caller_message(media_stream.Dtmf(media_stream.DtmfDetail(digit)), scene.now)


def say(scene: Scene, frame: int) -> None:
    scene.bridge.caller_audio(bytes([frame % 256]) * FRAME, scene.now)


def echo_marks(scene: Scene) -> None:
    for message in scene.provider.said("mark"):
        detail = media_stream.MarkDetail(message["mark"]["name"])
        scene.bridge.caller_message(media_stream.Mark(detail), scene.now)


def test_keys_pressed_before_the_first_agent_are_told_after_its_start(scene: Scene) -> None:
    scene.start_stream()
    press(scene, "12345#")
    agent = join(scene)
    assert agent.received[0]["type"] == "start"
    assert agent.keys() == "12345#"
    assert scene.actions.keys == list("12345#")


def test_keys_pressed_while_the_agent_is_away_are_told_when_it_is_back(live: Scene) -> None:
    live.lose_agent()
    press(live, "12")
    again = join(live)
    assert again.received[0]["resumed"] is True
    assert again.keys() == "12"
    press(live, "3")
    assert again.keys() == "123"


def test_a_key_keeps_its_place_among_the_audio(scene: Scene) -> None:
    scene.start_stream()
    say(scene, 1)
    press(scene, "5")
    say(scene, 2)
    agent = join(scene)
    assert agent.received[1:] == [
        bytes([1]) * FRAME, {"type": "dtmf", "digit": "5"}, bytes([2]) * FRAME,
    ]  # fmt: skip


@given(st.lists(st.booleans(), max_size=300))
def test_the_order_of_keys_and_audio_is_that_of_the_caller(events: list[bool]) -> None:
    scene = Scene()
    scene.start_stream()
    expected: list[bytes | str] = []
    keys = 0
    for number, is_key in enumerate(events):
        if is_key and keys < KEPT_KEYS:
            keys += 1
            digit = str(number % 10)
            press(scene, digit)
            expected.append(digit)
        else:
            say(scene, number)
            expected.append(bytes([number % 256]) * FRAME)
    agent = join(scene)
    received = [each if isinstance(each, bytes) else each["digit"] for each in agent.received[1:]
                if isinstance(each, bytes) or each["type"] == "dtmf"]  # fmt: skip
    audio = [each for each in expected if isinstance(each, bytes)]
    lost = max(0, len(audio) - KEPT // FRAME)
    kept = [each for each in expected if not isinstance(each, bytes) or each not in audio[:lost]]
    assert [each for each in received if isinstance(each, str)] == [
        each for each in expected if isinstance(each, str)
    ]
    assert [each for each in received if isinstance(each, bytes)] == audio[lost:]
    if not lost:
        assert received == kept


def test_a_key_whose_audio_was_dropped_comes_first(scene: Scene) -> None:
    scene.start_stream()
    press(scene, "7")
    for number in range(KEPT // FRAME + 10):
        say(scene, number)
    agent = join(scene)
    assert agent.received[1] == {"type": "dtmf", "digit": "7"}
    assert len(agent.received) == 2 + KEPT // FRAME


def test_keys_beyond_the_limit_are_dropped_and_counted_in_dropped(scene: Scene) -> None:
    scene.start_stream()
    press(scene, "1" * (KEPT_KEYS + 3))
    agent = join(scene)
    assert agent.keys() == "1" * KEPT_KEYS
    (told,) = [each for each in agent.received[:3] if each.get("type") == "dropped"]
    assert told == {
        "type": "dropped", "direction": "to_agent", "ms": 0, "why": "no_agent", "keys": 3,
    }  # fmt: skip
    live_again = join(scene)
    press(scene, "2")
    assert live_again.keys() == "2"


def test_a_mark_reached_while_the_agent_is_away_is_told_when_it_is_back(live: Scene) -> None:
    live.send(type="mark", name="greeting")
    live.lose_agent()
    say(live, 1)
    echo_marks(live)
    say(live, 2)
    again = join(live)
    assert again.received[1:] == [
        bytes([1]) * FRAME,
        {"type": "mark", "name": "greeting", "played": True},
        bytes([2]) * FRAME,
    ]


def test_marks_lost_with_the_stream_while_the_agent_is_away_are_told_as_unplayed(
    live: Scene,
) -> None:
    live.send(type="mark", name="greeting")
    live.lose_agent()
    live.lose_stream()
    again = join(live)
    live.start_stream()
    assert {"type": "mark", "name": "greeting", "played": False} in again.received


def test_an_agent_that_cannot_resume_hears_nothing_of_marks_before_it(live: Scene) -> None:
    live.send(type="mark", name="greeting")
    live.lose_agent()
    echo_marks(live)
    press(live, "4")
    agent = OrderedLeg(TwilioDialect(lambda *_: None))
    agent.send_audio = lambda ulaw: agent.send_text(agent.dialect.media(ulaw))  # type: ignore[attr-defined, method-assign]
    join(live, agent)
    events = [each["event"] for each in agent.received if isinstance(each, dict)]
    assert "mark" not in events
    assert "dtmf" in events
