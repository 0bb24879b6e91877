"""Tests of an operator's requests to a gateway: status without secrets, drain and its end."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from gateway.http.auth import basic
from tests.support.ports import free_ports
from tests.unit.gateway.conftest import TOKEN
from tests.unit.gateway.control_server import SECRET, ControlServer


@pytest.fixture
async def http(account):
    async with aiohttp.ClientSession(headers={"Authorization": basic(*account)}) as session:
        yield session


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "status"), ("POST", "drain"), ("DELETE", "drain")]
)
async def test_every_operator_request_needs_the_credentials(start_gateway, method, path):
    gateway = await start_gateway()
    for headers in ({}, {"Authorization": basic("AC" + "0" * 32, "wrong")}):
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, f"{gateway.url}/{path}") as answer,
        ):
            assert answer.status == 401
    assert not gateway.exchange.draining


async def test_the_status_shows_the_settings_without_secrets(start_gateway, http):
    gateway = await start_gateway(gateway_id="gateway-7")
    async with http.get(f"{gateway.url}/status") as answer:
        body = await answer.json()
    assert (body["gateway"], body["draining"], body["calls"]) == ("gateway-7", False, {})
    assert body["voice_url"].endswith("/voice")
    assert body["application"] is None
    assert TOKEN not in json.dumps(body)


async def test_the_status_shows_the_port_of_sip_and_null_without_sip(start_gateway, http):
    port = free_ports(2)
    for settings, shown in (({}, None), ({"sip_port": port}, port)):
        gateway = await start_gateway(**settings)
        async with http.get(f"{gateway.url}/status") as answer:
            assert (await answer.json())["sip"] == {"port": shown, "edge": None}


@pytest.mark.parametrize(("secret", "code"), [(SECRET, None), ("another", "bad_signature")])
async def test_the_status_shows_whether_the_application_accepts_our_signature(
    start_gateway, http, secret, code
):
    server = ControlServer()
    async with server.serving():
        gateway = await start_gateway(control_url=server.url, control_secret=secret)
        body = {"answers": None}
        async with asyncio.timeout(5):
            while body != {"answers": code is None, "code": code} or not (
                server.paths() or server.forged
            ):
                async with http.get(f"{gateway.url}/status") as answer:
                    body = (await answer.json())["application"]
                await asyncio.sleep(0.02)


async def test_a_drained_gateway_takes_no_calls_until_it_is_opened_again(start_gateway, http):
    gateway = await start_gateway()
    for method, status, draining in (("POST", "draining", True), ("DELETE", "ok", False)):
        async with http.request(method, f"{gateway.url}/drain") as answer:
            assert (await answer.json())["draining"] is draining
        async with http.get(f"{gateway.url}/healthz") as answer:
            # Healthy either way: who is replaced loses the calls that are to end by themselves.
            assert (answer.status, await answer.json()) == (200, {"status": status})
        assert gateway.exchange.full is draining
