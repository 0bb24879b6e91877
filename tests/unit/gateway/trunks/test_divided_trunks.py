"""Tests of a gateway among several: it registers the trunks that are its, and hands over those that
no longer are without fetching them again.
"""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp
import pytest

from gateway.trunks.application import Application
from gateway.trunks.lease import Lease
from tests.unit.gateway.control_server import PATIENCE, SECRET, A, B


async def test_trunks_of_other_gateways_are_known_and_not_registered(server, begin, host):
    server.put(A)
    server.put(B)
    server.elsewhere = {B}
    trunks = begin()
    happened = {await host.next(), await host.next()}
    assert happened == {("apply", A, 1), ("recognise", B, 1)}
    assert [state.trunk_id for state in trunks.states()] == [A]
    assert trunks.get(B) is not None


async def test_a_trunk_that_becomes_ours_is_registered_without_being_fetched_again(
    server, begin, host
):
    server.put(A)
    server.elsewhere = {A}
    trunks = begin()
    assert await host.next() == ("recognise", A, 1)
    for elsewhere, handed in (set(), "apply"), ({A}, "recognise"), (set(), "apply"):
        server.elsewhere = elsewhere
        trunks.divided()
        assert await host.next() == ("drop", A)
        assert await host.next() == (handed, A, 1)
        assert bool(trunks.states()) is (handed == "apply")
    assert server.paths().count("fetch") == 1


async def test_a_new_trunk_of_another_gateway_is_known_by_its_fetch(server, begin, host):
    trunks = begin()
    await server.until_asked("list", 1)
    server.put(A)
    server.elsewhere = {A}
    trunks.changed(A)
    assert await host.next() == ("recognise", A, 1)


@pytest.fixture
async def lease(server):
    """`lease = await begin()`: renewing, with what it noted."""
    tasks = []
    async with aiohttp.ClientSession() as session:

        async def begin():
            noted = asyncio.Queue()
            state = {"draining": False}
            made = Lease(
                Application(session, server.url, SECRET, "a-1", "a"), "http://a.test",
                draining=lambda: state["draining"], on_division=lambda: noted.put_nowait("divide"),
                pause=lambda _: 0.01,
            )  # fmt: skip
            tasks.append(asyncio.create_task(made.run()))
            return made, noted, state

        yield begin
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def leases(server):
    return [sent for path, sent in server.requests if path.endswith("lease")]


async def test_a_lease_is_renewed_and_only_another_division_is_acted_on(server, lease):
    server.again_ms = 10
    _, noted, _ = await lease()
    await server.until_asked("lease", 3)
    assert leases(server)[0] == {
        "gateway": "a-1", "machine": "a", "url": "http://a.test", "draining": False,
    }  # fmt: skip
    assert noted.qsize() == 1
    server.division = "second"
    async with asyncio.timeout(PATIENCE):
        await noted.get()
        await noted.get()


async def test_a_gateway_that_drains_says_so_at_once(server, lease):
    made, _, state = await lease()
    await server.until_asked("lease", 1)
    state["draining"] = True
    made.renew_now()
    await server.until_asked("lease", 2)
    assert leases(server)[-1]["draining"] is True


async def test_a_lease_that_could_not_be_renewed_is_tried_again(server, lease):
    server.broken["lease"] = [500, 503, "one_gateway"]
    _, noted, _ = await lease()
    async with asyncio.timeout(PATIENCE):
        await noted.get()


async def test_a_gateway_that_stops_gives_its_lease_back(server, lease):
    made, _, _ = await lease()
    await server.until_asked("lease", 1)
    await made.leave()
    assert leases(server)[-1]["leaving"] is True
