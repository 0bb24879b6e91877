"""Messages over a bridge: marks, keys, errors."""

from __future__ import annotations

import json

import pytest

from common import media_stream
from relay.core.agent_channel import MAX_ERRORS
from relay.core.key_rate import PRESSED
from relay.protocol import tones
from tests.unit.relay.scene import Scene


def echo(scene: Scene, name: str) -> None:
    scene.bridge.caller_message(media_stream.Mark(media_stream.MarkDetail(name)), scene.now)


def marks_sent(scene: Scene) -> list[str]:
    return [message["mark"]["name"] for message in scene.provider.said("mark")]


def test_mark_comes_back_played_under_the_agents_name(live: Scene) -> None:
    live.send(type="mark", name="greeting")
    (ours,) = marks_sent(live)
    assert ours != "greeting"
    echo(live, ours)
    echo(live, ours)
    assert live.agent.said() == [{"type": "mark", "name": "greeting", "played": True}]


def test_two_marks_of_one_name_both_come_back(live: Scene) -> None:
    live.send(type="mark", name="a")
    live.send(type="mark", name="a")
    for ours in marks_sent(live):
        echo(live, ours)
    assert [message["played"] for message in live.agent.said("mark")] == [True, True]


def test_cleared_marks_come_back_unplayed_and_their_echoes_are_ignored(live: Scene) -> None:
    live.send(type="mark", name="a")
    live.send(type="mark", name="b")
    first, second = marks_sent(live)
    echo(live, first)
    live.send(type="clear")
    echo(live, second)
    assert live.agent.said("mark") == [
        {"type": "mark", "name": "a", "played": True},
        {"type": "mark", "name": "b", "played": False},
    ]


def test_marks_of_a_lost_stream_come_back_unplayed(live: Scene) -> None:
    live.send(type="mark", name="a")
    live.lose_stream()
    live.send(type="mark", name="b")
    said = live.agent.said("mark")
    assert [(message["name"], message["played"]) for message in said] == [
        ("a", False),
        ("b", False),
    ]


def test_marks_of_a_replaced_stream_come_back_unplayed(live: Scene) -> None:
    live.send(type="mark", name="a")
    live.start_stream()
    assert live.agent.said("mark") == [{"type": "mark", "name": "a", "played": False}]


def test_too_many_marks_are_refused(live: Scene) -> None:
    for n in range(256):
        live.send(type="mark", name=str(n))
    assert live.agent.said() == []
    live.send(type="mark", name="one more")
    assert live.agent.said()[0]["code"] == "too_many_marks"


def test_echo_without_agent_or_stream_is_ignored(live: Scene) -> None:
    live.send(type="mark", name="a")
    (ours,) = marks_sent(live)
    live.lose_agent()
    echo(live, ours)
    live.lose_stream()
    echo(live, ours)
    assert live.agent.said("mark") == []


def test_a_key_of_the_caller_is_told_to_the_agent(live: Scene) -> None:
    live.bridge.caller_message(media_stream.Dtmf(media_stream.DtmfDetail("5")), live.now)
    assert live.agent.said() == [{"type": "dtmf", "digit": "5"}]


def test_a_dtmf_message_without_a_valid_key_is_ignored(live: Scene) -> None:
    for odd in ("", "w", "12", "é", "5" * 100_000, "5"):
        live.bridge.caller_message(media_stream.Dtmf(media_stream.DtmfDetail(odd)), live.now)
    assert live.agent.said() == [{"type": "dtmf", "digit": "5"}]
    assert live.actions.keys == ["5"]


def test_keys_faster_than_a_telephone_dials_are_dropped(live: Scene) -> None:
    key = media_stream.Dtmf(media_stream.DtmfDetail("5"))
    at_once, a_second = map(int, PRESSED)
    for n in range(10_000):
        live.bridge.caller_message(key, live.now + n / 1000)
    passed = len(live.actions.keys)
    assert at_once < passed <= at_once + 10 * a_second
    assert len(live.agent.said("dtmf")) == passed
    assert live.counters.dropped["to_agent", "too_many_keys"] == 10_000 - passed
    live.now += 60
    live.bridge.caller_message(key, live.now)
    assert len(live.actions.keys) == passed + 1


def test_other_messages_of_the_stream_are_not_passed_to_the_agent(live: Scene) -> None:
    live.bridge.caller_message(media_stream.Connected(), live.now)
    assert live.agent.said() == []


def test_dtmf_from_the_agent_is_played_as_tones(live: Scene) -> None:
    live.send(type="dtmf", digits="1w#" + "5" * 20)
    assert live.provider.heard() == tones.dtmf("1w#" + "5" * 20)


def test_keys_are_sent_as_messages_if_the_provider_presses_them(scene: Scene) -> None:
    scene.join_agent()
    provider = scene.start_stream(keys=True)
    scene.send(type="dtmf", digits="1w#")
    said = provider.said()
    assert [m["dtmf"]["digit"] if m["event"] == "dtmf" else "audio" for m in said] == [
        "1", "audio", "audio", "#", "audio",
    ]  # fmt: skip


def test_keys_sent_as_messages_take_as_long_as_their_tones(scene: Scene) -> None:
    scene.join_agent()
    provider = scene.start_stream(keys=True)
    scene.send(type="dtmf", digits="1w#")
    heard = provider.heard()
    assert len(heard) == len(tones.dtmf("1w#"))
    assert set(heard) == {0xFF}


def test_the_agent_is_told_of_keys_dropped_without_a_stream(live: Scene) -> None:
    live.lose_stream()
    live.send(type="dtmf", digits="12")
    (said,) = live.agent.said("dropped")
    assert (said["ms"], said["why"]) == (360, "no_stream")


@pytest.mark.parametrize(
    "message", [{"type": "mark", "name": "a"}, {"type": "dtmf", "digits": "1"}]
)
def test_marks_and_keys_are_refused_before_start(scene: Scene, message: dict[str, str]) -> None:
    scene.join_agent()
    scene.send(**message)
    assert scene.agent.said()[0]["code"] == "not_started"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"{", "bad_json"),
        (b"\xff", "bad_json"),
        (b'{"type":"sing"}', "unknown_type"),
        (b"[]", "bad_field"),
        (b'{"type":"mark"}', "bad_field"),
        (b'{"type":"mark","name":"%s"}' % (b"a" * 129), "bad_field"),
        (b'{"type":"dtmf","digits":"12x"}', "bad_field"),
        (b'{"type":"dtmf","digits":""}', "bad_field"),
        (b'{"type":7}', "bad_field"),
    ],
)
def test_malformed_messages_are_answered_with_an_error_and_the_call_goes_on(
    live: Scene, text: bytes, code: str
) -> None:
    live.bridge.agent_text(text, live.now)
    (error,) = live.agent.said()
    assert (error["type"], error["code"]) == ("error", code)
    assert error["detail"]
    assert live.agent.closed is None


def test_twenty_malformed_messages_close_the_agent(live: Scene) -> None:
    for _ in range(19):
        live.bridge.agent_text(b"{", live.now)
    assert live.agent.closed is None
    live.bridge.agent_text(b"{", live.now)
    assert live.agent.closed is not None
    assert live.agent.closed[0] == 4400
    assert len(live.agent.said("error")) == MAX_ERRORS


def test_unknown_fields_are_ignored(live: Scene) -> None:
    live.send(type="mark", name="a", later_version=True)
    assert len(marks_sent(live)) == 1


def test_messages_of_an_agent_that_is_gone_are_not_answered(live: Scene) -> None:
    live.lose_agent()
    live.bridge.agent_text(b"{", live.now)
    live.bridge.agent_audio(b"\xff", live.now)
    assert live.agent.said() == []


def test_special_characters_in_a_mark_are_escaped_as_json(live: Scene) -> None:
    live.send(type="mark", name='quote " and \\ and é')
    (ours,) = marks_sent(live)
    echo(live, ours)
    assert json.loads(live.agent.texts[0])["name"] == 'quote " and \\ and é'


def test_an_agent_that_never_reads_its_answers_is_closed(live: Scene) -> None:
    live.lose_stream()
    live.agent.choked = True
    for _ in range(2000):
        live.send(type="mark", name="n" * 128)
    assert live.agent.closed == (1008, "messages are not read")
    assert sum(map(len, live.agent.texts)) < 300_000
