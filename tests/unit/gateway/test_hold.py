"""Tests of the far end's hold as the application is told of it."""

from __future__ import annotations

import asyncio

import pytest

from gateway.calls import hold
from gateway.calls.hold import HOLDS_BURST, FarEndHold


@pytest.fixture
def told():
    return []


@pytest.fixture
def news():
    return asyncio.Event()


@pytest.fixture
async def holding(told, news):
    def tell(held):
        told.append(held)
        news.set()

    made = FarEndHold(tell)
    yield made
    made.stop()


async def test_each_new_state_is_told_once(holding, told):
    holding.begin()
    for held in (False, True, True, False):
        holding.change(held)
    assert told == [True, False]


async def test_nothing_is_told_before_the_answer_and_then_the_state_of_that_moment(holding, told):
    for held in (True, False, True):
        holding.change(held)
    assert told == []
    holding.begin()
    assert told == [True]


async def test_a_far_end_that_changes_its_mind_all_the_time_is_told_at_a_pace(
    holding, told, news, monkeypatch
):
    holding.begin()
    monkeypatch.setattr(hold, "HOLDS_A_SECOND", 100.0)
    for number in range(1001):
        holding.change(number % 2 == 0)
    assert len(told) == HOLDS_BURST
    assert told[-1] is False
    news.clear()
    holding._pace._credit = 1  # as after half a minute
    await asyncio.wait_for(news.wait(), 5)
    assert told[-1] is True
    assert len(told) == HOLDS_BURST + 1


async def test_nothing_is_told_after_the_end(holding, told):
    holding.begin()
    holding.stop()
    holding.change(True)
    assert told == []
