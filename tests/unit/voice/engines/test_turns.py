"""The places of the workers are handed out in turn between calls."""

from __future__ import annotations

import asyncio

import pytest

from voice.engines.local.turns import QueueFullError, Turns


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def _waits(turns: Turns[str], call: str, got: list[str]) -> asyncio.Task[None]:
    async def wait() -> None:
        await turns.take(call)
        got.append(call)

    return asyncio.create_task(wait())


async def test_a_call_with_one_job_waits_behind_one_job_of_another_not_behind_all() -> None:
    turns = Turns(["worker"], max_waiting=10)
    worker = await turns.take("busy")
    got: list[str] = []
    waiting = [_waits(turns, "busy", got) for _ in range(4)]
    await _settle()
    waiting.append(_waits(turns, "other", got))
    await _settle()
    for _ in waiting:
        turns.give(worker)
        await _settle()
    assert got == ["busy", "other", "busy", "busy", "busy"]


async def test_beyond_the_bound_a_job_is_refused_at_once() -> None:
    turns = Turns(["worker"], max_waiting=2)
    await turns.take("a")
    waiting = [asyncio.create_task(turns.take("b")) for _ in range(2)]
    await _settle()
    with pytest.raises(QueueFullError):
        await turns.take("c")
    assert turns.waiting == 2
    for task in waiting:
        task.cancel()


async def test_whoever_no_longer_waits_takes_no_place() -> None:
    turns = Turns(["worker"], max_waiting=2)
    worker = await turns.take("a")
    gone = asyncio.create_task(turns.take("b"))
    await _settle()
    gone.cancel()
    await _settle()
    assert turns.waiting == 0
    turns.give(worker)
    assert await turns.take("c") == worker


async def test_a_place_given_to_one_who_is_cancelled_in_that_moment_is_not_lost() -> None:
    turns = Turns(["worker"], max_waiting=2)
    worker = await turns.take("a")
    gone = asyncio.create_task(turns.take("b"))
    await _settle()
    turns.give(worker)
    gone.cancel()
    await _settle()
    assert await turns.take("c") == worker
