"""Tests that a running stack refuses bad input and keeps nothing of it."""

from __future__ import annotations

import asyncio
import base64
import json
from urllib.parse import urlencode

import aiohttp
import pytest
import websockets
from twilio.request_validator import RequestValidator

from local import aws
from local.agent import Refused, Rest
from local.environment import TABLE
from local.layout import Layout
from tests.support.running import post

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CALL = {"CallSid": "CA" + "f" * 32, "From": "+33600000001", "CallStatus": "ringing"}


@pytest.fixture
def nothing_left(running):
    """Fails the test if the table holds more after it than before, but for a count of its tries."""
    client = aws.client(Layout(running.port_base, running.state_dir), "dynamodb")

    def keys():
        pages = client.get_paginator("scan").paginate(TableName=TABLE)
        found = {(i["pk"]["S"], i["sk"]["S"]) for page in pages for i in page["Items"]}
        return {(pk, sk) for pk, sk in found if not sk.startswith("RATE#")}

    before = keys()
    yield
    assert keys() - before == set()


async def refused(rest: Rest, method: str, path: str, body=None) -> tuple[int, str]:
    with pytest.raises(Refused) as no:
        await rest(method, path, body)
    return no.value.status, no.value.problem["code"]


async def close_code(url: str, send=None, headers=None) -> tuple[int, str]:
    """Return the code with which the relay closes a socket, at the latest after 20 s."""
    async with websockets.connect(url, additional_headers=headers, max_size=None) as socket:
        if send is not None:
            await socket.send(send)
        async with asyncio.timeout(20):
            try:
                while True:
                    await socket.recv()
            except websockets.ConnectionClosed as closed:
                return closed.rcvd.code, closed.rcvd.reason


async def test_rest_refuses_wrong_keys_foreign_ids_and_malformed_numbers(
    live, stranger, nothing_left
):
    wrong = Rest(live.stack["api_url"], "chmd_live_wrong")
    assert await refused(wrong, "GET", "/api/calls") == (401, "bad_key")
    theirs = (await stranger.rest("GET", "/api/calls"))["calls"][0]["call_id"]
    for verb in ("accept", "refuse", "leave"):
        path = f"/api/call/{theirs}/{verb}"
        assert await refused(live.rest, "POST", path) == (404, "call_not_found")
    assert await refused(live.rest, "GET", "/api/number/0612345678") == (422, "invalid")
    foreign = f"/api/number/{stranger.number}"
    assert await refused(live.rest, "DELETE", foreign) == (404, "number_not_found")
    assert await refused(live.rest, "POST", "/api/number", {"country": "ZZ"}) == (409, "pool_empty")
    assert await refused(live.rest, "GET", "/nowhere") == (404, "no_such_route")
    assert (await refused(live.rest, "PUT", "/api/calls"))[0] in (404, 405)


async def test_webhooks_with_forged_or_missing_signatures_leave_no_trace(live, nothing_left):
    body = urlencode({**CALL, "To": live.number}).encode()
    for kind in ("voice", "ringing", "after-stream", "status"):
        url = f"{live.stack['api_url']}/webhooks/gateway/{kind}"
        assert post(url, body, **FORM)[0] == 403
        forged = base64.b64encode(b"x" * 20).decode()
        status, said = post(url, body, **FORM, **{"X-Twilio-Signature": forged})
        assert (status, said["code"]) == (403, "bad_signature")


async def test_a_signed_call_to_a_malformed_number_is_rejected(live, nothing_left):
    url = f"{live.stack['api_url']}/webhooks/gateway/voice"
    signer = RequestValidator(live.stack["provider_auth_token"])
    for to in ("0612345678", "+", "sip:@", "'; DROP TABLE"):
        form = {**CALL, "To": to}
        signature = signer.compute_signature(url, form)
        async with aiohttp.ClientSession() as session:
            headers = {"X-Twilio-Signature": signature}
            async with session.post(url, data=form, headers=headers) as answer:
                assert (answer.status, "<Reject" in await answer.text()) == (200, True)


async def test_the_relays_control_api_refuses_unsigned_requests(live, nothing_left):
    for path in ("/media/attach", "/media/report"):
        status, said = post(
            live.stack["api_url"] + path, b"{}", **{"Content-Type": "application/json"}
        )
        assert (status, said["code"]) == (401, "bad_signature")


async def test_unknown_tokens_open_no_socket(live, nothing_left):
    relay = live.stack["relay_url"]
    agent = f"{relay}/media/agent/call_none"
    for url in (f"{relay}/media/provider/made.up.token.x", f"{agent}?token=x", agent):
        with pytest.raises(websockets.InvalidStatus) as refused:
            await close_code(url)
        assert refused.value.response.status_code == 401


async def test_an_unsupported_audio_format_is_named_in_the_error(live):
    _, call_id = await live.dial()
    audio = (await live.rest("GET", f"/api/call/{call_id}"))["audio"]
    url = f"{audio['url']}?token={audio['token']}"
    for query in ("&format=opus", "&rate=44100", "&format=mulaw&rate=16000"):
        code, reason = await close_code(url + query)
        assert code == 4400
        assert "format" in reason or "rate" in reason
    await live.rest("POST", f"/api/call/{call_id}/refuse")


async def test_a_two_megabyte_frame_ends_its_socket_and_not_the_call(live):
    talking = await live.answered()
    audio = talking.talk.audio
    url = f"{audio['url']}?format=mulaw&token={audio['token']}"
    assert (await close_code(url, send=b"\xff" * 2_000_000))[0] == 1009
    shown = await live.rest("GET", f"/api/call/{talking.call_id}")
    assert shown["state"] == "active"
    talking.call.hangup()
    await asyncio.wait_for(talking.call.ended.wait(), 10)


@pytest.mark.deep
async def test_a_silent_provider_socket_is_closed_and_the_call_goes_on(live):
    """Somebody who has the token and the signature, but says nothing."""
    talking = await live.answered()
    relay, token = live.stack["relay_url"], provider_token(live, talking.call_id)
    url = f"{relay}/media/provider/{token}"
    signed = RequestValidator(live.stack["provider_auth_token"]).compute_signature(url, {})
    assert (await close_code(url))[0] == 4401  # not even with the token, if it is not signed
    code, _ = await close_code(url, headers={"X-Twilio-Signature": signed})
    assert code == 4408
    shown = await live.rest("GET", f"/api/call/{talking.call_id}")
    assert shown["state"] == "active"
    talking.call.hangup()
    await asyncio.wait_for(talking.call.ended.wait(), 10)


def provider_token(live, call_id: str) -> str:
    """The token that the gateway was given, made from the stack's own secret."""
    from pathlib import Path

    from common import media_token

    agent = live.rest.now("GET", f"/api/call/{call_id}")["audio"]["token"]
    expires = int(agent.split(".")[2])
    secrets = json.loads((Path(live.state_dir) / "credentials.json").read_text())
    return media_token.issue(secrets["control_secret"], call_id, "provider", expires)
