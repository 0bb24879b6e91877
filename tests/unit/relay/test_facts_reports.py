"""When a relay tells the application of a call's quality, and what if it gets no answer."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

from common.call_facts import FactsReport, unpack
from relay.core.counters import Counters
from relay.core.quality import CallQuality
from relay.network import facts_reports
from relay.network.control import NoAnswerError, RefusedError
from relay.network.facts_reports import MAX_KEPT, FactsReports
from tests.unit.relay.stack import Stack
from tests.unit.relay.test_quality import tone


class RecordingApplication:
    """Records reports; raises `fault` if it is set."""

    def __init__(self) -> None:
        self.told: list[FactsReport] = []
        self.fault: Exception | None = None
        self.asked = asyncio.Event()

    async def __call__(self, report: FactsReport) -> None:
        self.asked.set()
        if self.fault is not None:
            raise self.fault
        self.told.append(report)


class Reporting:
    """Reports of one call, a minute of which is a moment."""

    def __init__(self) -> None:
        self.app, self.hurry = RecordingApplication(), asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()
        self.quality = CallQuality(Counters())
        self.reports = FactsReports("call_1", self.quality, self.app, self._spawn, self.hurry)

    def _spawn(self, job) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(job)
        self.tasks.add(task)
        return task

    async def minute(self) -> None:
        self.reports._due()
        await asyncio.gather(*self.tasks)

    async def end(self) -> None:
        self.hurry.set()
        self.reports.end()
        await asyncio.gather(*self.tasks)


@pytest.fixture
async def reporting() -> Reporting:
    return Reporting()


async def test_sums_count_from_the_beginning_and_pieces_from_the_last_report(reporting) -> None:
    start = asyncio.get_running_loop().time()
    reporting.quality.stream_began(start)
    reporting.quality.pressed(start)
    reporting.quality.caller_spoke(tone(20), start)
    await reporting.minute()
    reporting.quality.caller_spoke(tone(20), start + 0.02)
    await reporting.end()
    first, last = reporting.app.told
    assert (first.sequence, first.last, last.sequence, last.last) == (1, False, 2, True)
    assert first.began_ms == last.began_ms > 0
    assert (first.sums.frames, last.sums.frames) == (1, 2)
    assert [mark.type for mark in first.piece.marks] == ["stream", "key"]
    assert last.piece.marks == ()


async def test_a_call_without_a_stream_is_not_reported(reporting) -> None:
    await reporting.minute()
    await reporting.end()
    assert reporting.app.told == []


async def test_reports_without_an_answer_are_kept_and_sent_in_order_but_not_all(reporting) -> None:
    reporting.quality.stream_began(asyncio.get_running_loop().time())
    reporting.app.fault = NoAnswerError("down")
    for _ in range(MAX_KEPT * 2):
        await reporting.minute()
    reporting.app.fault = None
    await reporting.end()
    assert [each.sequence for each in reporting.app.told] == list(range(MAX_KEPT + 2, 18))


async def test_a_refused_report_is_dropped(reporting) -> None:
    reporting.quality.stream_began(asyncio.get_running_loop().time())
    reporting.app.fault = RefusedError(404, "call_not_found", None)
    await reporting.minute()
    reporting.app.fault = None
    await reporting.minute()
    assert [each.sequence for each in reporting.app.told] == [2]


async def test_the_levels_of_a_real_call_reach_the_application_when_it_is_over(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts_reports, "LAST_AFTER_S", 0.01)
    provider, agent = await stack.both()
    await agent.send(tone(300))
    for _ in range(10):
        payload = base64.b64encode(tone(20)).decode()
        media = {"event": "media", "media": {"track": "inbound", "payload": payload}}
        await provider.send(json.dumps({**media, "streamSid": "MZ1"}))
        assert isinstance(await agent.recv(), bytes)
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.15)
    stack.app.end("caller_hangup")
    await provider.send('{"event":"stop","streamSid":"MZ1"}')
    async with asyncio.timeout(10):
        report = await stack.app.facts.get()
    assert report["last"] is True
    assert report["relay"]
    assert report["sums"]["frames"] == 10
    assert sum(report["sums"]["added_latency"]) >= 2
    assert max(unpack(report["piece"]["caller"])) > 10
    assert max(unpack(report["piece"]["heard"])) > 10
    _, page = await stack.get("/metrics")
    assert 'chamade_relay_added_latency_seconds_bucket{le="+Inf"}' in page
