"""An account alone in its table, its deliveries, and another account beside it."""

from __future__ import annotations

import pytest

from tests.support.delivery_harness import DeliveryHarness
from tests.support.world import World


@pytest.fixture
def world(empty_table):
    """Alone in its table: the sweep sees all accounts."""
    return World(empty_table)


@pytest.fixture
def harness(world):
    return DeliveryHarness(world)


@pytest.fixture
def other(world, harness):
    """Another account with an endpoint; its id and its number."""
    account_id, _ = world.new_account()
    number = world.new_number(account_id)
    world.clock.advance(0.001)
    harness.endpoint(account_id)
    return account_id, number
