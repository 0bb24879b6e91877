"""Tests of a front and its gateway processes: requests find their process, and a process that
ends or hangs is started again.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import os
import signal
import sys
import time
from asyncio import wait_for
from subprocess import PIPE

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from common import call_ticket
from common.call_ticket import Ticket
from gateway.front import link as links
from gateway.front.link import Link, LinkError
from gateway.http import listener
from gateway.http.auth import basic
from gateway.share import process_of
from gateway.sids import process_of_call
from gateway.softphone.phone import Softphone
from runtime.child_process import pause_s
from tests.unit.gateway.control_server import SECRET as CONTROL
from tests.unit.gateway.control_server import ControlServer, trunk_id

SECRET = "control-secret"
NUMBERS = [
    next(f"+1555123{at:04d}" for at in range(100) if process_of(f"+1555123{at:04d}", 2) == number)
    for number in range(2)
]
"""A number of each process."""


def calls(front, account):
    return f"{front.url}/2010-04-01/Accounts/{account[0]}/Calls"


async def until(ready, within_s=20.0):
    """Until `ready()`, which may be awaitable: for what no event tells."""
    async with asyncio.timeout(within_s):
        while True:
            found = ready()
            if (await found) if inspect.isawaitable(found) else found:
                return
            await asyncio.sleep(0.02)


async def ended_and_back(front, number, life):
    """Until a process has begun its next life."""
    process = front.pool.processes[number]
    await until(lambda: process.life > life and process.up)


async def test_a_call_is_found_by_its_sid_in_the_process_that_has_it(
    front, application, account, http
):
    application.on("/voice", '<Pause length="60"/>')
    phone = Softphone(front.url, *account)
    placed = [await phone.place_call(number) for number in NUMBERS]
    for number, call in enumerate(placed):
        await application.next("/voice")
        await until(lambda call=call: call.call_sid)
        assert process_of_call(call.call_sid) == number
        async with http.get(f"{calls(front, account)}/{call.call_sid}.json") as answer:
            assert (await answer.json())["to"] == NUMBERS[number]
    async with http.get(f"{front.url}/status") as answer:
        shown = await answer.json()
    assert [each["calls"] for each in shown["processes"]] == [1, 1]
    assert sum(shown["calls"].values()) == 2
    assert shown["gateway"] == "gateway-7"
    form = {"Status": "completed"}
    async with http.post(f"{calls(front, account)}/{placed[1].call_sid}.json", data=form) as answer:
        assert answer.status == 200
    await wait_for(placed[1].ended.wait(), 5)
    assert not placed[0].ended.is_set()


async def test_a_dial_reaches_the_party_that_waits_for_it(front, application, account, http):
    phone = Softphone(front.url, *account)
    for number in NUMBERS:
        waiting = await phone.register(number)
        await waiting.ready.wait()
        form = {"To": number, "From": "+15550000000", "Twiml": "<Response/>"}
        async with http.post(f"{calls(front, account)}.json", data=form) as answer:
            assert answer.status == 201
        call = await wait_for(waiting.next_call(), 5)
        call.reject()
        waiting.close()


async def test_refusals_come_back_as_a_gateway_has_them(front, account, http):
    async with http.post(f"{calls(front, account)}.json", data={"To": NUMBERS[0]}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, 21213)
    form = {"To": NUMBERS[0], "From": "+1555", "Twiml": "<Response/>", "Byoc": trunk_id(1)}
    async with http.post(f"{calls(front, account)}.json", data=form) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, 21300)
    for sid in ("CA" + "0" * 32, "CA" + "f" * 32, "CA1", "x"):
        async with http.get(f"{calls(front, account)}/{sid}.json") as answer:
            assert (answer.status, (await answer.json())["code"]) == (404, 20404)
    async with http.get(f"{front.url}/trunks") as answer:
        assert answer.status == 404
    async with http.post(f"{calls(front, account)}.json", data={"To": "x" * 70_000}) as answer:
        assert answer.status == 413


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/status"), ("POST", "/drain"), ("DELETE", "/drain"), ("GET", "/trunks"),
        ("POST", f"/trunks/{trunk_id(1)}/changed"),
        ("POST", "/2010-04-01/Accounts/AC1/Calls.json"),
        ("GET", f"/2010-04-01/Accounts/AC1/Calls/CA{'0' * 32}.json"),
    ],
)  # fmt: skip
async def test_nothing_is_passed_on_without_the_credentials(front, monkeypatch, method, path):
    async def passed_on(*_, **__):
        raise AssertionError("it was passed on")

    monkeypatch.setattr(Link, "ask", passed_on)
    async with aiohttp.ClientSession() as session, session.request(method, front.url + path) as no:
        assert no.status == 401


async def test_a_ticket_is_good_for_one_call_whichever_process_it_is_for(start_front, application):
    application.on("/voice", "<Reject/>")
    front = await start_front(
        GATEWAY_CONTROL_URL="http://127.0.0.1:9", GATEWAY_CONTROL_SECRET=SECRET
    )
    for number in NUMBERS:
        ticket = Ticket(number, "client:dashboard", None, int(time.time()) + 60)
        text = call_ticket.issue(SECRET, ticket)
        url = f"{front.url.replace('http', 'ws')}/legs/call?ticket={text}"
        async with connect(url) as socket:
            messages = [json.loads(message) async for message in socket]
        assert messages[-1]["type"] == "ended"
        with pytest.raises(InvalidStatus) as again:
            await connect(url)
        assert again.value.response.status_code == 403


async def test_a_socket_is_refused_and_closed_as_its_process_does(front, account):
    url = f"{front.url.replace('http', 'ws')}/legs/answer?number=%2B15551230000"
    with pytest.raises(InvalidStatus) as no:
        await connect(url)
    assert no.value.response.status_code == 401
    assert "Basic" in no.value.response.headers["WWW-Authenticate"]
    headers = {"Authorization": basic(*account)}
    async with connect(url, additional_headers=headers) as socket:
        await socket.recv()
        await socket.send("no JSON")
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd.code == 4400
    async with connect(url, additional_headers=headers) as socket:
        await socket.recv()
        await socket.send(b"x" * (listener.MAX_MESSAGE + 1))
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd.code == 1009


async def test_a_killed_process_is_started_again_and_its_calls_are_not_found(
    front, application, account, http
):
    application.on("/voice", '<Pause length="60"/>')
    phone = Softphone(front.url, *account)
    lost, kept = [await phone.place_call(number) for number in NUMBERS]
    await until(lambda: lost.call_sid and kept.call_sid)
    os.kill(front.pool.processes[0].pid, signal.SIGKILL)
    await wait_for(lost.ended.wait(), 5)
    await until(lambda: not front.pool.processes[0].up)
    for _ in range(2):  # while it is being started, and afterwards
        async with http.get(f"{calls(front, account)}/{lost.call_sid}.json") as answer:
            assert answer.status == 404
        await ended_and_back(front, 0, 1)
    async with http.get(f"{calls(front, account)}/{kept.call_sid}.json") as answer:
        assert (await answer.json())["status"] == "ringing"
    assert not kept.ended.is_set()
    again = await phone.place_call(NUMBERS[0])
    await until(lambda: again.call_sid)
    async with http.get(f"{front.url}/metrics") as answer:
        page = await answer.text()
    assert "gateway_process_restarts_total 1.0" in page
    assert 'gateway_processes{state="up"} 2.0' in page


async def test_a_dial_to_a_process_that_is_down_is_503_at_once(front, account, http):
    os.kill(front.pool.processes[0].pid, signal.SIGKILL)
    await until(lambda: not front.pool.processes[0].up)
    form = {"To": NUMBERS[0], "From": "+1555", "Twiml": "<Response/>"}
    async with asyncio.timeout(1), http.post(f"{calls(front, account)}.json", data=form) as answer:
        assert (answer.status, (await answer.json())["code"]) == (503, 20503)


async def test_a_process_that_hangs_is_killed_and_started_again(start_front):
    front = await start_front(check_every_s=0.3)
    os.kill(front.pool.processes[1].pid, signal.SIGSTOP)
    await ended_and_back(front, 1, 1)
    assert front.pool.processes[0].life == 1


async def test_a_drained_front_drains_a_process_that_is_started_again(front, http):
    async def first_drains():
        answer = await front.pool.links[0].ask("GET", "/status", headers=front.pool.credentials)
        return json.loads(answer.body)["draining"]

    for method, draining in (("POST", True), ("DELETE", False)):
        async with http.request(method, f"{front.url}/drain") as answer:
            assert (await answer.json())["draining"] is draining
        async with http.get(f"{front.url}/healthz") as answer:
            health = await answer.json()
        assert health["status"] == ("draining" if draining else "ok")
        assert health["processes"] == {"up": 2, "of": 2}
        assert await first_drains() is draining
        if draining:
            os.kill(front.pool.processes[0].pid, signal.SIGKILL)
            await ended_and_back(front, 0, 1)
            await until(first_drains, 5)


async def test_a_change_of_a_trunk_is_told_to_every_process_and_one_reports_it(start_front, http):
    server = ControlServer()
    async with server.serving():
        front = await start_front(
            GATEWAY_CONTROL_URL=server.url, GATEWAY_CONTROL_SECRET=CONTROL,
            GATEWAY_ALLOW_PRIVATE_TRUNKS="1",
        )  # fmt: skip
        await server.until_asked("list", 2)
        trunks = [trunk_id(number) for number in range(6)]
        for each in trunks:
            server.put(each)
            async with http.post(f"{front.url}/trunks/{each}/changed") as answer:
                assert answer.status == 202
        reported = [(await server.report())["trunk_id"] for _ in trunks]
        assert sorted(reported) == trunks
        await server.until_asked("fetch", 2 * len(trunks))
        async with http.get(f"{front.url}/trunks") as answer:
            shown = (await answer.json())["trunks"]
        assert [each["trunk_id"] for each in shown] == trunks
        async with http.post(f"{front.url}/trunks/x/changed") as answer:
            assert answer.status == 404


async def test_requests_to_a_process_are_bounded(front, account, http, monkeypatch):
    monkeypatch.setattr(links, "MAX_IN_FLIGHT", 2)
    monkeypatch.setattr(links, "ANSWERS_WITHIN_S", 1.0)
    os.kill(front.pool.processes[0].pid, signal.SIGSTOP)
    link = front.pool.links[0]
    asked = [asyncio.create_task(link.ask("GET", "/healthz")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(LinkError, match="too many requests"):
        await link.ask("GET", "/healthz")
    form = {"To": NUMBERS[0], "From": "+1555", "Twiml": "<Response/>"}
    async with http.post(f"{calls(front, account)}.json", data=form) as answer:
        assert answer.status == 503
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert [str(each) for each in results] == ["no answer within 1 s"] * 2
    os.kill(front.pool.processes[0].pid, signal.SIGCONT)


async def test_sockets_to_a_process_are_bounded(front, account, monkeypatch):
    monkeypatch.setattr(links, "MAX_SOCKETS", 1)
    url = f"{front.url.replace('http', 'ws')}/legs/answer?number=%2B15551230000"
    headers = {"Authorization": basic(*account)}
    async with connect(url, additional_headers=headers):
        with pytest.raises(InvalidStatus) as no:
            await connect(url, additional_headers=headers)
        assert no.value.response.status_code == 503
    await until(lambda: not front.pool.links[process_of("+15551230000", 2)]._sockets)
    async with connect(url, additional_headers=headers):
        pass


async def test_one_line_of_counts_is_logged_for_all_processes(start_front, caplog):
    caplog.set_level(logging.INFO)
    front = await start_front(GATEWAY_COUNTS_S="0.2")
    await until(lambda: any(line.message == "counts" for line in caplog.records), 5)
    [line, *_] = [line for line in caplog.records if line.message == "counts"]
    assert (line.calls, line.trunks_registered, line.sip_lag_ms, line.refused) == (0, 0, 0, 0)
    assert front.pool.up == 2


def test_the_pauses_before_a_start_grow_to_half_a_minute():
    assert [pause_s(failures) for failures in range(9)] == [0, 0, 1, 2, 4, 8, 16, 30, 30]


async def test_a_process_that_the_system_cannot_start_is_started_again(front, monkeypatch):
    start, refused = asyncio.create_subprocess_exec, []

    async def once_refused(*command, **options):
        if not refused:
            refused.append(command)
            raise BlockingIOError("no process id is left")
        return await start(*command, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", once_refused)
    os.kill(front.pool.processes[0].pid, signal.SIGKILL)
    await ended_and_back(front, 0, 1)
    assert refused
    assert front.pool.processes[0].restarts == 2


async def test_a_process_that_cannot_start_ends_the_front_with_exit_code_2(account, tmp_path):
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway"),
        env=os.environ | {
            "GATEWAY_PROCESSES": "2", "GATEWAY_PORT": "0",
            "GATEWAY_SIP_PORT": str(port - 1), "GATEWAY_SIP_EDGE": "127.0.0.1:5060",
            "GATEWAY_ACCOUNT_SID": account[0], "GATEWAY_AUTH_TOKEN": account[1],
            "GATEWAY_VOICE_URL": "http://127.0.0.1:9/voice", "TMPDIR": str(tmp_path)[:60],
        },
        stderr=PIPE,
    )  # fmt: skip
    _, said = await wait_for(process.communicate(), 30)
    taken.close()
    assert process.returncode == 2
    assert f"SIP does not come up on port {port}".encode() in said
    assert b"gateway: process 2 did not start" in said
    assert b"Traceback" not in said
