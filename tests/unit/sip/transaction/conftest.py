"""Fixtures of the tests of transactions."""

from __future__ import annotations

import pytest

from tests.unit.sip.transaction.scene import Scene


@pytest.fixture
def scene() -> Scene:
    return Scene()
