"""What is listed, fetched and applied, whatever the application does meanwhile."""

from __future__ import annotations

import asyncio

from gateway import trunks as module
from tests.unit.gateway.control_server import (
    PATIENCE,
    A,
    B,
    trunk_id,
)


async def test_what_is_listed_is_fetched_and_applied(server, begin, host):
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


async def test_the_list_is_fetched_again_and_only_what_differs(server, begin, host):
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


async def test_a_trunk_that_the_list_has_not_got_yet_is_kept(server, begin, host):
    server.put(A)
    begin(refresh=0.03)
    await host.next()
    server.unlisted.add(A)
    await server.until_asked("fetch", 4)
    assert host.calls.empty()
    del server.trunks[A]
    assert await host.next() == ("drop", A)


async def test_a_nudge_fetches_that_trunk_and_nothing_else(server, begin, host):
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


async def test_nudges_that_change_nothing_apply_nothing_and_many_are_one(server, begin, host):
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


async def test_more_nudges_than_are_kept_become_a_list(server, begin, host, monkeypatch):
    monkeypatch.setattr(module, "_MAX_NUDGES", 3)
    trunks = begin()
    await server.until_asked("list", 1)
    for number in range(1, 10):
        server.put(trunk_id(number))
        trunks.changed(trunk_id(number))
    assert {(await host.next())[1] for _ in range(9)} == set(server.trunks)


async def test_an_application_that_is_away_takes_no_trunk_with_it(server, host, begin, caplog):
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


async def test_it_starts_before_the_application_does(begin, host, server, unused_tcp_port):
    server.url = f"http://127.0.0.1:{unused_tcp_port}"
    tried = asyncio.Event()
    begin(pause=lambda _: tried.set() or 0.01)
    await asyncio.wait_for(tried.wait(), PATIENCE)
    server.put(A)
    async with server.serving(unused_tcp_port):
        assert await host.next() == ("apply", A, 1)


async def test_one_trunk_that_cannot_be_fetched_holds_up_no_other(server, begin, host):
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


async def test_settings_that_are_no_good_have_failed(server, begin, host):
    server.put(A, username="a b")
    server.put(B)
    trunks = begin(refresh=0.03)
    assert await host.next() == ("apply", B, 1)
    told = {(report := await server.report())["trunk_id"]: report for _ in range(2)}
    assert told[A]["status"] == "failed"
    assert "username" in told[A]["detail"]
    assert trunks.get(A) is None
    await server.until_asked("list", 4)
    assert server.paths().count("fetch") == 2  # not again, until its revision is another
    server.put(B, revision=2, port=0)
    assert await host.next() == ("drop", B)
    server.put(A, revision=2)
    assert await host.next() == ("apply", A, 2)


async def test_a_host_that_stumbles_stops_nothing(server, begin, host, caplog):
    host.apply = lambda trunk: 1 / 0
    server.put(A)
    trunks = begin()
    await server.report()
    del host.apply
    server.put(B)
    trunks.changed(B)
    assert await host.next() == ("apply", B, 1)
    assert "ZeroDivisionError" in caplog.text
