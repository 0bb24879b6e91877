"""Caller audio while no agent is there: the last two seconds are kept."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.caller_to_agent import KEPT_MS
from relay.protocol import pcm
from relay.protocol.agent import AudioFormat
from relay.protocol.twilio_dialect import TwilioDialect
from tests.unit.relay.scene import MULAW, RecordingLeg, Scene

FORMATS = [MULAW, *(AudioFormat("pcm_s16le", rate) for rate in (8000, 16000, 24000))]
KEPT = KEPT_MS * 8


def noise(size: int, seed: int = 1) -> bytes:
    return bytes(np.random.default_rng(seed).integers(0, 256, size, np.uint8))


def says(scene: Scene, ulaw: bytes, size: int = 160) -> None:
    """Send the caller's audio in messages of `size` bytes."""
    for at in range(0, len(ulaw), size):
        scene.bridge.caller_audio(ulaw[at : at + size], scene.now)


def as_heard(audio: AudioFormat, ulaw: bytes) -> bytes:
    """Transcode the whole at once for an agent of that format."""
    transcode, _ = pcm.transcoders(audio)
    return ulaw if transcode is None else transcode(ulaw)


def twilio(scene: Scene, *, dialled: bool = False) -> RecordingLeg:
    leg = RecordingLeg(TwilioDialect(lambda *_: None), dialled=dialled)
    leg.send_audio = lambda ulaw: leg.send_text(leg.dialect.media(ulaw))  # type: ignore[attr-defined, method-assign]
    assert scene.bridge.agent_joined(leg, MULAW, scene.now)
    scene.agent = leg
    return leg


@pytest.mark.parametrize("audio", FORMATS, ids=lambda a: f"{a.format}-{a.sample_rate}")
def test_the_first_words_reach_a_late_agent_without_a_gap(scene: Scene, audio: AudioFormat) -> None:
    words = noise(80 * 8 + 8000)
    scene.start_stream()
    says(scene, words[: 80 * 8])
    agent = scene.join_agent(audio)
    assert len(b"".join(agent.audio)) == 80 * audio.bytes_per_ms, "at once, with no time gone by"
    assert {len(message) for message in agent.audio} == {20 * audio.bytes_per_ms}
    says(scene, words[80 * 8 :])
    assert b"".join(agent.audio) == as_heard(audio, words)
    assert [message["type"] for message in agent.said()] == ["start"], "nothing was dropped"
    assert not scene.counters.dropped


def test_start_comes_before_what_was_kept(scene: Scene) -> None:
    scene.start_stream()
    says(scene, noise(320))
    order: list[str] = []
    agent = RecordingLeg()
    agent.send_text = lambda text: order.append(json.loads(text)["type"])  # type: ignore[method-assign]
    agent.send_audio = lambda _: order.append("audio")  # type: ignore[method-assign]
    scene.bridge.agent_joined(agent, MULAW, scene.now)
    assert order == ["start", "audio", "audio"]


def test_the_last_two_seconds_are_kept(scene: Scene) -> None:
    words = noise(KEPT + 800)
    scene.start_stream()
    says(scene, words)
    assert b"".join(scene.join_agent().audio) == words[800:]
    assert scene.counters.dropped["to_agent", "no_agent"] == 5


def test_an_agent_that_comes_back_hears_what_was_said_meanwhile(live: Scene) -> None:
    before, meanwhile, after = noise(480), noise(8000, 2), noise(480, 3)
    says(live, before)
    first = live.agent
    live.lose_agent()
    live.now += 1
    says(live, meanwhile)
    back = live.join_agent()
    says(live, after)
    assert b"".join(first.audio) == before
    assert b"".join(back.audio) == meanwhile + after
    assert [message["type"] for message in back.said()] == ["start"]


def test_an_agent_that_comes_back_late_is_told_how_much_was_dropped(live: Scene) -> None:
    live.lose_agent()
    words = noise(KEPT + 24_000)
    says(live, words)
    back = live.join_agent()
    assert back.said()[1:] == [
        {"type": "dropped", "direction": "to_agent", "ms": 3000, "why": "no_agent"}
    ]
    assert b"".join(back.audio) == words[-KEPT:]


def test_kept_audio_is_sent_once(scene: Scene) -> None:
    scene.start_stream()
    says(scene, noise(480))
    scene.join_agent()
    scene.lose_agent()
    assert scene.join_agent().audio == []


def test_kept_audio_survives_a_broken_stream(live: Scene) -> None:
    live.lose_agent()
    says(live, noise(480))
    live.lose_stream()
    back = live.join_agent()
    assert back.audio == [], "held"
    live.start_stream()
    assert b"".join(back.audio) == noise(480)


@pytest.mark.parametrize("dialled", [False, True], ids=["came by itself", "dialled"])
def test_in_twilios_dialect_kept_audio_is_numbered_and_timed_like_live_audio(
    scene: Scene, dialled: bool
) -> None:
    scene.start_stream()
    says(scene, noise(KEPT + 1600))
    leg = twilio(scene, dialled=dialled)
    says(scene, noise(160))
    _, _, *rest = leg.said()
    assert [m["sequenceNumber"] for m in rest] == [str(n + 2) for n in range(101)]
    assert [m["media"]["chunk"] for m in rest] == [str(n + 1) for n in range(101)]
    assert [m["media"]["timestamp"] for m in rest] == [str(20 * n) for n in range(101)]


def test_audio_lost_by_an_earlier_connection_does_not_advance_a_new_streams_time(
    live: Scene,
) -> None:
    live.agent.choked = True
    says(live, noise(1600))
    live.lose_agent()
    says(live, noise(160))
    _, _, media = twilio(live).said()
    assert media["media"]["timestamp"] == "0"


@given(
    st.lists(st.binary(max_size=400), max_size=60),
    st.sampled_from(FORMATS),
    st.integers(0, 60),
)
def test_audio_in_any_pieces_is_heard_in_order_except_the_oldest(
    pieces: list[bytes], audio: AudioFormat, comes_after: int
) -> None:
    scene = Scene()
    scene.start_stream()
    for piece in pieces[:comes_after]:
        scene.bridge.caller_audio(piece, scene.now)
    agent = scene.join_agent(audio)
    for piece in pieces[comes_after:]:
        scene.bridge.caller_audio(piece, scene.now)
    kept = b"".join(pieces[:comes_after])[-KEPT:] + b"".join(pieces[comes_after:])
    assert b"".join(agent.audio) == as_heard(audio, kept)
