"""Reports to the application: in order, tried again, bounded."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp

from voice.core.counters import Counters
from voice.network.reports import GIVE_UP_S, MAX_CALLS, MAX_ITEMS, MAX_QUEUED, Reports


class Application:
    """Takes reports once it is told to; `answers` are statuses or errors, then 200."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.reports: list[dict[str, Any]] = []
        self.ready = asyncio.Event()
        self.ready.set()
        self.slept: list[float] = []
        self.counters = Counters()
        self.client = Reports("voice-1", self.post, self.counters, self.sleep)

    async def post(self, body: bytes) -> tuple[int, bytes]:
        await self.ready.wait()
        self.reports.append(json.loads(body))
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        return answer, b"{}"

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    def taken(self) -> list[str]:
        return [text for texts in self.texts() for text in texts]

    def texts(self) -> list[list[str]]:
        return [[item["text"] for item in each["items"]] for each in self.reports]


async def test_items_go_out_in_order_and_those_that_wait_go_together():
    application = Application()
    application.ready.clear()
    application.client.add("call_1", {"text": "0"})
    await asyncio.sleep(0)
    for number in range(1, MAX_ITEMS + 2):
        application.client.add("call_1", {"text": str(number)})
    application.ready.set()
    await application.client.drain(5)
    assert [len(each) for each in application.texts()] == [1, MAX_ITEMS, 1]
    assert application.taken() == [str(number) for number in range(MAX_ITEMS + 2)]
    sequences = [each["sequence"] for each in application.reports]
    assert sequences == sorted(set(sequences))


async def test_a_report_without_an_answer_is_sent_again_as_it_was():
    application = Application(500, aiohttp.ClientError("gone"), TimeoutError(), 429, 200)
    application.client.add("call_1", {"text": "hello"})
    await application.client.drain(5)
    assert len(application.reports) == 5
    assert all(each == application.reports[0] for each in application.reports)
    assert application.slept == [0.2, 1.0, 2.0, 5.0]


async def test_a_report_that_is_refused_is_dropped_and_the_next_is_sent():
    application = Application(400)
    application.client.add("call_1", {"text": "bad"})
    await application.client.drain(5)
    application.client.add("call_1", {"text": "good"})
    await application.client.drain(5)
    assert application.texts() == [["bad"], ["good"]]
    assert application.counters.happened["items_dropped"] == 1


async def test_nothing_more_is_reported_about_a_call_that_is_gone():
    application = Application(404)
    application.ready.clear()
    application.client.add("call_1", {"text": "one"})
    await asyncio.sleep(0)
    application.client.add("call_1", {"text": "two"})
    application.ready.set()
    await application.client.drain(5)
    assert application.texts() == [["one"]]


async def test_an_application_that_never_answers_is_given_up():
    application = Application(*[500] * 100)
    application.client.add("call_1", {"text": "hello"})
    await application.client.drain(5)
    assert GIVE_UP_S <= sum(application.slept) < GIVE_UP_S + 11
    assert application.counters.happened["items_dropped"] == 1


async def test_items_beyond_those_that_can_wait_push_out_the_oldest():
    application = Application()
    application.ready.clear()
    for number in range(MAX_QUEUED + 3):
        application.client.add("call_1", {"text": str(number)})
    application.ready.set()
    await application.client.drain(5)
    taken = application.taken()
    assert len(taken) == MAX_QUEUED
    assert taken[-1] == str(MAX_QUEUED + 2)
    assert application.counters.happened["items_dropped"] == 3


async def test_calls_beyond_those_whose_items_can_wait_are_not_reported():
    application = Application()
    application.ready.clear()
    for number in range(MAX_CALLS + 1):
        application.client.add(f"call_{number}", {"text": str(number)})
    application.ready.set()
    await application.client.drain(5)
    assert sorted(application.taken(), key=int) == [str(number) for number in range(MAX_CALLS)]
    application.client.add("call_later", {"text": "later"})
    await application.client.drain(5)
    assert application.taken()[-1] == "later"


async def test_one_calls_reports_do_not_wait_for_anothers():
    application = Application()
    gate = asyncio.Event()
    post = application.post

    async def slow_for_one(body: bytes) -> tuple[int, bytes]:
        if json.loads(body)["call_id"] == "call_1":
            await gate.wait()
        return await post(body)

    client = Reports("voice-1", slow_for_one, application.counters)
    client.add("call_1", {"text": "slow"})
    client.add("call_2", {"text": "fast"})
    for _ in range(5):
        await asyncio.sleep(0)
    assert application.texts() == [["fast"]]
    gate.set()
    await client.drain(5)


async def test_at_the_end_reports_have_a_last_moment_and_no_more():
    application = Application()
    application.ready.clear()
    application.client.add("call_1", {"text": "hello"})
    await application.client.drain(0.01)
    assert application.reports == []
