"""The detector in a call's bridge: what the agent and the application are told of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from common import g711
from relay.core.answer_watch import TOLD
from relay.protocol.detection import WantedDetection
from tests.unit.relay.fake_control import FakeApplication
from tests.unit.relay.scene import Scene
from tests.unit.relay.stack import Stack, media, message
from tests.unit.relay.test_who_answered import ulaw, words

TO_THE_END, TO_THE_ANSWER = WantedDetection("greeting_end"), WantedDetection("answer")
SILENCE = g711.encode(np.zeros(160, "<i2").tobytes())
MESSAGES = ("answered_by", "greeting_ended")


def hear(scene: Scene, audio: bytes) -> None:
    for start in range(0, len(audio), 160):
        scene.bridge.caller_audio(audio[start : start + 160], scene.now)
        scene.now += 0.02


def found(scene: Scene) -> list[str]:
    return [each.by for each in scene.actions.answers]


def test_agent_and_application_are_told_of_the_machine_and_the_end_of_its_greeting(
    live: Scene,
) -> None:
    live.bridge.detect(TO_THE_END, live.now)
    hear(live, words(5000) + ulaw((0, 500), (1000, 400), (0, 500)))
    assert found(live) == ["machine", "beep"]
    by, ended = live.agent.said(*MESSAGES)
    assert (by["answered_by"], ended["ended_by"]) == ("machine", "beep")
    assert 2500 < by["at_ms"] < 4000
    assert ended["at_ms"] == pytest.approx(5900, abs=60)


def test_the_agent_hears_the_same_with_and_without_a_detector(live: Scene) -> None:
    audio = words(1000)
    live.bridge.detect(TO_THE_END, live.now)
    hear(live, audio)
    assert b"".join(live.agent.audio) == audio


def test_an_agent_that_comes_later_is_told_when_it_is_there(scene: Scene) -> None:
    scene.start_stream()
    scene.bridge.detect(TO_THE_ANSWER, scene.now)
    hear(scene, words(400) + SILENCE * 100)
    agent = scene.join_agent()
    assert [m["answered_by"] for m in agent.said(*MESSAGES)] == ["human"]


def test_nothing_is_listened_to_before_it_is_asked_for_or_after_it_is_known(live: Scene) -> None:
    plain = live.bridge.caller_audio
    hear(live, words(400) + SILENCE * 100)
    assert found(live) == []
    live.bridge.detect(TO_THE_ANSWER, live.now)
    assert live.bridge.caller_audio != plain
    hear(live, words(400) + SILENCE * 100)
    live.bridge.detect(None, live.now)
    assert live.bridge.caller_audio == plain
    hear(live, words(400) + SILENCE * 100)
    assert found(live) == ["human"]


def test_a_report_that_was_lost_is_made_again_while_the_application_asks_but_not_for_ever(
    live: Scene,
) -> None:
    live.bridge.detect(TO_THE_ANSWER, live.now)
    hear(live, words(400) + SILENCE * 100)
    for _ in range(20):
        live.bridge.detect(TO_THE_ANSWER, live.now)
    assert found(live) == ["human"] * (1 + TOLD)
    assert len(live.agent.said(*MESSAGES)) == 1


def test_a_relay_that_takes_over_goes_on_to_the_end_of_the_greeting(live: Scene) -> None:
    live.bridge.detect(WantedDetection("greeting_end", "machine"), live.now)
    hear(live, words(500) + ulaw((0, 300), (1000, 400), (0, 500)))
    assert found(live) == ["beep"]


def test_who_answered_is_found_out_while_the_line_is_held_too(live: Scene) -> None:
    from relay.protocol.line import Line, Source

    live.bridge.follow_line(Line(number=1, mode="hold", source=Source("silence")), live.now)
    live.bridge.detect(TO_THE_ANSWER, live.now)
    hear(live, words(400) + SILENCE * 100)
    assert found(live) == ["human"]


def test_a_far_end_that_sends_no_audio_at_all_is_nobody_that_can_be_told(live: Scene) -> None:
    live.bridge.detect(TO_THE_ANSWER, live.now)
    for _ in range(10):
        live.now += 1
        live.bridge.tick(live.now)
    assert found(live) == ["unknown"]


async def test_a_relay_reports_what_it_finds_and_stops_when_the_application_knows(
    app: FakeApplication, stack: Stack
) -> None:
    app.detect = {"until": "greeting_end", "answered_by": None}
    provider, agent = await stack.both()
    audio = words(3500) + ulaw((0, 300), (1000, 400), (0, 300))
    for start in range(0, len(audio), 160):
        await provider.send(media(audio[start : start + 160]))
    assert (await message(agent, "answered_by"))["answered_by"] == "machine"
    assert (await message(agent, "greeting_ended"))["ended_by"] == "beep"
    await app.reported("answered_by")
    app.detect = None
    await app.reported("greeting_ended")
    reports: list[dict[str, Any]] = [b for b in app.bodies if b["type"] in MESSAGES]
    assert reports[0]["answered_by"] == "machine"
    assert reports[-1]["ended_by"] == "beep"
    assert all(isinstance(each["at_ms"], int) for each in reports)
