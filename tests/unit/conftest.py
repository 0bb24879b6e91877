"""Tests of rules have the engine in their own process."""

from __future__ import annotations

import pytest

from tests.support.engine_inside import client_inside


@pytest.fixture(scope="session")
def dynamodb():
    return client_inside()
