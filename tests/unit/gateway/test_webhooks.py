"""Tests of webhooks under bad conditions: retries, and the effect on the call."""

from __future__ import annotations

import asyncio
from asyncio import wait_for

import pytest
from aiohttp import web

from gateway.calls import webhooks
from gateway.softphone.phone import Softphone

TO = "+15551230000"


@pytest.fixture
def outcome(application, start_gateway, account):
    """Places a call, waits for its end: (status, the gateway)."""

    async def place(**settings):
        gateway = await start_gateway(**settings)
        call = await Softphone(gateway.url, *account).place_call(TO)
        await wait_for(call.ended.wait(), 5)
        return call.ending.status, gateway

    return place


def errors(caplog):
    return [r.error_code for r in caplog.records if hasattr(r, "error_code")]


async def test_a_broken_connection_is_retried_once_with_the_same_request(application, outcome):
    application.on("/voice", CutOff(), '<Reject reason="busy"/>')
    assert (await outcome())[0] == "busy"
    posts = [await application.next("/voice") for _ in range(2)]
    tokens = [post.headers["I-Twilio-Idempotency-Token"] for post in posts]
    assert len(set(tokens)) == 1


class CutOff(web.Response):
    """Closes the connection instead of answering."""

    async def prepare(self, request):
        request.transport.abort()
        return await super().prepare(request)


async def test_an_unreachable_webhook_fails_the_call(outcome, caplog):
    status, gateway = await outcome(voice_url="http://127.0.0.1:1/voice")
    assert status == "failed"
    assert errors(caplog) == [11200]
    assert gateway.metrics.webhook_errors["voice"] == 1


@pytest.fixture
def short_pauses(monkeypatch):
    monkeypatch.setattr(webhooks, "PAUSES_S", (0.01,))


async def slow(_post):
    await asyncio.sleep(5)


@pytest.mark.usefixtures("short_pauses")
@pytest.mark.parametrize("failing", [408, 429, 500, 503, slow])
async def test_an_application_that_fails_or_is_late_is_asked_again_while_the_call_rings(
    application, outcome, caplog, failing
):
    application.on("/voice", failing, failing, failing, '<Reject reason="busy"/>')
    status, gateway = await outcome(webhook_patience=60.0, webhook_timeout=0.2)
    assert status == "busy"
    assert not errors(caplog)
    assert gateway.metrics.webhook_errors["voice"] == 3
    posts = [await application.next("/voice") for _ in range(4)]
    assert len({post.headers["I-Twilio-Idempotency-Token"] for post in posts}) == 1
    assert {post.params["CallStatus"] for post in posts} == {"ringing"}


@pytest.mark.usefixtures("short_pauses")
async def test_an_application_that_was_away_is_asked_again_when_it_is_back(
    application, start_gateway, account
):
    application.on("/voice", *[CutOff()] * 4, '<Reject reason="busy"/>')
    gateway = await start_gateway(webhook_patience=60.0)
    call = await Softphone(gateway.url, *account).place_call(TO)
    await wait_for(call.ended.wait(), 5)
    assert call.ending.status == "busy"


async def test_new_calls_are_refused_while_the_application_is_behind(
    application, start_gateway, account, monkeypatch
):
    monkeypatch.setattr(webhooks, "BEHIND_S", 0.0)
    monkeypatch.setattr(webhooks, "BEHIND_REQUESTS", 2)
    answer = asyncio.Event()

    async def late(_post):
        await answer.wait()
        return '<Reject reason="busy"/>'

    application.on("/voice", late)
    gateway = await start_gateway()
    phone = Softphone(gateway.url, *account)
    carried = [await phone.place_call(TO) for _ in range(2)]
    for _ in carried:
        await application.next("/voice")
    counted = []
    gateway.exchange.on_shed = counted.append
    refused = await phone.place_call(TO)
    await wait_for(refused.ended.wait(), 5)
    assert refused.ending.sip_code == 503
    assert (gateway.metrics.refused, gateway.metrics.shed, counted) == (1, 1, [None])
    assert not any(call.ended.is_set() for call in carried)
    answer.set()
    for call in carried:
        await wait_for(call.ended.wait(), 5)
        assert call.ending.status == "busy"
    taken = await phone.place_call(TO)
    await wait_for(taken.ended.wait(), 5)
    assert taken.ending.status == "busy"


@pytest.mark.parametrize("status", [302, 403, 404])
async def test_an_error_answer_fails_the_call_without_a_retry(application, outcome, caplog, status):
    application.on("/voice", status)
    assert (await outcome(webhook_patience=60.0))[0] == "failed"
    assert errors(caplog) == [11200]
    assert len([p for p in application.posts if p.path == "/voice"]) == 1


async def test_a_webhook_that_times_out_fails_the_call(application, outcome, caplog):
    async def think(_post):
        await asyncio.sleep(5)

    application.on("/voice", think)
    status, _ = await outcome(webhook_timeout=0.05)
    assert status == "failed"
    assert errors(caplog)[0] == 11205


async def test_an_answer_longer_than_64_kb_fails_the_call(application, outcome, caplog):
    application.on("/voice", "<Reject/>" + " " * 70_000)
    assert (await outcome())[0] == "failed"
    assert errors(caplog) == [11750]


async def test_an_answer_that_is_no_xml_fails_the_call(application, outcome, caplog):
    application.on("/voice", web.json_response({"twiml": "<Response/>"}))
    assert (await outcome())[0] == "failed"
    assert errors(caplog) == [12300]


async def test_no_content_is_an_empty_document(application, outcome):
    application.on("/voice", 204)
    assert (await outcome())[0] == "completed"


async def test_a_get_redirect_carries_its_parameters_in_the_signed_query(application, outcome):
    application.on("/voice", '<Redirect method="GET">/next?state=a%20b#rc=3</Redirect>')
    application.on("/next", "<Reject/>")
    await outcome()
    post = await application.next("/next")
    assert post.method == "GET"
    assert post.params["state"] == "a b"
    assert post.params["To"] == TO


async def test_a_url_is_sent_byte_for_byte_as_it_was_signed(application, outcome):
    application.on("/voice", "<Redirect>/a%2Bb/%E2%82%AC;x=1?y=%7E&amp;z=+</Redirect>")
    application.on("/a+b/€;x=1", "<Reject reason='busy'/>")
    assert (await outcome())[0] == "busy"


async def test_a_failed_status_callback_is_tried_again(application, outcome):
    application.on("/voice", "<Reject/>")
    application.on("/status", 500, 503, 204)
    await outcome(status_retries=(0.01, 0.01, 0.01))
    posts = [await application.next("/status") for _ in range(3)]
    assert {p.params["SequenceNumber"] for p in posts} == {"0"}
    assert len({p.headers["I-Twilio-Idempotency-Token"] for p in posts}) == 1


async def test_a_status_callback_is_tried_a_bounded_number_of_times(application, outcome):
    application.on("/voice", "<Reject/>")
    application.on("/status", 500)
    _, gateway = await outcome(status_retries=(0.01,))
    for _ in range(2):
        await application.next("/status")
    await gateway.exchange.drain()
    assert application.queues["/status"].empty()
    assert gateway.metrics.webhook_errors["status"] == 2


async def test_a_call_without_a_status_url_has_no_callbacks(application, outcome):
    application.on("/voice", "<Reject/>")
    await outcome(status_url=None)
    assert application.queues["/status"].empty()


async def test_two_hundred_ringing_calls_poll_concurrently(application, start_gateway, account):
    gateway = await start_gateway()
    application.on("/voice", '<Pause length="1"/><Redirect>/ringing</Redirect>')
    application.on("/ringing", "<Hangup/>")
    phone = Softphone(gateway.url, *account)
    calls = [await phone.place_call(TO) for _ in range(200)]
    await asyncio.gather(*(wait_for(call.ended.wait(), 10) for call in calls))
    assert {call.ending.status for call in calls} == {"completed"}
    late = [call.ended_at - call.ringing_at for call in calls]
    assert max(late) < 5.0  # one after the other they would take a hundred
    assert sum(post.path == "/ringing" for post in application.posts) == 200
