"""Dials and their refusals, as the tests of dialling make them."""

from __future__ import annotations

import pytest

from chalicelib.domain.dial_rules import NotDialled


def expect_refusal(world, **options) -> NotDialled:
    """Dial; expect a refusal without a call or a request to the provider; return it."""
    calls = len(world.provider.dialled)
    before = world.stores.dialling.get(world.account_id)
    with pytest.raises(NotDialled) as error:
        world.dial(**options)
    assert len(world.provider.dialled) == calls
    assert world.stores.dialling.get(world.account_id) == before
    return error.value


def read_dialling(world) -> frozenset[str]:
    return world.stores.dialling.get(world.account_id).calls
