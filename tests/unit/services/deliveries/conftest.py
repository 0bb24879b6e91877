"""A harness that delivers to one endpoint."""

from __future__ import annotations

import time

import pytest

from tests.support.delivery_harness import DeliveryHarness
from tests.support.world import World


@pytest.fixture
def world(empty_table):
    """Alone in its table: the sweep sees all accounts."""
    return World(empty_table)


@pytest.fixture
def harness(world):
    world.clock.ms = time.time_ns() // 1_000_000  # the library wants fresh timestamps
    return DeliveryHarness(world)


@pytest.fixture
def endpoint(harness):
    return harness.endpoint()[0]
