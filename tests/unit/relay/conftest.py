"""Fixtures of the relay's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.relay.chamade_host import ChamadeHost, chamade_host
from tests.unit.relay.door_client import DoorStack, with_door
from tests.unit.relay.fake_control import FakeApplication
from tests.unit.relay.pair_application import PairApplication
from tests.unit.relay.scene import Scene
from tests.unit.relay.stack import Stack, running
from tests.unit.relay.twilio_agent import HEADERS, TwilioAgent, twilio_agent

MAX_WAITING = 20


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def live(scene: Scene) -> Scene:
    """Both legs are there and the agent has had its `start`."""
    scene.start_stream()
    scene.join_agent()
    scene.agent.said()
    return scene


@pytest.fixture
async def app() -> AsyncIterator[FakeApplication]:
    application = FakeApplication()
    runner = await application.start()
    yield application
    application.gate.set()
    application.released.set()
    await runner.cleanup()


@pytest.fixture
async def pair() -> AsyncIterator[PairApplication]:
    """An application with two calls."""
    application = PairApplication()
    runner = await application.start()
    yield application
    await runner.cleanup()


@pytest.fixture
async def stack(app: FakeApplication) -> AsyncIterator[Stack]:
    async with running(app, max_waiting=MAX_WAITING) as stack:
        yield stack


@pytest.fixture
async def agent(stack: Stack) -> AsyncIterator[TwilioAgent]:
    """An agent that the call's relay is to dial."""
    async with twilio_agent() as agent:
        stack.app.agent = {"url": agent.url, "headers": HEADERS}
        yield agent


@pytest.fixture
async def door(app: FakeApplication) -> AsyncIterator[DoorStack]:
    """A relay with a door."""
    async with with_door(app) as door:
        yield door


@pytest.fixture
async def host(app: FakeApplication) -> AsyncIterator[ChamadeHost]:
    """An agent of our own dialect that the call's relay is to dial."""
    async with chamade_host() as host:
        app.agent = host.agent()
        yield host
