"""Reports of whether the agent that is dialled was reached."""

from __future__ import annotations

import asyncio

import pytest

from relay.network.agent_reports import PAUSES_S, AgentReports


class RecordingApplication:
    """Takes one report at a time, once `go` is set; answers none while it is down."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.tried: asyncio.Queue[str] = asyncio.Queue()
        self.go = asyncio.Event()
        self.go.set()
        self.down = False
        self.under_way = 0
        self.pauses: list[float] = []

    async def send(self, why: str) -> bool:
        self.under_way += 1
        assert self.under_way == 1, "one at a time"
        self.tried.put_nowait(why)
        await self.go.wait()
        self.under_way -= 1
        if not self.down:
            self.told.append(why)
        return not self.down

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)


@pytest.fixture
def app() -> RecordingApplication:
    return RecordingApplication()


@pytest.fixture
def tasks() -> list[asyncio.Task[None]]:
    return []


@pytest.fixture
def reports(app: RecordingApplication, tasks: list[asyncio.Task[None]]) -> AgentReports:
    def spawn(job) -> asyncio.Task[None]:
        tasks.append(asyncio.create_task(job))
        return tasks[-1]

    return AgentReports(app.send, app.sleep, spawn)


async def finished(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.wait_for(asyncio.gather(*tasks), 5)


async def test_that_the_agent_is_there_never_overtakes_why_it_was_not(
    app: RecordingApplication, reports: AgentReports, tasks: list[asyncio.Task[None]]
) -> None:
    app.go.clear()
    reports.tell("refused")
    assert await app.tried.get() == "refused"
    reports.tell("")
    app.go.set()
    await finished(tasks)
    assert app.told == ["refused", ""]
    reports.tell("refused")
    await finished(tasks)
    assert app.told == ["refused", "", "refused"]


async def test_of_the_reports_that_wait_the_newest_goes_out(
    app: RecordingApplication, reports: AgentReports, tasks: list[asyncio.Task[None]]
) -> None:
    app.go.clear()
    reports.tell("refused")
    await app.tried.get()
    for why in ("no address", "", "it answered with HTTP 503"):
        reports.tell(why)
    app.go.set()
    await finished(tasks)
    assert app.told == ["refused", "it answered with HTTP 503"]


async def test_a_report_without_an_answer_is_repeated_until_there_is_one(
    app: RecordingApplication, reports: AgentReports, tasks: list[asyncio.Task[None]]
) -> None:
    app.down = True
    reports.tell("")
    for _ in range(6):
        assert await asyncio.wait_for(app.tried.get(), 5) == ""
    app.down = False
    await finished(tasks)
    assert app.told == [""]
    assert app.pauses[:5] == [*PAUSES_S, PAUSES_S[-1], PAUSES_S[-1]]


async def test_a_newer_reason_replaces_one_that_is_repeated(
    app: RecordingApplication, reports: AgentReports, tasks: list[asyncio.Task[None]]
) -> None:
    app.down = True
    reports.tell("refused")
    await app.tried.get()
    reports.tell("")
    app.down = False
    await finished(tasks)
    assert app.told[-1] == ""
