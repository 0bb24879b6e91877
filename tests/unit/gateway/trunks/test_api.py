"""Tests of trunks of a whole gateway: the nudge, the operator's list, the gauge, calls through a
trunk.
"""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from gateway.calls.call import Call
from gateway.http.auth import basic
from gateway.server import start
from tests.unit.gateway.control_server import SECRET, A, B


@pytest.fixture
async def gateway(server, start_gateway):
    """A gateway without SIP that knows trunk A."""
    server.put(A)
    gateway = await start_gateway(
        control_url=server.url,
        control_secret=SECRET,
        gateway_id="gateway-7",
        allow_private_trunks=True,
    )
    await server.report()
    return gateway


@pytest.fixture
async def http(account):
    async with aiohttp.ClientSession(headers={"Authorization": basic(*account)}) as session:
        yield session


async def test_a_nudge_is_accepted_and_the_trunk_fetched(gateway, server, http):
    server.put(B)
    async with http.post(f"{gateway.url}/trunks/{B}/changed") as answer:
        assert (answer.status, await answer.read()) == (202, b"")
    assert (await server.report())["trunk_id"] == B
    assert gateway.trunks.get(B) is not None


@pytest.mark.parametrize("trunk_id", ["trunk_1", A.upper(), A + "a", "trunk_" + "1" * 26, "x%2Fy"])
async def test_a_nudge_for_a_malformed_id_is_404(gateway, server, http, trunk_id):
    async with http.post(f"{gateway.url}/trunks/{trunk_id}/changed") as answer:
        assert answer.status == 404
    assert server.paths().count("fetch") == 1


@pytest.mark.parametrize(("method", "path"), [("POST", f"/trunks/{A}/changed"), ("GET", "/trunks")])
async def test_nudge_and_list_need_the_credentials(gateway, server, method, path):
    wrong = {"Authorization": basic("AC" + "0" * 32, "x")}
    for headers in ({}, wrong):
        async with aiohttp.request(method, gateway.url + path, headers=headers) as answer:
            assert answer.status == 401
            assert "WWW-Authenticate" in answer.headers
    assert server.paths().count("fetch") == 1


async def test_the_list_shows_the_trunks_status_without_credentials(gateway, http):
    async with http.get(f"{gateway.url}/trunks") as answer:
        text = await answer.text()
        (shown,) = (await answer.json())["trunks"]
    assert set(shown) == {"trunk_id", "revision", "status", "sip_code", "detail", "since"}
    assert (shown["trunk_id"], shown["revision"], shown["status"]) == (A, 1, "failed")
    assert "GATEWAY_SIP_PORT" in shown["detail"]
    assert shown["since"].endswith("Z")
    assert "hush" not in text
    assert "alice" not in text


async def test_the_gauge_counts_trunks(gateway, http):
    async with http.get(f"{gateway.url}/metrics") as answer:
        assert 'gateway_trunks{status="failed"} 1.0' in await answer.text()


async def test_a_gateway_without_an_application_has_no_trunks(start_gateway, http):
    gateway = await start_gateway()
    for method, path in (("POST", f"/trunks/{A}/changed"), ("GET", "/trunks")):
        async with http.request(method, gateway.url + path) as answer:
            assert answer.status == 404
            assert "GATEWAY_CONTROL_URL" in (await answer.json())["message"]
    assert gateway.trunks is None


async def test_a_trunk_in_our_own_network_is_refused_by_default(start_gateway, server):
    server.put(A, host="127.0.0.1")
    await start_gateway(control_url=server.url, control_secret=SECRET, gateway_id="gateway-7")
    assert "private address" in (await server.report())["detail"]


async def test_a_gateway_can_stop_while_the_application_does_not_answer(account, server):
    from gateway.config import Config

    server.put(A)
    server.hold = asyncio.Event()
    gateway = await start(
        Config(
            account_sid=account[0],
            auth_token=account[1],
            voice_url="http://127.0.0.1:1/voice",
            port=0,
            control_url=server.url,
            control_secret=SECRET,
            allow_private_trunks=True,
        )
    )
    await server.report()
    await asyncio.wait_for(gateway.stop(), 5)
    server.hold.set()


# Calls through a trunk.


@pytest.fixture
def place(gateway, http, application, account):
    async def post(**change):
        url = f"{gateway.url}/2010-04-01/Accounts/{account[0]}/Calls.json"
        form = {"To": "+33123456789", "From": "+33987654321", "Url": application.url + "/out"}
        form |= {"StatusCallback": application.url + "/events", "Byoc": A} | change
        async with http.post(url, data=form) as answer:
            return answer.status, await answer.json()

    return post


async def test_a_call_through_a_trunk_names_the_trunk(application, place):
    status, placed = await place()
    assert (status, placed["trunk_sid"]) == (201, A)
    params = (await application.next("/events")).params
    # There is no SIP here: nobody routes it.
    assert (params["CallStatus"], params["TrunkSid"]) == ("failed", A)


@pytest.mark.parametrize("trunk_id", [B, "BY" + "0" * 32, "x" * 200])
async def test_a_call_through_an_unknown_trunk_is_21300(place, trunk_id):
    status, refusal = await place(Byoc=trunk_id)
    assert (status, refusal["code"]) == (400, 21300)


@pytest.mark.parametrize("to", ["sip:bob@elsewhere.example", f"sip:+33123456789@x;{A}"])
async def test_a_trunk_dials_numbers_only(place, to):
    status, refusal = await place(To=to)
    assert (status, refusal["code"]) == (400, 21211)


async def test_a_gateway_without_trunks_refuses_every_byoc(start_gateway, http, account):
    gateway = await start_gateway()
    url = f"{gateway.url}/2010-04-01/Accounts/{account[0]}/Calls.json"
    form = {"To": "+33123456789", "From": "+33987654321", "Url": "http://x/", "Byoc": A}
    async with http.post(url, data=form) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, 21300)


def test_the_webhook_of_a_sip_call_has_trunk_and_call_id(account):
    call = Call(
        account_sid=account[0],
        to="+1",
        from_="+2",
        direction="inbound",
        created_at=0.0,
        trunk_id=A,
        sip_call_id="abc@10.0.0.1",
    )
    assert call.params()["TrunkSid"] == A
    assert call.params()["SipCallId"] == "abc@10.0.0.1"
    assert call.as_json()["trunk_sid"] == A
    bare = Call(account_sid="AC", to="", from_="", direction="inbound", created_at=0.0)
    assert not {"TrunkSid", "TrunkSource", "Standing", "SipCallId"} & set(bare.params())


def test_the_webhooks_of_a_call_from_networks_of_several_trunks_have_its_address(account):
    call = Call(
        account_sid=account[0],
        to="+1",
        from_="+2",
        direction="inbound",
        created_at=0.0,
        trunk_source="192.0.2.7",
        standing="carrier",
    )
    for params in (call.params(), call.status_params(0, 1.0)):
        assert (params["TrunkSource"], params["Standing"]) == ("192.0.2.7", "carrier")
        assert "TrunkSid" not in params
