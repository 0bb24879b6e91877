"""Tests of calls placed over REST: the called party's answers, and the callbacks about them."""

from __future__ import annotations

import asyncio
import time
from asyncio import wait_for

import aiohttp
import pytest

from gateway.http.auth import basic

CALLEE, FROM = "+15557770000", "+15551230001"
ALL = ["initiated", "ringing", "answered", "completed"]


@pytest.fixture
def place(gateway, account, application):
    """`POST Calls.json`; returns the resource."""

    async def post(**fields):
        form = [("To", CALLEE), ("From", FROM), ("StatusCallback", application.url + "/events")]
        form = [(key, value) for key, value in form if key not in fields]
        for key, value in fields.items():
            form += [(key, item) for item in ([value] if isinstance(value, str) else value)]
        if "Url" not in fields and "Twiml" not in fields:
            form.append(("Url", application.url + "/outbound"))
        url = f"{gateway.url}/2010-04-01/Accounts/{account[0]}/Calls.json"
        headers = {"Authorization": basic(*account)}
        async with aiohttp.request("POST", url, data=form, headers=headers) as answer:
            assert answer.status == 201
            return await answer.json()

    return post


@pytest.fixture
async def callee(phone):
    return await phone.register(CALLEE)


async def events(application, count):
    posts = [await application.next("/events") for _ in range(count)]
    posts.sort(key=lambda post: int(post.params["SequenceNumber"]))
    return [post.params for post in posts]


async def test_an_answered_call_runs_its_document_and_reports_every_event(
    application, place, callee, media, tone
):
    application.on("/outbound", f'<Connect><Stream url="{media.url}/s"/></Connect>')
    placed = await place(StatusCallbackEvent=ALL)
    assert placed["status"] == "queued"
    assert placed["direction"] == "outbound-api"
    call = await wait_for(callee.next_call(), 5)
    assert (call.call_sid, call.from_, call.to) == (placed["sid"], FROM, CALLEE)
    call.accept()
    session = await media.accept()
    speech = tone(440, 0.1)
    await session.say(speech)
    await wait_for(call.play(tone(600, 0.1)), 5)
    assert await wait_for(call.wait_heard(speech), 5) >= 0
    await session.hear(tone(600, 0.1))
    call.hangup()
    await wait_for(call.ended.wait(), 5)
    post = await application.next("/outbound")
    assert post.params["CallStatus"] == "in-progress"
    assert post.params["Direction"] == "outbound-api"
    reported = await events(application, 4)
    assert [params["CallStatus"] for params in reported] == [
        "initiated",
        "ringing",
        "in-progress",
        "completed",
    ]
    assert [params["SequenceNumber"] for params in reported] == ["0", "1", "2", "3"]
    assert reported[-1]["SipResponseCode"] == "200"
    moments = [int(reported[-1][name]) for name in ("InviteAt", "RingingAt", "AnsweredAt")]
    assert moments == sorted(moments)
    assert abs(moments[0] / 1000 - time.time()) < 60
    assert "InviteAt" not in reported[0], "only the last callback has them"


@pytest.mark.parametrize(("reason", "code"), [("busy", 486), ("declined", 603)])
async def test_a_callee_who_rejects_the_call_is_busy(application, place, callee, reason, code):
    await place()
    call = await wait_for(callee.next_call(), 5)
    call.reject(reason)
    await wait_for(call.ended.wait(), 5)
    assert not call.answered.is_set()
    (event,) = await events(application, 1)
    assert (event["CallStatus"], event["SipResponseCode"]) == ("busy", str(code))


async def test_a_number_that_nobody_registered_fails_with_404(application, place):
    await place()
    (event,) = await events(application, 1)
    assert (event["CallStatus"], event["SipResponseCode"]) == ("failed", "404")


async def test_a_callee_in_another_call_is_busy(application, place, callee):
    await place(Twiml='<Response><Pause length="60"/></Response>')
    first = await wait_for(callee.next_call(), 5)
    await place()
    (event,) = await events(application, 1)
    assert (event["CallStatus"], event["SipResponseCode"]) == ("busy", "486")
    first.accept()
    await wait_for(first.answered.wait(), 5)


async def test_a_registered_callee_takes_one_call_after_another(application, place, callee):
    for _ in range(3):
        await place(Twiml="<Response><Hangup/></Response>")
        call = await wait_for(callee.next_call(), 5)
        call.accept()
        await wait_for(call.ended.wait(), 5)
        assert call.ending.status == "completed"


async def test_a_callee_who_lets_it_ring_does_not_answer(application, place, callee):
    await place(Timeout="1")
    call = await wait_for(callee.next_call(), 5)
    await wait_for(call.ended.wait(), 5)
    (event,) = await events(application, 1)
    assert (event["CallStatus"], event["SipResponseCode"]) == ("no-answer", "487")


async def test_a_callee_who_vanishes_while_it_rings_is_no_answer(application, place, callee):
    await place()
    await wait_for(callee.next_call(), 5)
    callee.close()
    (event,) = await events(application, 1)
    assert event["CallStatus"] == "no-answer"


async def test_a_sip_uri_reaches_the_party_registered_by_its_user_part(
    application, place, callee, caplog
):
    uri = f"sip:{CALLEE}@trunk.example;transport=tls"
    await place(To=uri, SipAuthUsername="me", SipAuthPassword="hush-hush")
    call = await wait_for(callee.next_call(), 5)
    assert call.to == uri
    assert "hush-hush" not in caplog.text


async def test_a_misspelt_callback_event_disables_all_callbacks(application, place, callee, caplog):
    await place(StatusCallbackEvent=["ringin"], Twiml="<Response/>")
    call = await wait_for(callee.next_call(), 5)
    call.accept()
    await wait_for(call.ended.wait(), 5)
    assert application.queues["/events"].empty()
    assert 21626 in [getattr(r, "error_code", 0) for r in caplog.records]


async def test_reject_on_an_answered_call_completes_it(application, place, callee):
    await place(Twiml='<Response><Reject reason="busy"/></Response>')
    call = await wait_for(callee.next_call(), 5)
    call.accept()
    await wait_for(call.ended.wait(), 5)
    assert call.ending.status == "completed"


async def test_a_ringing_outbound_call_can_be_canceled_but_not_redirected(
    application, place, callee, gateway, account
):
    placed = await place()
    call = await wait_for(callee.next_call(), 5)
    async with aiohttp.ClientSession(headers={"Authorization": basic(*account)}) as session:
        url = gateway.url + placed["uri"]
        async with session.post(url, data={"Twiml": "<Response/>"}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (400, 21220)
        async with session.post(url, data={"Status": "canceled"}) as answer:
            assert (await answer.json())["status"] == "canceled"
    await wait_for(call.ended.wait(), 5)
    (event,) = await events(application, 1)
    assert event["CallStatus"] == "canceled"


async def test_the_callees_first_words_are_kept_for_the_stream(
    application, place, callee, media, tone
):
    """Said while the application is still asked what to do, and while its server is connected."""
    said = asyncio.Event()

    async def slow(_post):
        await said.wait()
        return f'<Connect><Stream url="{media.url}/s"/></Connect>'

    application.on("/outbound", slow)
    await place()
    call = await wait_for(callee.next_call(), 5)
    call.accept()
    await wait_for(call.answered.wait(), 5)
    hello = tone(440, 0.3)
    await wait_for(call.play(hello), 5)
    said.set()
    session = await media.accept()
    await session.hear(hello)
    call.hangup()
