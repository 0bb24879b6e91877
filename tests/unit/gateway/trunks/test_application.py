"""Tests of the control client, against HTTP."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from gateway.trunks import application as module
from gateway.trunks.application import Application, ApplicationError, pause_s
from gateway.trunks.trunk import BadTrunkError, Trunk
from runtime.signed_post import MAX_ANSWER
from tests.unit.gateway.control_server import (
    SECRET,
    A,
    B,
    ControlServer,
    problem,
    settings,
    trunk_id,
)


@pytest.fixture
async def server():
    server = ControlServer()
    async with server.serving():
        yield server


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def client(server, session):
    return Application(session, server.url, SECRET, "gateway-7")


async def test_a_list_is_read_to_its_last_page(server, client):
    for number in range(5):
        server.put(trunk_id(number), revision=number + 1)
    server.page = 2
    assert await client.list_trunks() == {trunk_id(number): number + 1 for number in range(5)}
    assert server.paths() == ["list"] * 3
    assert server.requests[0][1] == {"gateway": "gateway-7", "after": None}
    assert server.forged == 0


async def test_malformed_trunk_ids_are_left_out_of_the_list(server, client):
    server.put(A)
    server.put("trunk_/../../etc")
    assert await client.list_trunks() == {A: 1}


async def test_a_list_that_goes_on_for_ever_is_an_error(server, client, monkeypatch):
    monkeypatch.setattr(module, "_MAX_PAGES", 3)
    pages = [web.json_response({"trunks": [], "next": str(n)}) for n in range(5)]
    server.broken["list"] = pages
    with pytest.raises(ApplicationError) as failure:
        await client.list_trunks()
    assert failure.value.code == "bad_answer"


async def test_a_trunk_is_fetched_and_an_unknown_one_is_none(server, client):
    server.put(A, realm="carrier.example", caller_id="+33123456789", transport="tls", port=5061)
    assert await client.fetch_trunk(A) == Trunk(
        trunk_id=A,
        revision=1,
        host="sip.carrier.example",
        port=5061,
        transport="tls",
        username="alice",
        password="hush-hush",
        realm="carrier.example",
        caller_id="+33123456789",
        srtp="offered",
    )
    assert await client.fetch_trunk(B) is None


async def test_a_report_sends_every_field_and_returns_the_present_revision(server, client):
    server.put(A, revision=4)
    assert await client.report(A, 3, "failed", 403, "Do this.") == 4
    assert await server.report() == {
        "gateway": "gateway-7",
        "trunk_id": A,
        "revision": 3,
        "status": "failed",
        "sip_code": 403,
        "detail": "Do this.",
    }
    assert await client.report(B, 1, "registered", 200, "") is None


async def test_invalid_trunk_settings_raise_with_the_revision(server, client):
    server.put(A, username="a;b", revision=6)
    with pytest.raises(BadTrunkError, match="username") as failure:
        await client.fetch_trunk(A)
    assert failure.value.revision == 6


async def test_another_trunk_than_asked_for_is_an_error(server, client):
    server.trunks[A] = settings(B)
    with pytest.raises(ApplicationError, match="another trunk"):
        await client.fetch_trunk(A)


@pytest.mark.parametrize(
    ("answer", "code", "final"),
    [
        (lambda: problem(422, "invalid_request"), "invalid_request", True),
        (lambda: problem(401, "bad_signature"), "bad_signature", False),
        (lambda: problem(429, "slow_down"), "slow_down", False),
        (lambda: problem(503, "vault_unavailable"), "vault_unavailable", False),
        # Not the application's: somebody before it. Never to be taken for "there is no such trunk".
        (lambda: web.Response(status=404, text="<h1>no</h1>"), "http_404", False),
        (lambda: web.Response(status=302, headers={"Location": "/x"}), "http_302", False),
        (lambda: web.Response(text="{"), "bad_answer", False),
        (lambda: web.json_response({"trunk": []}), "bad_answer", False),
        (lambda: web.Response(text='{"trunk":{"x":' + "[" * 100_000), "bad_answer", False),
        (lambda: web.Response(body=b" " * (MAX_ANSWER + 1)), "bad_answer", False),
    ],
)
async def test_an_error_carries_the_problems_code(server, client, answer, code, final):
    server.put(A)
    server.broken["fetch"] = [answer()]
    with pytest.raises(ApplicationError) as failure:
        await client.fetch_trunk(A)
    assert (failure.value.code, failure.value.final) == (code, final)


async def test_a_wrong_secret_is_refused(server, session):
    client = Application(session, server.url, "another", "gateway-7")
    with pytest.raises(ApplicationError) as failure:
        await client.list_trunks()
    assert (failure.value.code, server.forged) == ("bad_signature", 1)


async def test_a_request_without_an_answer_times_out(server, client, monkeypatch):
    monkeypatch.setattr(module, "_TIMEOUT_S", 0.05)
    server.put(A)
    server.hold = asyncio.Event()
    with pytest.raises(ApplicationError) as failure:
        await client.report(A, 1, "registered", 200, "")
    assert (failure.value.code, failure.value.silent) == ("timeout", True)
    server.hold.set()


async def test_an_outage_logs_one_line_at_its_start_and_one_at_its_end(server, client, caplog):
    caplog.set_level("INFO", logger="gateway.trunks.application")
    server.broken["list"] = [503, 503, 500]
    for _ in range(3):
        with pytest.raises(ApplicationError):
            await client.list_trunks()
    await client.list_trunks()
    await client.list_trunks()
    said = [
        record.levelname for record in caplog.records if record.name == "gateway.trunks.application"
    ]
    assert said == ["WARNING", "INFO"]
    assert SECRET not in caplog.text


async def test_a_refused_connection_is_unreachable(session):
    client = Application(session, "http://127.0.0.1:1", SECRET, "gateway-7")
    with pytest.raises(ApplicationError) as failure:
        await client.list_trunks()
    assert (failure.value.code, failure.value.silent) == ("unreachable", True)


@given(st.integers(-3, 10**9), st.floats(0, 1))
def test_retry_pauses_grow_to_half_a_minute(failures, random):
    assert 0.75 <= pause_s(failures, random) <= 37.5
    assert pause_s(failures, random) <= pause_s(failures + 1, random)
