"""Fixtures of the voice host's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.voice.call_scene import CallScene
from tests.unit.voice.host_stack import Stack, running


@pytest.fixture
def scene() -> CallScene:
    """A call whose audio flows."""
    return CallScene().start()


@pytest.fixture
async def stack() -> AsyncIterator[Stack]:
    """A voice host with two places."""
    async with running() as stack:
        yield stack
