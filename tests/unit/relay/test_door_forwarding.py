"""Commands that come to a relay which does not hold the call, and are passed on to the one that
does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from relay.network.door_forwarding import HOP_HEADER
from tests.support.ports import free_port
from tests.unit.relay.chamade_host import ChamadeHost
from tests.unit.relay.door_client import PATH, DoorStack, command, request, talking, with_door
from tests.unit.relay.fake_control import FakeApplication


@pytest.fixture
async def other(app: FakeApplication) -> AsyncIterator[DoorStack]:
    """Another relay, which does not hold the call."""
    async with with_door(app, relay_id="relay-2") as other:
        yield other


async def test_a_command_is_passed_on_to_the_relay_that_holds_the_call(
    door: DoorStack, other: DoorStack, host: ChamadeHost
) -> None:
    socket = await talking(door, host)
    asking = asyncio.create_task(other.post(request(owner=door.door_url)))
    await socket.reply(await socket.next("request"), ok=True, result={"n": 1})
    assert await asking == (200, {"ok": True, "result": {"n": 1}})
    answer = await other.send("dtmf", owner=door.door_url + "/", params={"digits": "12"})
    assert answer["result"] == {"queued": 2}
    page = (await other.get("/metrics"))[1]
    assert 'door_commands_total{answer="forwarded",method="request"} 1.0' in page


async def test_a_relay_that_holds_the_call_carries_a_command_out_whoever_is_said_to_own_it(
    door: DoorStack, other: DoorStack, host: ChamadeHost
) -> None:
    await talking(door, host)
    assert (await door.send("clear", owner=other.door_url))["ok"] is True


async def test_a_command_is_passed_on_once(door: DoorStack, other: DoorStack) -> None:
    circle = command("clear", owner=other.door_url)
    assert (await door.post(circle))[1]["error"]["code"] == "not_here"
    assert other.relay.counters.door["clear", "not_here"] == 1
    hopped = command("clear", owner=other.door_url)
    assert (await door.post(hopped, headers={HOP_HEADER: "1"}))[1]["error"]["code"] == "not_here"
    assert other.relay.counters.door["clear", "not_here"] == 1, "it was not passed on"


async def test_an_id_is_new_once_whichever_relay_it_comes_to(
    door: DoorStack, other: DoorStack, host: ChamadeHost
) -> None:
    await talking(door, host)
    keys = command("dtmf", owner=door.door_url, params={"digits": "1"})
    assert (await door.post(keys))[0] == 200
    status, answer = await other.post(keys)
    assert (status, answer["error"]["code"]) == (409, "replayed")


async def test_an_owner_that_cannot_be_reached_does_not_hold_the_call(door: DoorStack) -> None:
    for owner in (f"http://127.0.0.1:{free_port()}", "http://127.0.0.1:99999", "http://"):
        answer = await door.send("clear", owner=owner)
        assert answer["error"]["code"] == "not_here"


async def test_an_owner_that_does_not_answer_is_given_up(
    door: DoorStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.network.door_forwarding._ANSWER_S", 0.2)
    async with silent_owner() as (owner, _):
        answer = await door.send("clear", owner=owner, wait_s=0)
        assert answer["error"]["code"] == "timeout"


async def test_an_owner_that_is_lost_before_it_answers_may_have_carried_the_command_out(
    door: DoorStack,
) -> None:
    async with breaking_owner() as (owner, came):
        answer = await door.send("dtmf", owner=owner, params={"digits": "1"})
        assert answer["error"]["code"] == "timeout", "not_here would have the key pressed again"
        assert came == [PATH]


@pytest.mark.parametrize("limit", ["MAX_FORWARDS", "MAX_FORWARDS_PER_CALL"])
async def test_commands_that_are_passed_on_are_bounded(
    door: DoorStack, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(f"relay.network.door_forwarding.{limit}", 2)
    async with silent_owner() as (owner, came):
        first = [asyncio.create_task(door.send("clear", owner=owner)) for _ in range(2)]
        async with asyncio.timeout(10):
            for _ in first:
                await came.get()
        answer = await door.send("clear", owner=owner)
        assert answer["error"]["code"] == "too_many"
        if limit == "MAX_FORWARDS_PER_CALL":
            path = PATH.replace("call_1", "call_2")
            other = asyncio.create_task(door.post(command("clear", owner=owner), path=path))
            await asyncio.wait_for(came.get(), 10)
            other.cancel()
        for each in first:
            each.cancel()


@contextlib.asynccontextmanager
async def breaking_owner() -> AsyncIterator[tuple[str, list[str]]]:
    """Run a server that takes posts and breaks the connection. Yield its URL and the paths."""
    came: list[str] = []

    async def take(request: web.Request) -> web.Response:
        await request.read()
        came.append(request.path)
        assert request.transport is not None
        request.transport.abort()
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(take) as owner:
        yield owner, came


@contextlib.asynccontextmanager
async def silent_owner() -> AsyncIterator[tuple[str, asyncio.Queue[str]]]:
    """Run a server that takes posts and never answers. Yield its URL and a queue of the paths."""
    came: asyncio.Queue[str] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        came.put_nowait(request.path)
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(take) as owner:
        yield owner, came


@contextlib.asynccontextmanager
async def serving(take: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    """Run a server whose posts go to `take`. Yield its URL."""
    app = web.Application()
    app.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()
