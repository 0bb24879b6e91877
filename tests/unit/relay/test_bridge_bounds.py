"""Bounds of what an agent costs: unheard audio is neither transcoded nor read without end."""

from __future__ import annotations

import numpy as np
import pytest

from common import g711
from common.budget import MAX_WAIT_S, Budget
from relay.protocol.agent import AudioFormat
from tests.unit.relay.scene import MULAW, Scene

PCM = AudioFormat("pcm_s16le", 16000)
MINUTE = b"\xff" * 8000 * 60


def fill(scene: Scene) -> None:
    """Fill the queue."""
    for _ in range(302):
        scene.bridge.agent_audio(bytes(scene.bytes_a_second), scene.now)
    assert scene.counters.dropped["to_caller", "queue_full"] in (1, 2)
    scene.provider.said()
    scene.agent.said()


def talking(scene: Scene, audio: AudioFormat) -> Scene:
    scene.start_stream()
    scene.join_agent(audio)
    scene.agent.said()
    scene.bytes_a_second = audio.bytes_per_ms * 1000
    return scene


@pytest.fixture
def transcoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the audio that was transcoded."""
    sizes: list[int] = []
    encode = g711.encode

    def counted(pcm: bytes) -> bytes:
        sizes.append(len(pcm))
        return encode(pcm)

    monkeypatch.setattr(g711, "encode", counted)
    return sizes


def test_audio_without_room_is_not_transcoded(scene: Scene, transcoded: list[int]) -> None:
    fill(talking(scene, AudioFormat("pcm_s16le", 8000)))
    transcoded.clear()
    scene.bridge.agent_audio(bytes(16000), scene.now)
    assert transcoded == []
    scene.wait(30)
    scene.bridge.agent_audio(bytes(16000), scene.now)
    assert transcoded == [16000]


@pytest.mark.parametrize("why", ["slow_provider", "no_stream"])
def test_audio_that_cannot_go_out_is_not_transcoded(
    scene: Scene, transcoded: list[int], why: str
) -> None:
    talking(scene, AudioFormat("pcm_s16le", 8000))
    if why == "no_stream":
        scene.lose_stream()
    scene.provider.choked = True
    scene.bridge.agent_audio(bytes(1600), scene.now)
    assert transcoded == []
    (said,) = scene.agent.said("dropped")
    assert (said["ms"], said["why"]) == (100, why)


def test_the_agent_is_told_of_keys_that_were_dropped(live: Scene) -> None:
    live.bytes_a_second = 8000
    fill(live)
    live.wait(0.9)
    live.send(type="dtmf", digits="1w2")
    assert live.provider.texts == []
    live.wait(1)
    assert live.agent.said("dropped")[-1]["ms"] == 860


@pytest.mark.parametrize("rate", [8000, 16000, 24000])
@pytest.mark.parametrize("why", ["queue_full", "no_stream", "early"])
def test_samples_stay_whole_across_audio_that_was_dropped(
    scene: Scene, rate: int, why: str
) -> None:
    talking(scene, AudioFormat("pcm_s16le", rate))
    loud = (np.sin(np.arange(rate) / 9) * 9000).astype("<i2").tobytes()
    if why == "early":
        scene.join_agent(AudioFormat("pcm_s16le", rate))
        scene.bridge.agent_audio_too_early(641, scene.now)
    else:
        scene.bridge.agent_audio(loud[:641], scene.now)
    if why == "queue_full":
        fill(scene)
    else:
        scene.lose_stream()
    for piece in (loud[641:1282], loud[1282:1283]):
        scene.bridge.agent_audio(piece, scene.now)
    if why == "queue_full":
        scene.wait(60)
    else:
        scene.start_stream()
    scene.provider.said()
    scene.bridge.agent_audio(loud[1283:], scene.now)
    heard = np.frombuffer(g711.decode(scene.provider.heard()), "<i2").astype(int)[50:]
    assert np.abs(np.diff(heard)).max() < 4500, "a sine, and not noise"


def test_audio_at_ten_times_real_time_is_never_slowed_down(live: Scene) -> None:
    for _ in range(120):
        live.bridge.agent_audio(b"\xff" * 8000 * 10, live.now)
        live.wait(1)
    assert live.agent.pauses == []


def test_half_an_hour_at_once_is_dropped_and_slows_the_sender_down(live: Scene) -> None:
    for _ in range(14):
        live.bridge.agent_audio(MINUTE, live.now)
    assert live.agent.pauses == []
    for _ in range(16):
        live.bridge.agent_audio(MINUTE, live.now)
    assert len(live.agent.pauses) >= 15
    assert all(0 < seconds <= MAX_WAIT_S for seconds in live.agent.pauses)
    assert live.agent.closed is None


def test_texts_without_end_slow_the_sender_down(live: Scene) -> None:
    for _ in range(100 * 20):
        live.send(type="clear")
        live.wait(0.01)
    assert live.agent.pauses == []
    for _ in range(8000):
        live.send(type="clear")
    assert live.agent.pauses
    assert live.agent.closed is None


def test_audio_that_is_always_cleared_slows_the_sender_down(live: Scene) -> None:
    for _ in range(9):
        live.bridge.agent_audio(MINUTE, live.now)
        live.send(type="clear")
    assert live.agent.pauses == []
    for _ in range(3):
        live.bridge.agent_audio(MINUTE, live.now)
        live.send(type="clear")
    assert live.agent.pauses


def test_a_new_connection_does_not_reset_the_budget(live: Scene) -> None:
    for _ in range(20):
        live.bridge.agent_audio(MINUTE, live.now)
    again = live.join_agent(MULAW)
    live.bridge.agent_audio(MINUTE, live.now)
    assert again.pauses


def test_the_agent_is_read_at_full_speed_soon_after_an_excess_ends(live: Scene) -> None:
    for _ in range(100):
        live.bridge.agent_audio(MINUTE, live.now)
    live.wait(2 * MAX_WAIT_S)
    live.agent.pauses.clear()
    live.bridge.agent_audio(b"\xff" * 8000, live.now)
    assert live.agent.pauses == []


def test_a_budget_allows_so_much_at_once_and_so_much_a_second() -> None:
    budget = Budget(100, 10)
    assert budget.spend(100, 50.0) == 0
    assert budget.spend(10, 50.0) == 1.0
    assert budget.spend(0, 51.0) == 0
    assert budget.spend(10, 52.0) == 0
    assert budget.spend(1000, 52.0) == MAX_WAIT_S
    assert budget.spend(0, 57.0) == 0
