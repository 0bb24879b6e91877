"""Fixtures of the relay's tests."""

from __future__ import annotations

import pytest

from tests.unit.relay.scene import Scene


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
