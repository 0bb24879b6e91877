"""Tests of the leg that goes from one route to the next, with legs that a test controls."""

from __future__ import annotations

import pytest

from gateway.calls.leg import Release, Route
from gateway.legs.sip.fall_over import FallOver, Fitness
from gateway.legs.sip.routed_leg import RoutedLeg
from tests.unit.gateway.sip.conftest import RecordingCall

GIVEN_UP = Release("canceled", 487, "")
ROUTES = [Route(name, "1", "2") for name in "AB"]


class Leg:
    """A leg of one route: notes its commands."""

    def __init__(self, route, more):
        self.route, self.more, self.commands, self.events = route, more, [], None

    def attach(self, events, call_sid):
        self.events = events

    def __getattr__(self, name):
        return lambda *arguments: self.commands.append((name, *arguments))


@pytest.fixture
def legs():
    return []


@pytest.fixture
def call():
    return RecordingCall()


@pytest.fixture
def routed(legs, call):
    def begin(route, more):
        legs.append(Leg(route, more))
        return legs[-1]

    made = RoutedLeg(FallOver(ROUTES, lambda _: Fitness.UP), begin, "A", lambda: "nobody")
    made.attach(call, "CA1")
    made.ring()
    return made


def test_each_leg_is_told_whether_another_route_is_left(routed, legs):
    legs[0].events.on_hangup(503, "down")
    assert [(leg.route.trunk_id, leg.more) for leg in legs] == [("A", True), ("B", False)]


def test_a_leg_that_fails_after_the_call_was_given_up_leads_nowhere(routed, legs, call):
    routed.hangup(GIVEN_UP)
    legs[0].events.on_hangup(503, "down")
    assert len(legs) == 1
    assert call.events == []
    assert legs[0].commands == [("ring",), ("hangup", GIVEN_UP)]


def test_commands_and_events_pass_between_the_call_and_the_present_leg(routed, legs, call):
    legs[0].events.on_hangup(503, "down")
    legs[1].events.on_answered()
    routed.play(b"frame")
    routed.press("5")
    legs[1].events.on_audio(b"heard")
    legs[1].events.on_dtmf("6")
    legs[1].events.on_hangup(200, "bye")
    assert legs[1].commands == [("ring",), ("play", b"frame"), ("press", "5")]
    assert call.events == [
        ("on_trunk", "B"),
        ("on_answered",),
        ("on_audio", b"heard"),
        ("on_dtmf", "6"),
        ("on_hangup", 200, "bye"),
    ]


def test_a_leg_that_breaks_ends_the_call(routed, legs, call):
    legs[0].events.on_broken("the audio broke")
    assert call.events == [("on_broken", "the audio broke")]
    assert len(legs) == 1
