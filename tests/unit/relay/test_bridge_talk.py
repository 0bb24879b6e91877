"""Audio and messages over a bridge: marks, barge-in, tones, drops, errors, formats."""

from __future__ import annotations

import json

import numpy as np
import pytest

from relay.talk import MAX_ERRORS
from relay.wire import tones
from relay.wire.agent import AudioFormat
from tests.unit.relay.scene import MULAW, Scene
from wire import g711, media_stream


def echo(scene: Scene, name: str) -> None:
    scene.bridge.caller_message(media_stream.Mark(media_stream.MarkDetail(name)))


def marks_sent(scene: Scene) -> list[str]:
    return [message["mark"]["name"] for message in scene.provider.said("mark")]


def test_mulaw_passes_as_it_is_both_ways(live: Scene) -> None:
    live.bridge.caller_audio(b"\x01\x02", live.now)
    live.bridge.agent_audio(memoryview(b"\x03\x04"), live.now)
    assert live.agent.audio == [b"\x01\x02"]
    (message,) = live.provider.said()
    assert message == {"event": "media", "streamSid": "MZ1", "media": {"payload": "AwQ="}}
    assert (live.counters.to_agent, live.counters.to_caller) == (1, 1)


def test_pcm_is_transcoded_and_odd_bytes_are_carried(scene: Scene) -> None:
    scene.start_stream()
    scene.join_agent(AudioFormat("pcm_s16le", 8000))
    scene.agent.said()
    pcm = (np.sin(np.arange(800) / 9) * 9000).astype("<i2").tobytes()
    for at in range(0, len(pcm), 7):
        scene.bridge.agent_audio(pcm[at : at + 7], scene.now)
    assert scene.provider.heard() == g711.encode(pcm)
    scene.bridge.caller_audio(g711.encode(pcm), scene.now)
    assert scene.agent.audio == [g711.decode(g711.encode(pcm))]


def test_half_a_sample_sends_nothing(scene: Scene) -> None:
    scene.start_stream()
    scene.join_agent(AudioFormat("pcm_s16le", 8000))
    scene.bridge.agent_audio(b"\x01", scene.now)
    assert scene.provider.texts == []


def test_long_audio_is_cut_into_messages_of_a_second(live: Scene) -> None:
    sound = bytes(range(256)) * 100
    live.bridge.agent_audio(sound, live.now)
    sizes = [len(media_stream.decode_media(text) or b"") for text in live.provider.texts]
    assert sizes == [8000, 8000, 8000, 1600]
    assert live.provider.heard() == sound


def test_audio_without_a_stream_is_dropped_and_said(live: Scene) -> None:
    live.lose_stream()
    live.bridge.agent_audio(b"\xff" * 160, live.now)
    assert live.agent.said("dropped") == [
        {"type": "dropped", "direction": "to_caller", "ms": 20, "why": "no_stream"}
    ]


def test_audio_before_start_is_said_after_it(scene: Scene) -> None:
    scene.join_agent()
    scene.bridge.agent_audio(b"\xff" * 160, scene.now)
    scene.bridge.agent_early(160, scene.now)
    assert scene.agent.said() == []
    scene.start_stream()
    start, dropped = scene.agent.said()
    assert start["type"] == "start"
    assert (dropped["ms"], dropped["why"]) == (40, "no_stream")


def test_drops_are_summed_and_said_once_a_second(live: Scene) -> None:
    live.lose_stream()
    for _ in range(150):
        live.bridge.agent_audio(b"\xff" * 160, live.now)
        live.wait(0.02)
    live.wait(1)
    said = live.agent.said("dropped")
    assert 3 <= len(said) <= 5
    assert sum(message["ms"] for message in said) == 3000


def test_slow_agent_loses_whole_frames_and_hears_of_it(live: Scene) -> None:
    live.agent.choked = True
    live.bridge.caller_audio(b"\x01" * 160, live.now)
    live.agent.choked = False
    live.bridge.caller_audio(b"\x02" * 160, live.now)
    assert live.agent.audio == [b"\x02" * 160]
    assert live.agent.said() == [
        {"type": "dropped", "direction": "to_agent", "ms": 20, "why": "slow_agent"}
    ]
    assert live.counters.dropped["to_agent", "slow_agent"] == 1


def test_slow_provider_loses_audio_and_the_agent_hears_of_it(live: Scene) -> None:
    live.provider.choked = True
    live.bridge.agent_audio(b"\x01" * 800, live.now)
    assert live.provider.texts == []
    (said,) = live.agent.said()
    assert (said["direction"], said["ms"], said["why"]) == ("to_caller", 100, "slow_provider")


def test_five_minutes_are_queued_and_no_more(live: Scene) -> None:
    live.bridge.agent_audio(b"\xff" * 8000 * 301, live.now)
    assert len(live.provider.heard()) == 8000 * 301
    live.bridge.agent_audio(b"\xff" * 800, live.now)
    (said,) = live.agent.said()
    assert (said["ms"], said["why"]) == (100, "queue_full")
    live.wait(2)
    live.bridge.agent_audio(b"\xff" * 800, live.now)
    assert len(live.provider.heard()) == 800, "time plays the queue out"


def test_clear_empties_the_queue(live: Scene) -> None:
    live.bridge.agent_audio(b"\xff" * 8000 * 301, live.now)
    live.provider.said()
    live.send(type="clear")
    assert live.provider.said() == [{"event": "clear", "streamSid": "MZ1"}]
    live.bridge.agent_audio(b"\xff" * 800, live.now)
    assert len(live.provider.heard()) == 800


def test_mark_comes_back_played_under_the_agents_name(live: Scene) -> None:
    live.send(type="mark", name="greeting")
    (ours,) = marks_sent(live)
    assert ours != "greeting"
    echo(live, ours)
    echo(live, ours)
    assert live.agent.said() == [{"type": "mark", "name": "greeting", "played": True}]


def test_same_name_twice_comes_back_twice(live: Scene) -> None:
    live.send(type="mark", name="a")
    live.send(type="mark", name="a")
    for ours in marks_sent(live):
        echo(live, ours)
    assert [message["played"] for message in live.agent.said("mark")] == [True, True]


def test_cleared_marks_come_back_unplayed_and_their_echo_is_silent(live: Scene) -> None:
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


def test_clear_flushes_the_transcoder(scene: Scene) -> None:
    scene.start_stream()
    scene.join_agent(AudioFormat("pcm_s16le", 16000))
    loud = (np.ones(640) * 20000).astype("<i2").tobytes()
    scene.bridge.agent_audio(loud + b"\x01", scene.now)
    scene.send(type="clear")
    scene.provider.said()
    scene.bridge.agent_audio(bytes(640), scene.now)
    assert scene.provider.heard() == bytes([g711.SILENCE]) * 160


def test_clear_without_a_stream_is_harmless(scene: Scene) -> None:
    scene.join_agent()
    scene.send(type="clear")
    assert scene.agent.said() == []


def test_dtmf_from_the_caller_is_told(live: Scene) -> None:
    live.bridge.caller_message(media_stream.Dtmf(media_stream.DtmfDetail("5")))
    assert live.agent.said() == [{"type": "dtmf", "digit": "5"}]


def test_other_messages_of_the_stream_mean_nothing_to_the_agent(live: Scene) -> None:
    live.bridge.caller_message(media_stream.Connected())
    assert live.agent.said() == []


def test_dtmf_from_the_agent_is_played_as_tones(live: Scene) -> None:
    live.send(type="dtmf", digits="1w#" + "5" * 20)
    assert live.provider.heard() == tones.dtmf("1w#" + "5" * 20)


def test_keys_go_as_messages_where_the_provider_presses_them(scene: Scene) -> None:
    scene.join_agent()
    provider = scene.start_stream(keys=True)
    scene.send(type="dtmf", digits="1w#")
    said = provider.said()
    assert [m["dtmf"]["digit"] if m["event"] == "dtmf" else "audio" for m in said] == [
        "1", "audio", "audio", "#", "audio",
    ]  # fmt: skip


def test_keys_take_the_time_of_their_tones(scene: Scene) -> None:
    scene.join_agent()
    provider = scene.start_stream(keys=True)
    scene.send(type="dtmf", digits="1w#")
    heard = provider.heard()
    assert len(heard) == len(tones.dtmf("1w#"))
    assert set(heard) == {0xFF}


def test_dtmf_without_a_stream_is_dropped_and_said(live: Scene) -> None:
    live.lose_stream()
    live.send(type="dtmf", digits="12")
    (said,) = live.agent.said("dropped")
    assert (said["ms"], said["why"]) == (360, "no_stream")


@pytest.mark.parametrize(
    "message", [{"type": "mark", "name": "a"}, {"type": "dtmf", "digits": "1"}]
)
def test_what_needs_a_stream_is_refused_before_start(scene: Scene, message: dict[str, str]) -> None:
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
def test_senseless_messages_are_answered_and_the_call_goes_on(
    live: Scene, text: bytes, code: str
) -> None:
    live.bridge.agent_text(text, live.now)
    (error,) = live.agent.said()
    assert (error["type"], error["code"]) == ("error", code)
    assert error["detail"]
    assert live.agent.closed is None


def test_twenty_senseless_messages_close_the_agent(live: Scene) -> None:
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


def test_last_words_of_a_replaced_agent_are_not_answered(live: Scene) -> None:
    live.lose_agent()
    live.bridge.agent_text(b"{", live.now)
    live.bridge.agent_audio(b"\xff", live.now)
    assert live.agent.said() == []


def test_caller_audio_before_any_agent_is_not_reported_as_loss(scene: Scene) -> None:
    scene.start_stream()
    scene.bridge.caller_audio(b"\xff" * 160, scene.now)
    scene.join_agent(MULAW)
    assert [message["type"] for message in scene.agent.said()] == ["start"]


def test_every_text_is_json(live: Scene) -> None:
    live.send(type="mark", name='quote " and \\ and é')
    (ours,) = marks_sent(live)
    echo(live, ours)
    assert json.loads(live.agent.texts[0])["name"] == 'quote " and \\ and é'


def test_answers_that_are_never_read_close_the_agent(live: Scene) -> None:
    live.lose_stream()
    live.agent.choked = True
    for _ in range(2000):
        live.send(type="mark", name="n" * 128)
    assert live.agent.closed == (1008, "messages are not read")
    assert sum(map(len, live.agent.texts)) < 300_000


def test_provider_that_does_not_read_is_not_sent_clears_without_end(live: Scene) -> None:
    live.provider.choked = True
    for _ in range(5):
        live.send(type="clear")
    live.send(type="mark", name="a")
    assert live.agent.said()[0]["code"] == "too_many_marks"
    live.provider.choked = False
    live.send(type="clear")
    live.send(type="clear")
    assert len(live.provider.said("clear")) == 3
    assert live.provider.said("mark") == []
