"""Tests of the Calls REST API, driven by Twilio's own client."""

from __future__ import annotations

import asyncio
import time
from asyncio import wait_for

import aiohttp
import pytest
import requests
from multidict import MultiDict, MultiDictProxy
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from gateway.api import params
from gateway.api.errors import RestError
from gateway.calls.call import Call
from gateway.calls.exchange import Exchange
from gateway.http.auth import basic
from gateway.softphone.phone import Softphone

TO, CALLEE, FROM = "+15551230000", "+15557770000", "+15551230001"


class ToGateway(TwilioHttpClient):
    def __init__(self, url):
        super().__init__()
        self._url = url

    def request(self, method, uri, *args, **kwargs):
        return super().request(
            method, uri.replace("https://api.twilio.com", self._url), *args, **kwargs
        )


@pytest.fixture
def rest(gateway, account):
    """Twilio's client in a thread: `await rest(lambda client: …)`."""
    client = Client(*account, http_client=ToGateway(gateway.url))

    async def ask(question):
        return await asyncio.to_thread(question, client)

    return ask


async def refused(question):
    with pytest.raises(TwilioRestException) as refusal:
        await question
    return refusal.value.status, refusal.value.code


@pytest.fixture
async def ringing(application, phone):
    """An inbound call that rings."""
    application.on("/voice", '<Pause length="60"/>')
    call = await phone.place_call(TO, from_=FROM)
    await application.next("/voice")
    return call


async def test_a_ringing_call_can_be_fetched(rest, ringing):
    call = await rest(lambda client: client.calls(ringing.call_sid).fetch())
    assert call.sid == ringing.call_sid
    assert (call.status, call.direction, call.to, call._from) == ("ringing", "inbound", TO, FROM)
    assert call.account_sid == "AC" + "0123456789abcdef" * 2
    assert call.uri == f"/2010-04-01/Accounts/{call.account_sid}/Calls/{call.sid}.json"
    assert call.start_time is None
    assert call.duration is None


async def test_an_ended_call_can_still_be_fetched(rest, ringing, application):
    ringing.hangup()
    await application.next("/status")
    call = await rest(lambda client: client.calls(ringing.call_sid).fetch())
    assert (call.status, call.duration) == ("canceled", "0")
    assert abs(call.end_time.timestamp() - time.time()) < 5


async def test_redirecting_a_ringing_call_interrupts_its_pause(rest, ringing, application, media):
    twiml = f'<Response><Connect><Stream url="{media.url}/s"/></Connect></Response>'
    call = await rest(lambda client: client.calls(ringing.call_sid).update(twiml=twiml))
    assert call.sid == ringing.call_sid
    await media.accept()
    await wait_for(ringing.answered.wait(), 5)
    call = await rest(lambda client: client.calls(ringing.call_sid).fetch())
    assert call.status == "in-progress"
    assert abs(call.start_time.timestamp() - time.time()) < 5


async def test_redirecting_a_ringing_call_can_be_refused_with_21220(
    start_gateway, application, account
):
    gateway = await start_gateway(redirect_ringing_works=False)
    client = Client(*account, http_client=ToGateway(gateway.url))
    application.on("/voice", '<Pause length="60"/>')
    call = await Softphone(gateway.url, *account).place_call(TO)
    await application.next("/voice")
    twiml = "<Response><Reject/></Response>"
    handle = client.calls(call.call_sid)
    assert await refused(asyncio.to_thread(lambda: handle.update(twiml=twiml))) == (400, 21220)
    url = application.url + "/other"
    assert await refused(asyncio.to_thread(lambda: handle.update(url=url))) == (400, 21220)
    await asyncio.to_thread(lambda: handle.update(status="completed"))
    await wait_for(call.ended.wait(), 5)
    assert call.ending.status == "no-answer"


@pytest.mark.parametrize("status", ["canceled", "completed"])
async def test_a_ringing_call_can_be_hung_up(rest, ringing, status):
    call = await rest(lambda client: client.calls(ringing.call_sid).update(status=status))
    assert call.status == "no-answer"
    await wait_for(ringing.ended.wait(), 5)
    assert ringing.ending.status == "no-answer"


async def test_a_url_update_fetches_the_new_document(rest, ringing, application):
    application.on("/other", '<Reject reason="busy"/>')
    url = application.url + "/other?x=1&y=a%20b"
    await rest(lambda client: client.calls(ringing.call_sid).update(url=url, method="GET"))
    post = await application.next("/other")
    await wait_for(ringing.ended.wait(), 5)
    assert (post.method, post.params["x"], post.params["CallStatus"]) == ("GET", "1", "ringing")
    assert ringing.ending.status == "busy"


@pytest.mark.parametrize(
    "target",
    [
        "0199007777", "+0", "tel:+33199007777", "bob", "sip:", "sip:pbx.example", "sip:a b@c",
        "sip:bob@pbx.example?Replaces=1", "sip:bob:secret@pbx.example", "sip:bob@x>;lr,<sip:y@z",
        "sip:bob@pbx.example\r\nVia: x", "sip:é@pbx.example", "sip:" + "b" * 255 + "@pbx.example",
    ],
)  # fmt: skip
def test_a_target_to_which_no_refer_may_lead_is_refused(target):
    with pytest.raises(RestError) as refused:
        params.update(MultiDictProxy(MultiDict(Refer=target)))
    assert (refused.value.status, refused.value.code) == (400, 21211)


@pytest.mark.parametrize(
    "target", ["+33199007777", "sip:bob@pbx.example", "sips:+331@pbx.example:5061;user=phone"]
)
def test_a_number_or_a_sip_uri_is_a_target_of_a_refer(target):
    assert params.update(MultiDictProxy(MultiDict(Refer=target))).refer == target


async def test_a_call_without_sip_cannot_be_referred(rest, ringing, gateway, account):
    url = f"{gateway.url}/2010-04-01/Accounts/{account[0]}/Calls/{ringing.call_sid}.json"
    headers = {"Authorization": basic(*account)}
    form = {"Refer": "+33199007777"}
    async with aiohttp.request("POST", url, data=form, headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, 21220)


async def test_an_update_interrupts_a_stream(rest, application, phone, media):
    application.on("/voice", f'<Connect><Stream url="{media.url}/s"/></Connect>')
    call = await phone.place_call(TO)
    session = await media.accept()
    twiml = f'<Response><Connect><Stream url="{media.url}/2"/></Connect></Response>'
    await rest(lambda client: client.calls(call.call_sid).update(twiml=twiml))
    await session.next("stop")
    second = await media.accept()
    assert second.sid != session.sid
    # `canceled` is for calls that nobody answered.
    same = await rest(lambda client: client.calls(call.call_sid).update(status="canceled"))
    assert same.status == "in-progress"
    over = await rest(lambda client: client.calls(call.call_sid).update(status="completed"))
    assert over.status == "completed"
    await second.next("stop")
    await wait_for(call.ended.wait(), 5)
    assert call.ending.status == "completed"


async def test_many_updates_at_once_leave_the_last_one_running(rest, gateway, ringing):
    live = gateway.exchange.live(ringing.call_sid)
    from gateway.twiml.interpreter import Inline

    for _ in range(20):
        live.redirect(Inline('<Response><Pause length="60"/></Response>'))
    live.redirect(Inline('<Response><Reject reason="busy"/></Response>'))
    await wait_for(ringing.ended.wait(), 5)
    assert ringing.ending.status == "busy"


async def test_an_ended_call_cannot_be_changed(rest, ringing, application):
    ringing.hangup()
    await application.next("/status")
    calls = [{"status": "completed"}, {"twiml": "<Response/>"}]
    for change in calls:
        update = rest(lambda client, c=change: client.calls(ringing.call_sid).update(**c))
        assert await refused(update) == (400, 21220)


async def test_an_unknown_call_is_error_20404(rest):
    assert await refused(rest(lambda client: client.calls("CA" + "0" * 32).fetch())) == (404, 20404)


@pytest.mark.parametrize(
    "auth", [None, ("AC" + "0" * 32, "x"), ("AC" + "0123456789abcdef" * 2, "")]
)
async def test_wrong_credentials_are_error_20003(gateway, account, auth):
    url = f"{gateway.url}/2010-04-01/Accounts/{account[0]}/Calls.json"
    answer = await asyncio.to_thread(lambda: requests.post(url, auth=auth, timeout=5))
    assert answer.status_code == 401
    assert answer.json() == {
        "code": 20003,
        "message": "Authenticate",
        "more_info": "https://www.twilio.com/docs/errors/20003",
        "status": 401,
    }


GOOD = {"To": CALLEE, "From": FROM, "Twiml": "<Response/>"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"To": ""}, 21201),
        ({"To": "12"}, 21211),
        ({"To": "sip:nobody"}, 21211),
        ({"From": ""}, 21213),
        ({"From": "a b"}, 21212),
        ({"Twiml": ""}, 21205),
        ({"Url": "nonsense"}, 21205),
        ({"Url": "ftp://x/y"}, 21205),
        ({"Url": "http://x/", "Method": "PUT"}, 21403),
        ({"Twiml": "x" * 4001}, 32018),
        ({"StatusCallback": "nonsense"}, 21609),
        ({"Timeout": "0"}, 21208),
        ({"Timeout": "601"}, 21208),
        ({"TimeLimit": "x"}, 21208),
    ],
)
async def test_a_call_with_a_wrong_parameter_is_refused(gateway, account, change, code):
    url = f"{gateway.url}/2010-04-01/Accounts/{account[0]}/Calls.json"
    headers = {"Authorization": basic(*account)}
    async with aiohttp.request("POST", url, data=GOOD | change, headers=headers) as answer:
        body = await answer.json()
    assert (answer.status, body["code"], body["status"]) == (400, code, 400)
    assert body["more_info"].endswith(f"/{code}")


async def test_unknown_paths_of_the_api_are_answered_in_json(gateway):
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{gateway.url}/2010-04-01/Accounts.json") as answer:
            assert (await answer.json())["code"] == 20404
        async with session.get(f"{gateway.url}/healthz") as answer:
            assert await answer.json() == {"status": "ok"}
        async with session.get(f"{gateway.url}/metrics") as answer:
            assert "gateway_streams_open 0.0" in await answer.text()


def test_ended_calls_are_kept_for_a_bounded_time_and_number(forgetful):
    exchange, clock, end = forgetful
    sids = [end() for _ in range(5)]
    assert [exchange.find(sid) is not None for sid in sids] == [False, False, True, True, True]
    clock[0] += 901
    assert exchange.find(sids[-1]) is None


@pytest.fixture
def forgetful(account):
    """An exchange with a clock of its own that keeps three ended calls."""
    from types import SimpleNamespace

    from gateway.config import Config

    config = Config(account_sid=account[0], auth_token="t", voice_url="http://x/", ended_kept_max=3)
    clock = [1000.0]
    exchange = Exchange(SimpleNamespace(config=config), lambda: clock[0])

    def end():
        call = Call(
            account_sid=account[0], to=TO, from_=FROM, direction="inbound", created_at=clock[0]
        )
        call.ended_at = clock[0]
        exchange._leave(SimpleNamespace(call=call))
        return call.sid

    return exchange, clock, end
