"""Audio over a bridge: formats, dropped audio, barge-in."""

from __future__ import annotations

import numpy as np

from common import g711, media_stream
from relay.protocol.agent import AudioFormat
from tests.unit.relay.scene import MULAW, Scene


def test_mulaw_passes_as_it_is_both_ways(live: Scene) -> None:
    live.bridge.caller_audio(b"\x01\x02", live.now)
    live.bridge.agent_audio(memoryview(b"\x03\x04"), live.now)
    assert live.agent.audio == [b"\x01\x02"]
    (message,) = live.provider.said()
    assert message == {"event": "media", "streamSid": "MZ1", "media": {"payload": "AwQ="}}
    assert (live.counters.to_agent, live.counters.to_caller) == (1, 1)


def test_pcm_is_transcoded_and_odd_bytes_are_kept_for_the_next_message(scene: Scene) -> None:
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


def test_the_agent_is_told_of_audio_dropped_without_a_stream(live: Scene) -> None:
    live.lose_stream()
    live.bridge.agent_audio(b"\xff" * 160, live.now)
    assert live.agent.said("dropped") == [
        {"type": "dropped", "direction": "to_caller", "ms": 20, "why": "no_stream"}
    ]


def test_audio_dropped_before_start_is_told_after_start(scene: Scene) -> None:
    scene.join_agent()
    scene.bridge.agent_audio(b"\xff" * 160, scene.now)
    scene.bridge.agent_audio_too_early(160, scene.now)
    assert scene.agent.said() == []
    scene.start_stream()
    start, dropped = scene.agent.said()
    assert start["type"] == "start"
    assert (dropped["ms"], dropped["why"]) == (40, "no_stream")


def test_dropped_audio_is_summed_and_told_once_a_second(live: Scene) -> None:
    live.lose_stream()
    for _ in range(150):
        live.bridge.agent_audio(b"\xff" * 160, live.now)
        live.wait(0.02)
    live.wait(1)
    said = live.agent.said("dropped")
    assert 3 <= len(said) <= 5
    assert sum(message["ms"] for message in said) == 3000


def test_a_slow_agent_loses_whole_frames_and_is_told(live: Scene) -> None:
    live.agent.choked = True
    live.bridge.caller_audio(b"\x01" * 160, live.now)
    live.agent.choked = False
    live.bridge.caller_audio(b"\x02" * 160, live.now)
    assert live.agent.audio == [b"\x02" * 160]
    assert live.agent.said() == [
        {"type": "dropped", "direction": "to_agent", "ms": 20, "why": "slow_agent"}
    ]
    assert live.counters.dropped["to_agent", "slow_agent"] == 1


def test_audio_for_a_slow_provider_is_dropped_and_the_agent_is_told(live: Scene) -> None:
    live.provider.choked = True
    live.bridge.agent_audio(b"\x01" * 800, live.now)
    assert live.provider.texts == []
    (said,) = live.agent.said()
    assert (said["direction"], said["ms"], said["why"]) == ("to_caller", 100, "slow_provider")


def test_at_most_five_minutes_of_audio_are_queued(live: Scene) -> None:
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


def test_caller_audio_before_any_agent_is_not_told_as_dropped(scene: Scene) -> None:
    scene.start_stream()
    scene.bridge.caller_audio(b"\xff" * 160, scene.now)
    scene.join_agent(MULAW)
    assert [message["type"] for message in scene.agent.said()] == ["start"]


def test_a_provider_that_does_not_read_is_sent_one_clear(live: Scene) -> None:
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
