"""Fixtures of the voice host's tests."""

from __future__ import annotations

import pytest

from tests.unit.voice.call_scene import CallScene


@pytest.fixture
def scene() -> CallScene:
    """A call whose audio flows."""
    return CallScene().start()
