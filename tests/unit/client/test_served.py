"""Tests of `serve` after a restart: which calls it takes back, and which it leaves alone."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable

import httpx
import pytest

from chamade import AsyncClient, ChamadeError, Client
from chamade.served import Served
from tests.unit.client.conftest import CALL, KEY

API = "https://api.example"
DIES = """
import os, signal, sys
from chamade.served import Served
served = Served(sys.argv[1])
for call_id in ("call_a", "call_b", "call_c"):
    served.add(call_id)
served.discard("call_b")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "calls.db"


class Api:
    """Answers as the API does; `calls` are those that exist, `ringing` those of them that ring."""

    def __init__(self) -> None:
        self.calls: dict[str, dict] = {}
        self.ringing: list[dict] = []
        self.asked: list[str] = []
        self._news = asyncio.Event()

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(f"{request.method} {path}")
        if path == "/api/calls":
            return httpx.Response(200, json={"calls": self.ringing, "next_cursor": None})
        if path == "/api/events":
            return httpx.Response(200, json={"events": [], "cursor": "c"})
        _, _, call_id, *verb = path.strip("/").split("/")
        call = self.calls.get(call_id)
        if call is None:
            return httpx.Response(404, json={"code": "call_not_found", "detail": "No such call."})
        if verb == ["leave"]:
            call |= {"state": "ended", "end_reason": "agent_hangup", "audio": None}
        return httpx.Response(200, json=call)

    async def answer_slowly(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.01)
        answer = self.answer(request)
        self._news.set()
        return answer

    async def until(self, true: Callable[[], bool]) -> None:
        """Waits until something is true of what was asked."""
        async with asyncio.timeout(5):
            while not true():
                await self._news.wait()
                self._news.clear()


@pytest.fixture
def api(relay):
    api = Api()
    audio = {"url": relay.url, "token": "secret"}
    api.calls = {
        "call_live": {**CALL, "call_id": "call_live", "state": "active", "audio": audio},
        "call_others": {**CALL, "call_id": "call_others", "state": "active", "audio": audio},
        "call_over": {**CALL, "call_id": "call_over", "state": "ended", "audio": None},
    }
    return api


def test_a_process_that_is_killed_leaves_the_calls_that_it_had(file):
    command, paths = [sys.executable, "-c", DIES, str(file)], os.pathsep.join(sys.path)
    env = {**os.environ, "PYTHONPATH": paths}
    died = subprocess.run(command, check=False, timeout=30, env=env)
    assert died.returncode == -signal.SIGKILL
    with Served(file) as served:
        assert served.left == ("call_a", "call_c")
        served.discard("call_a")
    with Served(file) as served:
        assert served.left == ("call_c",)


def test_a_file_belongs_to_one_process_at_a_time(file):
    with Served(file) as served:
        served.add("call_a")
        with pytest.raises(ChamadeError, match="another process"):
            Served(file)
    with Served(file) as served:
        assert served.left == ("call_a",)


def test_a_file_that_is_something_else_is_refused(file):
    file.write_text("not a database, and long enough to be read as one. " * 50)
    with pytest.raises(ChamadeError, match="not a database"):
        Served(file)
    with pytest.raises(ChamadeError, match="nowhere"):
        Served(file.parent / "nowhere" / "calls.db")


def test_a_call_goes_on_if_it_cannot_be_noted(file, caplog):
    with Served(file) as served:
        served._database.execute("DROP TABLE served")
        served.add("call_a")
    assert "call_a: not noted" in caplog.text


async def test_a_restarted_agent_takes_back_its_own_calls_and_no_others(file, api, relay):
    with Served(file) as before:
        before.add("call_over")
        before.add("call_gone")
        before.add("call_live")
    handled, ready = [], asyncio.Event()

    async def handler(call):
        await call.answered()
        handled.append((call.id, call.resumed))

    transport = httpx.MockTransport(api.answer_slowly)
    async with AsyncClient(API, KEY, transport=transport) as client:
        serving = asyncio.create_task(client.serve(handler, resume=file, ready=ready.set))
        await asyncio.wait_for(ready.wait(), 5)
        await api.until(lambda: api.calls["call_live"]["state"] == "ended")
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
    assert handled == [("call_live", True)]
    assert len(relay.connections) == 1
    assert not [one for one in api.asked if "call_others" in one]
    assert "POST /api/call/call_over/leave" not in api.asked
    with Served(file) as served:
        assert served.left == ()


async def test_without_a_file_nothing_is_taken_back(api, relay):
    ready = asyncio.Event()

    async def handler(call):
        pytest.fail(f"{call.id} was taken")

    transport = httpx.MockTransport(api.answer_slowly)
    async with AsyncClient(API, KEY, transport=transport) as client:
        serving = asyncio.create_task(client.serve(handler, ready=ready.set))
        await asyncio.wait_for(ready.wait(), 5)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
    assert not relay.connections


async def test_an_auto_answered_call_that_still_rings_is_handled_once(file, api, relay):
    rings = api.calls["call_live"] | {"state": "ringing", "auto_answer": True}
    api.calls["call_live"] = rings
    api.ringing = [rings]
    with Served(file) as before:
        before.add("call_live")
    handled, ready = [], asyncio.Event()

    async def handler(call):
        handled.append(call.resumed)
        await asyncio.Event().wait()

    transport = httpx.MockTransport(api.answer_slowly)
    async with AsyncClient(API, KEY, transport=transport) as client:
        serving = asyncio.create_task(client.serve(handler, resume=file, ready=ready.set))
        await asyncio.wait_for(ready.wait(), 5)
        await api.until(lambda: handled and api.asked.count("GET /api/events") > 2)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
    assert handled == [True]


async def test_the_blocking_client_notes_its_calls_and_takes_them_back(file, api, relay):
    with Served(file) as before:
        before.add("call_live")
    handled, done = [], threading.Event()

    class Enough(Exception):
        pass

    def handler(call):
        handled.append((call.id, call.resumed, call.answered()))
        done.set()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/events" and done.wait(5):
            raise Enough
        return api.answer(request)

    def serve():
        with Client(API, KEY, transport=httpx.MockTransport(answer)) as client:
            client.serve(handler, resume=str(file))

    with pytest.raises(Enough):
        await asyncio.wait_for(asyncio.to_thread(serve), 20)
    assert handled == [("call_live", True, True)]
    assert api.calls["call_live"]["state"] == "ended"
    with sqlite3.connect(file) as database:
        assert database.execute("SELECT * FROM served").fetchall() == []
