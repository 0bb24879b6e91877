"""Tests of the registry of trunks: lists, fetches and nudges, whatever the application does
meanwhile.
"""

from __future__ import annotations

import asyncio

from gateway.trunks import registry as module
from tests.unit.gateway.control_server import (
    PATIENCE,
    A,
    B,
    trunk_id,
)


async def test_listed_trunks_are_fetched_and_applied(server, begin, host):
    for number in range(20):
        server.put(trunk_id(number), revision=number)
    server.page = 7
    trunks = begin()
    applied = {await host.next() for _ in range(20)}
    assert applied == {("apply", trunk_id(number), number) for number in range(20)}
    assert trunks.get(A).username == "alice"
    assert trunks.get(B).revision == 2
    assert trunks.get("trunk_x") is None
    assert trunks.status("trunk_x") is None
    assert trunks.by_status() == {"registering": 20}
    assert {(await server.report())["status"] for _ in range(20)} == {"registering"}


async def test_the_list_is_refreshed_and_only_changed_trunks_are_fetched(server, begin, host):
    server.put(A)
    server.put(B)
    begin(refresh=0.05)
    assert {(await host.next())[1], (await host.next())[1]} == {A, B}
    server.put(B, revision=2, password="new")
    assert await host.next() == ("apply", B, 2)
    assert host.holds[B].password == "new"
    del server.trunks[A]
    assert await host.next() == ("drop", A)
    await server.until_asked("list", server.paths().count("list") + 2)
    assert server.paths().count("fetch") == 4
    assert host.calls.empty()


async def test_a_nudged_trunk_missing_in_the_list_is_kept(server, begin, host):
    server.put(A)
    begin(refresh=0.03)
    await host.next()
    server.unlisted.add(A)
    await server.until_asked("fetch", 4)
    assert host.calls.empty()
    del server.trunks[A]
    assert await host.next() == ("drop", A)


async def test_a_nudge_fetches_only_its_trunk(server, begin, host):
    server.put(A)
    trunks = begin()
    assert await host.next() == ("apply", A, 1)
    server.put(B, revision=5)
    trunks.changed(B)
    assert await host.next() == ("apply", B, 5)
    server.put(A, revision=2, host="other.example")
    trunks.changed(A)
    assert await host.next() == ("apply", A, 2)
    del server.trunks[B]
    trunks.changed(B)
    assert await host.next() == ("drop", B)
    assert trunks.get(B) is None
    assert server.paths().count("list") == 1


async def test_repeated_nudges_are_merged_and_unchanged_trunks_not_applied(server, begin, host):
    server.put(A)
    trunks = begin()
    await host.next()
    for _ in range(50):
        trunks.changed(A)
    await server.until_asked("fetch", 2)
    trunks.changed(B)
    await server.until_asked("fetch", 3)
    assert server.paths().count("fetch") == 3
    assert host.calls.empty()


async def test_too_many_nudges_are_replaced_by_a_fetch_of_the_list(
    server, begin, host, monkeypatch
):
    monkeypatch.setattr(module, "MAX_NUDGES", 3)
    trunks = begin()
    await server.until_asked("list", 1)
    for number in range(1, 10):
        server.put(trunk_id(number))
        trunks.changed(trunk_id(number))
    assert {(await host.next())[1] for _ in range(9)} == set(server.trunks)


async def test_trunks_are_kept_while_the_application_is_unreachable(server, host, begin, caplog):
    server.put(A)
    failures = []
    trunks = begin(refresh=0.03, pause=lambda n: failures.append(n) or 0.01)
    await host.next()
    server.broken["list"] = [503] * 4
    await server.until_asked("list", server.paths().count("list") + 6)
    assert failures == [1, 2, 3, 4]
    assert trunks.get(A) is not None
    assert host.calls.empty()
    assert len([r for r in caplog.records if r.levelname == "WARNING"]) == 1


async def test_the_registry_can_start_before_the_application(begin, host, server, unused_tcp_port):
    server.url = f"http://127.0.0.1:{unused_tcp_port}"
    tried = asyncio.Event()
    begin(pause=lambda _: tried.set() or 0.01)
    await asyncio.wait_for(tried.wait(), PATIENCE)
    server.put(A)
    async with server.serving(unused_tcp_port):
        assert await host.next() == ("apply", A, 1)


async def test_a_trunk_that_cannot_be_fetched_does_not_delay_others(server, begin, host):
    for number in range(12):
        server.put(trunk_id(number))
    server.broken["fetch"] = [503, 500, 429]
    begin()
    assert len({(await host.next())[1] for _ in range(12)}) == 12
    assert server.paths().count("list") == 1


async def test_a_nudge_interrupts_the_back_off(server, begin, host):
    server.broken["list"] = [503]
    server.put(A)
    paused = asyncio.Event()
    trunks = begin(pause=lambda _: paused.set() or 60.0)
    await asyncio.wait_for(paused.wait(), PATIENCE)
    trunks.changed(A)
    assert await host.next() == ("apply", A, 1)


async def test_a_trunk_with_invalid_settings_fails(server, begin, host):
    server.put(A, username="a b")
    server.put(B)
    trunks = begin(refresh=0.03)
    assert await host.next() == ("apply", B, 1)
    reports = {(report := await server.report())["trunk_id"]: report for _ in range(2)}
    assert reports[A]["status"] == "failed"
    assert "username" in reports[A]["detail"]
    assert trunks.get(A) is None
    await server.until_asked("list", 4)
    assert server.paths().count("fetch") == 2  # not again, until its revision is another
    server.put(B, revision=2, port=0)
    assert await host.next() == ("drop", B)
    server.put(A, revision=2)
    assert await host.next() == ("apply", A, 2)


async def test_an_exception_of_the_trunk_host_does_not_stop_the_registry(
    server, begin, host, caplog
):
    host.apply = lambda trunk: 1 / 0
    server.put(A)
    trunks = begin()
    await server.report()
    del host.apply
    server.put(B)
    trunks.changed(B)
    assert await host.next() == ("apply", B, 1)
    assert "ZeroDivisionError" in caplog.text
