"""Tests of `serve` when it begins: which calls it takes back, and which it leaves to others."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from chamade import AsyncClient, CallGone, Client
from tests.unit.client.conftest import CALL, KEY
from tests.unit.client.relay import fake_relay

API = "https://api.example"


class Api:
    """Answers as the API does. `calls` are those that exist; `answers_late`: one of them, listed
    as ringing, is answered before the active ones are listed.
    """

    def __init__(self) -> None:
        self.calls: dict[str, dict] = {}
        self.answers_late = ""
        self.asked: list[str] = []
        self._news = asyncio.Event()

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(f"{request.method} {path}")
        if path == "/api/calls":
            return httpx.Response(200, json=self.listed(request.url.params["state"]))
        if path == "/api/events":
            return httpx.Response(200, json={"events": [], "cursor": "c"})
        _, _, call_id, *verb = path.strip("/").split("/")
        call = self.calls.get(call_id)
        if call is None:
            return httpx.Response(404, json={"code": "call_not_found", "detail": "No such call."})
        if verb == ["leave"]:
            call |= {"state": "ended", "end_reason": "agent_hangup", "audio": None}
        return httpx.Response(200, json=call)

    def listed(self, state: str) -> dict:
        found = [call.copy() for call in self.calls.values() if call["state"] == state]
        if self.answers_late:
            self.calls[self.answers_late]["state"] = "active"
        return {"calls": found, "next_cursor": None}

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

    async def polled(self, times: int = 2) -> None:
        """Waits until so many more requests for events came."""
        before = self.asked.count("GET /api/events")
        await self.until(lambda: self.asked.count("GET /api/events") >= before + times)


@pytest.fixture
async def busy_relay():
    """A relay at which another agent has the call."""
    async with fake_relay() as relay:
        relay.on_connect = lambda connection: connection.close(4411, "another agent has the call")
        yield relay


@pytest.fixture
def api(relay, busy_relay):
    def call(call_id: str, state: str, url: str | None, **more) -> dict:
        audio = url and {"url": url, "token": "secret"}
        return {**CALL, "call_id": call_id, "state": state, "audio": audio, **more}

    api = Api()
    api.calls = {
        "call_live": call("call_live", "active", relay.url),
        "call_others": call("call_others", "active", busy_relay.url),
        "call_elsewhere": call("call_elsewhere", "active", relay.url, line="+15555500199"),
        "call_dialled": call("call_dialled", "active", relay.url, direction="outbound"),
        "call_over": call("call_over", "ended", None),
    }
    return api


@asynccontextmanager
async def serving(api: Api, handler, **options) -> AsyncIterator[None]:
    """`serve` runs and misses no call."""
    ready = asyncio.Event()
    async with AsyncClient(API, KEY, transport=httpx.MockTransport(api.answer_slowly)) as client:
        task = asyncio.create_task(
            client.serve(handler, line=CALL["line"], ready=ready.set, **options)
        )
        try:
            await asyncio.wait_for(ready.wait(), 5)
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def query_of(connection) -> dict[str, list[str]]:
    return parse_qs(urlsplit(connection.request.path).query)


async def test_a_restarted_agent_takes_back_the_calls_that_have_no_agent_and_no_others(
    api, relay, busy_relay, caplog
):
    handled = []

    async def handler(call):
        handled.append((call.id, call.resumed, await call.answered()))

    caplog.set_level(logging.INFO, "chamade")
    async with serving(api, handler):
        await busy_relay.until(lambda: busy_relay.connections)
        await api.until(lambda: api.calls["call_live"]["state"] == "ended")
        await api.polled()
    assert handled == [("call_live", True, True)]
    assert len(relay.connections) == len(busy_relay.connections) == 1
    assert query_of(relay.connections[0])["if_free"] == ["1"]
    assert api.calls["call_others"]["state"] == "active"
    assert [one for one in api.asked if one.startswith("POST")] == [
        "POST /api/call/call_live/leave"
    ]
    assert "call_others: another agent has the call" in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_serve_that_is_to_take_nothing_back_takes_nothing_back(api, relay):
    async def handler(call):
        pytest.fail(f"{call.id} was taken")

    async with serving(api, handler, resume=False):
        await api.polled()
    assert not relay.connections


async def test_a_connection_that_breaks_later_is_made_again_whether_or_not_the_call_is_free(
    api, relay
):
    async def handler(call):
        await asyncio.Event().wait()

    async with serving(api, handler):
        await relay.until(lambda: relay.connections)
        relay.connections[0].transport.abort()
        await relay.until(lambda: len(relay.connections) == 2)
        assert "if_free" not in query_of(relay.connections[1])


async def test_a_call_that_is_answered_while_the_agent_starts_is_handled_once(api, relay):
    api.calls["call_live"] |= {"state": "ringing", "auto_answer": True}
    api.answers_late = "call_live"
    handled = []

    async def handler(call):
        handled.append(call.resumed)
        await asyncio.Event().wait()

    async with serving(api, handler):
        await api.until(lambda: bool(handled))
        await api.polled()
    assert handled == [False]


async def test_an_agent_that_is_thrown_out_is_told_in_a_line_and_hangs_nobody_up(
    api, relay, caplog
):
    begun = asyncio.Event()

    async def handler(call):
        begun.set()
        async for _ in call.audio:
            pass

    async with serving(api, handler):
        await asyncio.wait_for(begun.wait(), 5)
        await relay.connections[0].close(4409, "replaced by a newer connection")
        await api.polled()
    assert "call_live: another connection to the same call has taken over" in caplog.text
    assert "Traceback" not in caplog.text
    assert api.calls["call_live"]["state"] == "active"


async def test_the_blocking_client_takes_back_the_calls_that_have_no_agent(api, relay):
    handled, done = [], threading.Event()

    class Enough(Exception):
        pass

    def handler(call):
        handled.append((call.id, call.resumed, call.answered()))
        done.set()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/events" and request.url.params["wait"] != "0":
            done.wait(5)
            raise Enough
        return api.answer(request)

    def serve():
        with Client(API, KEY, transport=httpx.MockTransport(answer)) as client:
            client.serve(handler, line=CALL["line"])

    with pytest.raises(Enough):
        await asyncio.wait_for(asyncio.to_thread(serve), 20)
    assert handled == [("call_live", True, True)]
    assert api.calls["call_live"]["state"] == "ended"
    assert api.calls["call_others"]["state"] == "active"


async def test_a_call_can_be_joined_if_it_is_free(api, relay):
    async with AsyncClient(API, KEY, transport=httpx.MockTransport(api.answer_slowly)) as client:
        with pytest.raises(CallGone, match="another agent has the call"):
            async with client.attach("call_others", if_free=True):
                pytest.fail("it has an agent")
        async with client.attach("call_live", if_free=True, hang_up=False) as call:
            assert await call.answered()
    assert api.calls["call_others"]["state"] == "active"


async def test_a_call_whose_audio_does_not_come_is_left_alone(api, relay, monkeypatch):
    monkeypatch.setattr("chamade.openings.GRACE_S", 0.05)
    relay.on_connect = lambda _: asyncio.sleep(0)
    async with AsyncClient(API, KEY, transport=httpx.MockTransport(api.answer_slowly)) as client:
        with pytest.raises(CallGone, match="did not come within"):
            async with client.attach("call_live", if_free=True):
                pytest.fail("there is no audio")
    await relay.until(lambda: relay.connections[0].close_code is not None)
    assert api.calls["call_live"]["state"] == "active"
