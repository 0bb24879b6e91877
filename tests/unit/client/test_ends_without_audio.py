"""Tests of calls that are over before their audio connects: the relay has no `stop` for them."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from chamade import AsyncClient, Client
from tests.unit.client.conftest import CALL, KEY

API = "https://api.example"


@pytest.fixture
def api(relay):
    """The API of a call that nobody answered, over by the time that its audio connects."""
    relay.on_connect = lambda connection: connection.close(4410, "the call is over")
    audio = {"url": relay.url, "token": "secret"}
    dialled = {**CALL, "direction": "outbound", "state": "connecting", "audio": audio}
    over = {**dialled, "state": "failed", "end_reason": "no_answer", "audio": None}
    answers = {
        "GET": httpx.Response(200, json=over),
        "POST": httpx.Response(201, json=dialled),
        "leave": httpx.Response(409, json={"code": "call_over", "detail": "Over.", "call": over}),
    }

    def answer(request: httpx.Request) -> httpx.Response:
        return answers["leave" if request.url.path.endswith("/leave") else request.method]

    return httpx.MockTransport(answer)


async def test_a_dial_that_nobody_answered_says_so(api):
    async with (
        AsyncClient(API, KEY, transport=api) as client,
        client.call("sip:a@carrier.example") as call,
    ):
        assert not await call.answered()
        assert (call.info.state, call.end_reason) == ("failed", "no_answer")


async def test_a_call_that_is_over_when_it_is_hung_up_says_why(api):
    async with (
        AsyncClient(API, KEY, transport=api) as client,
        client.call("sip:a@carrier.example") as call,
    ):
        await call.audio.send(b"\0\0")
        pytest.fail("it is over")
    assert (call.info.state, call.end_reason) == ("failed", "no_answer")


async def test_the_blocking_client_says_that_nobody_answered(api):
    def dial():
        with (
            Client(API, KEY, transport=api) as client,
            client.call("sip:a@carrier.example") as call,
        ):
            return call.answered(), call.info.state, call.end_reason

    dialled = await asyncio.wait_for(asyncio.to_thread(dial), 20)
    assert dialled == (False, "failed", "no_answer")


async def test_the_blocking_client_says_why_a_call_was_over_when_it_is_hung_up(api):
    def dial():
        with (
            Client(API, KEY, transport=api) as client,
            client.call("sip:a@carrier.example") as call,
        ):
            call.audio.send(b"\0\0")
            pytest.fail("it is over")
        return call.info.state, call.end_reason

    assert await asyncio.wait_for(asyncio.to_thread(dial), 20) == ("failed", "no_answer")
