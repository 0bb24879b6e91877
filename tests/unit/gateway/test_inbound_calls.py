"""Tests of inbound calls: ringing, answer, rejection, end, and the webhooks about them."""

from __future__ import annotations

import asyncio
from asyncio import wait_for
from email.utils import parsedate_to_datetime

import aiohttp
import pytest
from websockets.asyncio.client import connect

from gateway.http.auth import basic
from gateway.softphone.phone import Softphone

TO, FROM = "+15551230000", "+33612345678"


async def test_the_voice_webhook_names_caller_and_called_number(application, phone):
    application.on("/voice", "<Reject/>")
    call = await phone.place_call(TO, from_=FROM, forwarded_from="+33140000000")
    post = await application.next("/voice")
    await wait_for(call.ended.wait(), 5)
    assert post.method == "POST"
    assert post.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert post.headers["I-Twilio-Idempotency-Token"]
    assert post.params == {
        "CallSid": call.call_sid,
        "AccountSid": "AC" + "0123456789abcdef" * 2,
        "ApiVersion": "2010-04-01",
        "From": FROM,
        "To": TO,
        "Caller": FROM,
        "Called": TO,
        "CallStatus": "ringing",
        "Direction": "inbound",
        "ForwardedFrom": "+33140000000",
        "RedirectRinging": "work",
    }


async def test_pausing_and_redirecting_keeps_the_call_ringing(application, phone):
    application.on("/voice", '<Pause length="0"/><Redirect method="POST">ringing</Redirect>')
    again = '<Pause length="0"/><Redirect>/ringing</Redirect>'
    application.on("/ringing", again, again, again, "<Reject/>")
    call = await phone.place_call(TO)
    await wait_for(call.ended.wait(), 5)
    assert call.ringing.is_set()
    assert not call.answered.is_set()
    assert [post.params["CallStatus"] for post in application.posts[:5]] == ["ringing"] * 5
    assert len({post.headers["I-Twilio-Idempotency-Token"] for post in application.posts[:5]}) == 5


@pytest.mark.parametrize(
    ("twiml", "status", "sip_code"),
    [
        ('<Reject reason="busy"/>', "busy", 486),
        ('<Reject reason="rejected"/>', "no-answer", 404),
        ("<Reject/>", "no-answer", 404),
        ('<Pause length="0"/><Reject reason="busy"/>', "busy", 486),
        ("<Say>Hello</Say>", "failed", 500),
        ("<Connect><Room>x</Room></Connect>", "failed", 500),
        ("<Response", "failed", 500),
    ],
)
async def test_an_unanswered_call_ends_with_the_status_of_its_verb(
    application, phone, twiml, status, sip_code
):
    application.on("/voice", twiml)
    call = await phone.place_call(TO)
    await wait_for(call.ended.wait(), 5)
    assert (call.ending.status, call.ending.sip_code) == (status, sip_code)
    assert not call.answered.is_set()
    callback = await application.next("/status")
    assert callback.params["CallStatus"] == status
    assert callback.params["SipResponseCode"] == str(sip_code)
    assert callback.params["CallDuration"] == "0"


@pytest.mark.parametrize("twiml", ["<Hangup/>", "", '<Pause length="0"/>', "<Pause/><Hangup/>"])
async def test_a_call_is_answered_before_it_is_hung_up(application, phone, twiml):
    application.on("/voice", twiml)
    call = await phone.place_call(TO)
    await wait_for(call.ended.wait(), 5)
    assert call.answered.is_set()
    assert (call.ending.status, call.ending.sip_code) == ("completed", 200)
    callback = await application.next("/status")
    assert callback.params["CallStatus"] == "completed"
    assert callback.params["CallDuration"] == "1"  # and it is billed


async def test_a_reject_after_a_redirect_leaves_the_call_unanswered(application, phone):
    application.on("/voice", '<Pause length="0"/><Redirect>/later</Redirect>')
    application.on("/later", '<Reject reason="busy"/><Hangup/>')
    call = await phone.place_call(TO)
    await wait_for(call.ended.wait(), 5)
    assert (call.ending.status, call.ending.sip_code) == ("busy", 486)
    assert not call.answered.is_set()


async def test_an_unsupported_verb_is_named_in_the_log(application, phone, caplog):
    application.on("/voice", "<Gather/>")
    call = await phone.place_call(TO)
    await wait_for(call.ended.wait(), 5)
    record = next(r for r in caplog.records if "Gather" in r.getMessage())
    assert record.call_sid == call.call_sid
    assert record.error_code == 12200


async def test_malformed_twiml_is_logged_as_12100(application, phone, caplog):
    application.on("/voice", "<Pause></Response>")
    call = await phone.place_call(TO)
    await wait_for(call.ended.wait(), 5)
    assert [r.error_code for r in caplog.records if hasattr(r, "error_code")] == [12100]


async def test_a_caller_who_hangs_up_while_it_rings_cancels_the_call(application, phone):
    application.on("/voice", '<Pause length="60"/>')
    call = await phone.place_call(TO)
    await application.next("/voice")
    call.hangup()
    await wait_for(call.ended.wait(), 5)
    assert (call.ending.status, call.ending.sip_code) == ("canceled", 487)
    assert (await application.next("/status")).params["CallStatus"] == "canceled"


async def test_a_caller_whose_connection_breaks_cancels_the_call(application, phone):
    application.on("/voice", '<Pause length="60"/>')
    call = await phone.place_call(TO)
    await application.next("/voice")
    call._link.close()
    assert (await application.next("/status")).params["CallStatus"] == "canceled"


async def test_a_caller_can_hang_up_before_the_application_answers(application, phone):
    thinking = asyncio.Event()

    async def think(_post):
        await thinking.wait()
        return "<Hangup/>"

    application.on("/voice", think)
    call = await phone.place_call(TO)
    await application.next("/voice")
    call.hangup()
    await wait_for(call.ended.wait(), 5)
    thinking.set()
    assert call.ending.status == "canceled"


async def test_only_the_terminal_status_of_an_inbound_call_is_reported_once(
    application, phone, media
):
    application.on("/voice", f'<Connect><Stream url="{media.url}/s"/></Connect>')
    call = await phone.place_call(TO, from_=FROM)
    session = await media.accept()
    call.hangup()
    await wait_for(call.ended.wait(), 5)
    post = await application.next("/status")
    await session.next("stop")
    assert call.ending.status == "completed"
    assert post.params["CallStatus"] == "completed"
    assert post.params["SequenceNumber"] == "0"
    assert post.params["CallbackSource"] == "call-progress-events"
    assert post.params["CallDuration"] == "1"
    assert post.params["Duration"] == "1"
    assert post.params["SipResponseCode"] == "200"
    assert parsedate_to_datetime(post.params["Timestamp"]).utcoffset().total_seconds() == 0
    assert application.queues["/status"].empty()


async def test_a_redirect_loop_ends(start_gateway, application, account):
    gateway = await start_gateway(max_redirects=20)
    application.on("/voice", "<Redirect/>")
    call = await Softphone(gateway.url, *account).place_call(TO)
    await wait_for(call.ended.wait(), 5)
    assert call.ending.status == "failed"
    assert sum(post.path == "/voice" for post in application.posts) == 21


async def test_a_full_gateway_is_busy_without_a_webhook(start_gateway, application, account):
    gateway = await start_gateway(max_calls=1)
    application.on("/voice", '<Pause length="60"/>')
    phone = Softphone(gateway.url, *account)
    await phone.place_call(TO)
    await application.next("/voice")
    second = await phone.place_call(TO)
    await wait_for(second.ended.wait(), 5)
    assert (second.ending.status, second.ending.sip_code) == ("busy", 486)
    assert application.queues["/voice"].empty()


async def test_an_answered_call_is_ended_by_its_time_limit(
    start_gateway, application, account, media
):
    gateway = await start_gateway(time_limit=0.1)
    application.on("/voice", f'<Connect><Stream url="{media.url}/s"/></Connect>')
    call = await Softphone(gateway.url, *account).place_call(TO)
    await wait_for(call.ended.wait(), 5)
    assert call.ending.status == "completed"


async def test_stopping_hangs_up_and_reports_every_call(start_gateway, application, account, media):
    gateway = await start_gateway()
    application.on(
        "/voice", '<Pause length="60"/>', f'<Connect><Stream url="{media.url}/"/></Connect>'
    )
    phone = Softphone(gateway.url, *account)
    ringing = await phone.place_call(TO)
    await application.next("/voice")
    talking = await phone.place_call(TO)
    await media.accept()
    await gateway.stop()
    assert ringing.ending.status == "failed"
    assert talking.ending.status == "failed"
    statuses = {post.params["CallStatus"] for post in application.posts if post.path == "/status"}
    assert statuses == {"failed"}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"\x00" * 10, "frames of 160 bytes"),
        ("nonsense", "JSON"),
        ("[]", "JSON objects"),
        ('{"type":"dance"}', "not a message"),
        ('{"type":"dtmf","digit":"12"}', "not a message"),
        ('{"type":"accept"}', "not a message"),
    ],
)
async def test_a_party_that_speaks_another_protocol_gets_an_error_and_is_disconnected(
    application, gateway, account, message, reason
):
    application.on("/voice", '<Pause length="60"/>')
    url = "ws" + gateway.url.removeprefix("http") + "/legs/call?to=+1555&from=sip:a@b"
    headers = {"Authorization": basic(*account)}
    async with connect(url, additional_headers=headers) as socket:
        post = await application.next("/voice")
        assert (post.params["To"], post.params["From"]) == ("+1555", "sip:a@b")
        await socket.send(message)
        await wait_for(socket.wait_closed(), 5)
    assert socket.close_code == 4400
    assert reason in socket.close_reason
    assert (await application.next("/status")).params["CallStatus"] == "canceled"


async def test_audio_faster_than_real_time_is_cut_to_real_time(application, media, phone):
    application.on("/voice", f'<Connect><Stream url="{media.url}/s"/></Connect>')
    call = await phone.place_call(TO, speak=False)
    session = await media.accept()
    for _ in range(500):
        call.send_audio(b"\x01" * 160)
    call.dtmf("1")
    await session.next("dtmf")
    assert 50 <= len(session.heard) / 160 < 100


@pytest.mark.parametrize("query", ["", "?to=+1555", "?to=a%20b&from=+1", "?to=+1&from=%0d"])
async def test_a_call_without_proper_parties_is_refused(gateway, account, query):
    headers = {"Authorization": basic(*account)}
    async with aiohttp.request("GET", gateway.url + "/legs/call" + query, headers=headers) as no:
        assert no.status == 400


async def test_a_change_of_quality_is_told_at_once_though_only_the_end_is_asked_for(
    start_gateway, application, account, media
):
    gateway = await start_gateway()
    application.on("/voice", f'<Connect><Stream url="{media.url}/s"/></Connect>')
    call = await Softphone(gateway.url, *account).place_call(TO, from_=FROM)
    await media.accept()
    live = gateway.exchange.live(call.call_sid)
    live.on_quality("poor", 2.714)
    post = await application.next("/status")
    assert post.params["CallStatus"] == "in-progress"
    assert (post.params["MediaQuality"], post.params["MediaMos"]) == ("poor", "2.71")
    live.on_media({"MediaCodec": "PCMU"})
    call.hangup()
    last = await application.next("/status")
    assert (last.params["CallStatus"], last.params["MediaCodec"]) == ("completed", "PCMU")
    live.on_quality("good", 4.0)
    await asyncio.sleep(0)
    assert application.queues["/status"].empty(), "nothing is told of a call that is over"
