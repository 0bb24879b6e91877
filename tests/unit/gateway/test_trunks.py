"""The registry of trunks between an application (real HTTP) and a host that notes what it gets."""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp
import pytest

from gateway import remedies
from gateway import trunks as module
from gateway.application import Application
from gateway.trunk_host import NoSip
from gateway.trunks import Trunks
from tests.unit.gateway.control_server import (
    PATIENCE,
    SECRET,
    A,
    B,
    ControlServer,
    problem,
    trunk_id,
)


class Host:
    """Notes `("apply", id, revision)` and `("drop", id)`."""

    def __init__(self):
        self.calls = asyncio.Queue()
        self.holds = {}

    def apply(self, trunk):
        self.holds[trunk.trunk_id] = trunk
        self.calls.put_nowait(("apply", trunk.trunk_id, trunk.revision))

    def drop(self, trunk_id):
        del self.holds[trunk_id]
        self.calls.put_nowait(("drop", trunk_id))

    async def next(self):
        async with asyncio.timeout(PATIENCE):
            return await self.calls.get()


class Names:
    """A resolver; a name that is not in `leads` cannot be resolved."""

    def __init__(self, **leads):
        self.leads = leads
        self.asked = asyncio.Queue()

    async def __call__(self, host, port):
        self.asked.put_nowait(host)
        if host not in self.leads:
            raise OSError("no such name")
        return self.leads[host]

    async def rounds(self, count):
        """Until it has been asked so many times more."""
        while not self.asked.empty():
            self.asked.get_nowait()
        async with asyncio.timeout(PATIENCE):
            for _ in range(count):
                await self.asked.get()


@pytest.fixture
async def server():
    server = ControlServer()
    async with server.serving():
        yield server
    assert server.forged == 0


@pytest.fixture
def host():
    return Host()


@pytest.fixture
async def begin(server, host):
    """Starts a registry; `pause` and `refresh` as given."""
    tasks = []
    async with aiohttp.ClientSession() as session:

        def start(refresh=60.0, resolver=None, at=None, **settings):
            application = Application(session, server.url, SECRET, "gateway-7")
            settings = {"pause": lambda _: 0.01} | settings
            trunks = Trunks(application, refresh=refresh, resolver=resolver, **settings)
            tasks.append(asyncio.create_task(trunks.run(at(trunks) if at else host)))
            return trunks

        yield start
        for task in tasks:
            assert not task.done()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


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


# Reports.


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


async def test_a_status_of_another_revision_or_trunk_counts_nothing(server, one):
    one.on_status(A, 2, "registered", 200, "OK")
    one.on_status(B, 1, "registered", 200, "OK")
    assert one.status(A).status == "registering"
    one.on_status(A, 1, "registered", 200, "OK")
    assert (await server.report())["status"] == "registered"
    assert server.paths().count("report") == 2


async def test_the_latest_wins_and_none_overtakes(server, one):
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


async def test_a_report_is_repeated_until_it_is_through(server, one):
    server.broken["report"] = [503, 500, 429]
    one.on_status(A, 1, "registered", 200, "OK")
    assert (await server.report())["status"] == "registered"
    assert server.paths().count("report") == 5


async def test_a_report_that_did_not_get_through_is_superseded(server, begin, host):
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


async def test_a_report_that_is_refused_is_given_up(server, one, caplog):
    server.broken["report"] = [problem(422, "invalid_request")]
    one.on_status(A, 1, "failed", 503, "")
    await server.until_asked("report", 2)
    one.on_status(A, 1, "registered", 200, "OK")
    assert (await server.report())["status"] == "registered"
    assert "invalid_request" in caplog.text


async def test_a_report_that_is_behind_fetches_the_trunk(server, one, host):
    server.put(A, revision=2)
    one.on_status(A, 1, "registered", 200, "OK")
    assert await host.next() == ("apply", A, 2)
    assert one.status(A).status == "registering"


async def test_a_report_about_a_trunk_that_is_gone_drops_it(server, one, host):
    del server.trunks[A]
    one.on_status(A, 1, "registered", 200, "OK")
    assert await host.next() == ("drop", A)
    assert one.states() == []


async def test_a_trunk_that_nobody_may_be_told_of_holds_up_no_other(server, begin, host):
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


# Where hosts lead.


async def test_a_trunk_in_our_own_network_is_not_registered(server, begin, host):
    names = Names(inside=["10.0.0.7"], outside=["8.8.8.8"])
    server.put(A, host="inside")
    server.put(B, host="outside")
    trunks = begin(refresh=0.03, resolver=names)
    assert await host.next() == ("apply", B, 1)
    assert host.calls.empty()
    told = {(report := await server.report())["trunk_id"]: report for _ in range(2)}
    assert (told[A]["status"], told[A]["sip_code"]) == ("failed", None)
    assert "private address" in told[A]["detail"]
    assert trunks.get(A) is not None
    names.leads["inside"] = ["9.9.9.9"]
    assert await host.next() == ("apply", A, 1)
    assert (await server.report())["status"] == "registering"


async def test_a_name_that_comes_to_lead_inside_is_taken_back(server, begin, host):
    names = Names(turncoat=["8.8.8.8"])
    server.put(A, host="turncoat")
    begin(refresh=0.03, resolver=names)
    assert await host.next() == ("apply", A, 1)
    names.leads["turncoat"] = ["8.8.8.8", "127.0.0.1"]
    assert await host.next() == ("drop", A)
    assert (await server.report())["status"] == "registering"
    assert "private" in (await server.report())["detail"]


async def test_a_name_without_address_is_not_applied_but_one_that_loses_it_stays(
    server, begin, host
):
    names = Names()
    server.put(A, host="flaky")
    trunks = begin(refresh=0.03, resolver=names)
    assert "spelling" in (await server.report())["detail"]
    names.leads["flaky"] = ["8.8.8.8"]
    assert await host.next() == ("apply", A, 1)
    names.leads.clear()
    await names.rounds(3)
    assert host.calls.empty()
    assert trunks.status(A).status == "registering"


async def test_another_revision_that_leads_inside_ends_the_one_before(server, begin, host):
    names = Names(inside=["192.168.0.1"], outside=["8.8.8.8"])
    server.put(A, host="outside")
    trunks = begin(resolver=names)
    assert await host.next() == ("apply", A, 1)
    server.put(A, host="inside", revision=2)
    trunks.changed(A)
    assert await host.next() == ("drop", A)
    assert trunks.status(A).revision == 2


async def test_without_sip_every_trunk_has_failed(server, begin):
    server.put(A)
    trunks = begin(at=lambda trunks: NoSip(trunks.on_status))
    report = await server.report()
    assert report["status"] == "failed"
    assert "GATEWAY_SIP_PORT is not set" in report["detail"]
    assert trunks.by_status() == {"failed": 1}
    assert server.paths().count("report") == 1
