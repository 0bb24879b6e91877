"""Tests of the reports to the application about trunks."""

from __future__ import annotations

import asyncio

import pytest

from gateway.trunks import remedies
from tests.unit.gateway.control_server import (
    A,
    B,
    problem,
)


@pytest.fixture
async def one(server, begin, host):
    """A registry with trunk A, whose `registering` has been reported."""
    server.put(A)
    now = [1000.0]
    trunks = begin(clock=lambda: now[0])
    trunks.now = now
    await host.next()
    await server.report()
    return trunks


async def test_a_status_is_reported_with_its_remedy(server, one):
    one.now[0] = 1007.0
    one.on_status(A, 1, "failed", 403, "Forbidden")
    report = await server.report()
    assert (report["revision"], report["status"], report["sip_code"]) == (1, "failed", 403)
    assert report["detail"] == remedies.remedy("failed", 403, "Forbidden", one.get(A))
    state = one.status(A)
    assert (state.status, state.sip_code, state.since) == ("failed", 403, 1007.0)
    one.now[0] = 1010.0
    one.on_status(A, 1, "failed", 408, "Request Timeout")
    assert (await server.report())["sip_code"] == 408
    assert one.status(A).since == 1007.0


async def test_only_what_changed_is_reported(server, one):
    for _ in range(3):
        one.on_status(A, 1, "registered", 200, "OK")
        assert one.status(A).status == "registered"
    assert (await server.report())["status"] == "registered"
    one.on_status(A, 1, "failed", 503, "Busy")
    assert (await server.report())["status"] == "failed"
    assert server.paths().count("report") == 3


async def test_a_status_of_another_revision_or_trunk_is_ignored(server, one):
    one.on_status(A, 2, "registered", 200, "OK")
    one.on_status(B, 1, "registered", 200, "OK")
    assert one.status(A).status == "registering"
    one.on_status(A, 1, "registered", 200, "OK")
    assert (await server.report())["status"] == "registered"
    assert server.paths().count("report") == 2


async def test_only_the_latest_status_follows_a_report_under_way(server, one):
    server.hold = asyncio.Event()
    one.on_status(A, 1, "registered", 200, "OK")
    assert (await server.report())["status"] == "registered"  # it is on its way, unanswered
    one.on_status(A, 1, "failed", 503, "")
    one.on_status(A, 1, "failed", 408, "")
    one.on_status(A, 1, "failed", 403, "")
    assert server.reports.empty()
    server.hold.set()
    assert (await server.report())["sip_code"] == 403
    one.on_status(A, 1, "registered", 200, "OK")
    assert (await server.report())["status"] == "registered"
    assert server.paths().count("report") == 4


async def test_a_report_is_repeated_until_it_is_delivered(server, one):
    server.broken["report"] = [503, 500, 429]
    one.on_status(A, 1, "registered", 200, "OK")
    assert (await server.report())["status"] == "registered"
    assert server.paths().count("report") == 5


async def test_an_undelivered_report_is_replaced_by_the_next(server, begin, host):
    def pause(_failures):
        trunks.on_status(A, 1, "registered", 200, "OK")
        return 0.01

    server.put(A)
    trunks = begin(pause=pause)
    await host.next()
    await server.report()
    server.broken["report"] = [503]
    trunks.on_status(A, 1, "failed", 503, "")
    assert (await server.report())["status"] == "registered"
    assert server.paths().count("report") == 3


async def test_a_refused_report_is_not_repeated(server, one, caplog):
    server.broken["report"] = [problem(422, "invalid_request")]
    one.on_status(A, 1, "failed", 503, "")
    await server.until_asked("report", 2)
    one.on_status(A, 1, "registered", 200, "OK")
    assert (await server.report())["status"] == "registered"
    assert "invalid_request" in caplog.text


async def test_a_report_of_an_old_revision_fetches_the_trunk(server, one, host):
    server.put(A, revision=2)
    one.on_status(A, 1, "registered", 200, "OK")
    assert await host.next() == ("apply", A, 2)
    assert one.status(A).status == "registering"


async def test_a_report_about_a_deleted_trunk_drops_it(server, one, host):
    del server.trunks[A]
    one.on_status(A, 1, "registered", 200, "OK")
    assert await host.next() == ("drop", A)
    assert one.states() == []


async def test_a_trunk_whose_report_fails_does_not_delay_others(server, begin, host):
    server.put(A)
    server.put(B)
    trunks = begin(pause=lambda _: 60.0)
    await host.next(), await host.next()
    await server.report(), await server.report()
    server.broken["report"] = [503]
    trunks.on_status(A, 1, "registered", 200, "OK")
    await server.until_asked("report", 3)
    trunks.on_status(B, 1, "registered", 200, "OK")
    assert (await server.report())["trunk_id"] == B
