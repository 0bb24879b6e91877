"""Fixtures of the relay's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from relay.config import Config
from relay.control import Control, Patience
from relay.server import Relay
from tests.unit.relay.fake_control import SECRET, FakeApplication
from tests.unit.relay.scene import Scene
from tests.unit.relay.stack import GRACES, Stack

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
    await runner.cleanup()


@pytest.fixture
async def stack(app: FakeApplication) -> AsyncIterator[Stack]:
    config = Config(
        control_url=app.url,
        control_secret=SECRET,
        port=0,
        public_url="wss://relay.example",
        drain_s=0.3,
        max_waiting=MAX_WAITING,
        allow_private_agents=True,
        graces=GRACES,
    )
    async with Control(config, Patience(timeout=1, pauses=(0.01, 0.01))) as control:
        stack = Stack(app, Relay(config, control))
        stack.port = await stack.relay.start()
        async with stack.closing:
            yield stack
        await stack.relay.drain()
