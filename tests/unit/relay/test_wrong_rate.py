"""An agent whose audio has another sample rate than its socket is warned, once."""

from __future__ import annotations

import pytest

from relay.protocol.agent import AudioFormat
from relay.protocol.twilio_dialect import TwilioDialect
from tests.unit.relay.scene import MULAW, RecordingLeg, Scene

FRAME_S = 0.02


def speak(scene: Scene, audio: AudioFormat, pace: float, seconds: float) -> None:
    """Send the agent's audio for so long, `pace` times as fast as it is played."""
    bytes_per_sample = audio.bytes_per_ms * 1000 // audio.sample_rate
    size = round(audio.sample_rate * FRAME_S * pace) * bytes_per_sample
    for _ in range(round(seconds / FRAME_S)):
        scene.bridge.agent_audio(b"\x00" * size, scene.now)
        scene.now += FRAME_S


@pytest.mark.parametrize(
    ("rate", "sent"), [(16000, 24000), (8000, 16000), (8000, 24000), (16000, 22050), (16000, 48000)]
)
def test_a_live_source_of_another_rate_is_noticed(scene: Scene, rate: int, sent: int) -> None:
    audio = AudioFormat("pcm_s16le", rate)
    scene.start_stream()
    scene.join_agent(audio)
    scene.agent.said()
    speak(scene, audio, sent / rate, 60)
    (warning,) = scene.agent.said("warning")
    assert warning["code"] == "wrong_rate"
    assert f"sampled at {sent} Hz? This socket plays {rate} Hz" in warning["detail"]


@pytest.mark.parametrize("pace", [1.0, 1.2, 1.7, 2.3, 10.0])
def test_other_paces_are_no_reason_for_a_warning(scene: Scene, pace: float) -> None:
    audio = AudioFormat("pcm_s16le", 16000)
    scene.start_stream()
    scene.join_agent(audio)
    scene.agent.said()
    speak(scene, audio, pace, 25)
    assert scene.agent.said("warning") == []


def test_a_speech_that_is_sent_at_once_is_no_reason_for_a_warning(live: Scene) -> None:
    for _ in range(20):
        live.bridge.agent_audio(b"\xff" * 8000 * 20, live.now)
        live.now += 25
    assert live.agent.said("warning") == []


def test_an_agent_that_reconnects_with_the_same_mistake_is_warned_again(scene: Scene) -> None:
    audio = AudioFormat("pcm_s16le", 16000)
    scene.start_stream()
    for _ in range(2):
        scene.join_agent(audio)
        speak(scene, audio, 1.5, 40)
        assert len(scene.agent.said("warning")) == 1
        scene.send(type="clear")


def test_an_agent_of_twilios_dialect_has_it_in_the_log(scene: Scene) -> None:
    lines: list[tuple[str, str]] = []
    leg = RecordingLeg(TwilioDialect(lambda code, detail: lines.append((code, detail))))
    scene.agent = leg
    scene.start_stream()
    assert scene.bridge.agent_joined(leg, MULAW, scene.now)
    speak(scene, MULAW, 2.0, 40)
    assert [code for code, _ in lines].count("wrong_rate") == 1
