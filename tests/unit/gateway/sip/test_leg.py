"""Tests of a SIP leg between its child and its call."""

from __future__ import annotations

import asyncio

import pytest

from gateway.calls.leg import Release
from gateway.legs.sip.leg import SipLeg

BUSY = Release("busy", 486, "")
UNKNOWN = Release("no-answer", 404, "")
DONE = Release("completed", 200, "")


class RecordingLink:
    def __init__(self) -> None:
        self.commands: list[dict] = []
        self.played: list[tuple[int, bytes]] = []

    def command(self, **message) -> None:
        self.commands.append(message)

    def play(self, call: int, frame: bytes) -> None:
        self.played.append((call, frame))


class RecordingCall:
    def __init__(self) -> None:
        self.events: list[tuple] = []

    def __getattr__(self, name):
        return lambda *arguments: self.events.append((name, *arguments))


@pytest.fixture
def link() -> RecordingLink:
    return RecordingLink()


@pytest.fixture
def call() -> RecordingCall:
    return RecordingCall()


def inbound(link, call) -> SipLeg:
    leg = SipLeg(link, 1)
    leg.attach(call, "CA1")
    leg.ring()
    return leg


def outbound(link, call) -> SipLeg:
    leg = SipLeg(link, 2, {"trunk_id": "trunk_a", "to": "+331", "caller_id": "+332"})
    leg.attach(call, "CA1")
    leg.ring()
    return leg


def ended(code, reason="", *, broken=False):
    return {"on": "ended", "code": code, "reason": reason, "broken": broken, "stats": {}}


async def test_answering_sends_one_command_and_waits_for_the_caller(link, call):
    leg = inbound(link, call)
    first = asyncio.create_task(leg.answer())
    second = asyncio.create_task(leg.answer())
    await asyncio.sleep(0)
    assert link.commands == [{"do": "answer", "call": 1}]
    assert not first.done()
    leg.happened({"on": "answered"})
    await asyncio.gather(first, second)


async def test_a_caller_who_hangs_up_ends_the_wait_for_the_answer(link, call):
    leg = inbound(link, call)
    waiting = asyncio.create_task(leg.answer())
    await asyncio.sleep(0)
    leg.happened(ended(487))
    await waiting
    assert call.events[-1][:2] == ("on_hangup", 487)


@pytest.mark.parametrize(("release", "code"), [(BUSY, 486), (UNKNOWN, 404)])
def test_an_inbound_leg_is_rejected_with_the_code_of_the_release(link, call, release, code):
    inbound(link, call).reject(release)
    assert link.commands == [
        {"do": "reject", "call": 1, "code": code, "reason": link.commands[0]["reason"]}
    ]


def test_a_release_code_that_is_no_refusal_is_sent_as_480(link, call):
    inbound(link, call).reject(Release("canceled", 487, ""))
    assert link.commands[0]["code"] == 480


def test_an_outbound_leg_dials_when_told_to_ring(link, call):
    outbound(link, call)
    assert link.commands == [
        {
            "do": "dial", "call": 2, "call_sid": "CA1",
            "trunk_id": "trunk_a", "to": "+331", "caller_id": "+332",
        }
    ]  # fmt: skip


def test_an_outbound_leg_reports_its_progress(link, call):
    leg = outbound(link, call)
    leg.happened({"on": "ringing"})
    leg.happened({"on": "answered"})
    leg.happened({"on": "dtmf", "digit": "5"})
    leg.heard(b"\xff" * 160)
    leg.happened(ended(0, "Connection reset by peer"))
    assert [event[0] for event in call.events] == [
        "on_ringing", "on_answered", "on_dtmf", "on_audio", "on_hangup",
    ]  # fmt: skip
    assert call.events[-1][1] == 200


def test_an_outbound_leg_reports_a_refusal_with_its_code(link, call):
    outbound(link, call).happened(ended(603, "Decline"))
    assert call.events == [("on_hangup", 603, "Decline")]


def test_broken_audio_is_reported_as_broken_and_not_as_a_hang_up(link, call):
    leg = outbound(link, call)
    leg.happened({"on": "answered"})
    leg.happened(ended(503, "rtp stream error", broken=True))
    assert call.events[-1] == ("on_broken", "rtp stream error")


def test_a_leg_whose_child_died_reports_broken_once(link, call):
    leg = outbound(link, call)
    leg.happened({"on": "answered"})
    leg.lost("the SIP stack died")
    leg.lost("the SIP stack died")
    assert call.events[1:] == [("on_broken", "the SIP stack died")]


def test_an_ended_leg_reports_nothing_more(link, call):
    leg = outbound(link, call)
    leg.hangup(DONE)
    said = len(link.commands)
    leg.hangup(DONE)
    leg.play(b"\xff" * 160)
    leg.press("5")
    leg.happened(ended(200))
    assert len(link.commands) == said
    assert link.played == []
    assert call.events == []
