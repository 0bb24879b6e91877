"""Tests of `POST /api/call` and of the webhooks of outbound calls."""

from __future__ import annotations

import base64
import json
from xml.etree import ElementTree

import pytest
from twilio.request_validator import RequestValidator

from chalicelib.logs import formatter
from common import media_token
from common.sip_headers import Introduction
from tests.support.engine import everything_in
from tests.support.http import AUTH_TOKEN, PUBLIC_URL, problem
from tests.support.world import MEDIA_SECRET

URL = "sip:+33199001234@sip.carrier.example"


def dial(api, **more):
    return api.call("POST", "/api/call", {"platform": "sip", "meeting_url": URL, **more})


def form(call, **more):
    return {
        "CallSid": call["provider_call_id"],
        "AccountSid": "AC" + "0" * 32,
        "From": "+33199005678",
        "To": "+33199001234",
        "CallStatus": "in-progress",
        "Direction": "outbound-api",
        "SipResponseCode": "",
        **more,
    }


def verbs(response):
    return [(verb.tag, verb.attrib, verb.text) for verb in ElementTree.fromstring(response.body)]


@pytest.fixture
def call(api, world):
    """A call just dialled."""
    world.register_trunk()
    return dial(api, metadata={"ticket": 7}).json_body


def test_dialling_answers_201_with_location_and_audio(api, world):
    world.register_trunk()
    made = dial(
        api,
        caller_id="+33 1 99 00 56 78",
        agent_url="wss://agent.example/?key=secret",
        metadata={"ticket": 7, "tags": ["a", None, True, 1.5], "nested": {"ä": ""}},
        max_duration_s=600,
        ring_timeout_s=20,
    )
    assert made.status_code == 201
    call = made.json_body
    assert made.headers["Location"] == f"https://api.test/api/api/call/{call['call_id']}"
    assert (call["state"], call["platform"], call["direction"]) == ("connecting", "sip", "outbound")
    assert (call["from"], call["to"]) == ("+33199005678", "+33199001234")
    assert call["capabilities"] == ["audio_in", "audio_out"]
    assert (call["sip_code"], call["max_duration_s"]) == (None, 600)
    assert call["metadata"]["tags"] == ["a", None, True, 1.5]
    assert "secret" not in json.dumps(call)
    token, now_s = call["audio"]["token"], world.clock() // 1000
    assert media_token.read(MEDIA_SECRET, token, "agent", now_s) == call["call_id"]
    assert api.call("GET", f"/api/call/{call['call_id']}").json_body == call
    listed = api.call("GET", "/api/calls?direction=outbound").json_body["calls"]
    assert [each["call_id"] for each in listed] == [call["call_id"]]


TOLD = {"caller_name": "Zoë Ltd", "sip_headers": {"X-Order": "4711", "X-Tier": "a b"}}


def test_the_name_and_the_headers_of_a_dial_are_the_provider_s_and_the_call_s(api, world):
    world.register_trunk()
    call = dial(api, **TOLD).json_body
    assert TOLD.items() <= call.items()
    (order,) = world.provider.dialled
    assert order.introduction == Introduction("Zoë Ltd", headers=TOLD["sip_headers"])


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"platform": "zoom"}, "platform"),
        ({"meeting_url": None}, "meeting_url"),
        ({"meeting_url": "sip:" + "1" * 300}, "meeting_url"),
        ({"caller_id": "bob"}, "caller_id"),
        ({"agent_url": "https://agent.example"}, "agent_url"),
        ({"agent_url": "wss://"}, "agent_url"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"a": "x" * 4096}}, "metadata"),
        ({"metadata": {"": 1}}, "metadata"),
        ({"metadata": {"a": float("nan")}}, "metadata"),
        ({"metadata": {"a": 1e300}}, "metadata"),
        ({"metadata": {"a": 2**70}}, "metadata"),
        ({"metadata": {"a": "\ud800"}}, "metadata"),
        ({"metadata": {"a": [[[[[[[[[1]]]]]]]]]}}, "metadata"),
        ({"max_duration_s": 9}, "max_duration_s"),
        ({"max_duration_s": "long"}, "max_duration_s"),
        ({"ring_timeout_s": 4}, "ring_timeout_s"),
        ({"ring_timeout_s": 301}, "ring_timeout_s"),
        ({"record": True}, "record"),
        ({"caller_name": ""}, "caller_name"),
        ({"caller_name": "a\r\nVia: x"}, "caller_name"),
        ({"caller_name": "a" * 81}, "caller_name"),
        ({"sip_headers": {"Route": "x"}}, "sip_headers"),
        ({"sip_headers": {"X-Chamade-Trunk": "x"}}, "sip_headers"),
        ({"sip_headers": {"X-A": "a\r\nVia: x"}}, "sip_headers"),
        ({"sip_headers": {"X-A\r\nVia": "x"}}, "sip_headers"),
        ({"sip_headers": {"X-A": 1}}, "sip_headers.X-A"),
        ({"sip_headers": {"X-A": "a" * 256}}, "sip_headers"),
        ({"sip_headers": {f"X-{i}": "a" for i in range(21)}}, "sip_headers"),
    ],
)
def test_an_invalid_body_is_422_and_names_the_field(api, world, more, field):
    answered = dial(api, **more)
    assert problem(answered) == (422, "invalid")
    assert answered.json_body["errors"][0]["field"] == field
    assert world.provider.dialled == []


@pytest.mark.parametrize(
    ("more", "answer"),
    [
        ({"meeting_url": "+33199001234"}, (422, "bad_number")),
        ({"meeting_url": "sip:+33000000000@sip.carrier.example"}, (422, "bad_number")),
        ({"meeting_url": "sip:+33199001234@sip.other.example"}, (422, "wrong_host")),
        ({"meeting_url": "sip:+12025550123@sip.carrier.example"}, (403, "country_not_allowed")),
        ({"meeting_url": "sip:+881612345678@sip.carrier.example"}, (403, "premium_number")),
        ({"caller_id": "+33199009999"}, (422, "bad_caller_id")),
        ({"max_duration_s": 86_400}, (422, "too_long")),
    ],
)
def test_a_forbidden_number_is_a_problem_with_a_remedy(api, world, more, answer):
    world.register_trunk()
    refused = dial(api, **more)
    assert problem(refused) == answer
    assert len(refused.json_body["detail"]) > 20
    assert api.call("GET", "/api/calls").json_body["calls"] == []


def test_dialling_without_a_registered_trunk_is_409(api, world):
    assert problem(dial(api)) == (409, "no_trunk")
    world.new_trunk(caller_id="+33199005678")
    refused = dial(api)
    assert problem(refused) == (409, "trunk_not_registered")
    assert refused.json_body["sip_code"] is None


def test_dialling_too_often_is_429_with_retry_after(api, world):
    world.register_trunk()
    for _ in range(5):
        made = dial(api).json_body
    refused = dial(api)
    assert problem(refused) == (429, "too_many_dials")
    assert refused.json_body["limit"] == 5
    api.webhook(
        "status", form(made, CallStatus="busy", SipResponseCode="603"), dialled=made["call_id"]
    )
    refused = dial(api)
    assert problem(refused) == (429, "recently_declined")
    assert int(refused.headers["Retry-After"]) in (3600, 3601)
    for number in range(5):
        url = f"sip:+3319900999{number}@sip.carrier.example"
        made = dial(api, meeting_url=url).json_body
        assert made["state"] == "connecting"
        api.call("POST", f"/api/call/{made['call_id']}/leave")
    refused = dial(api, meeting_url="sip:+33199009990@sip.carrier.example")
    assert problem(refused) == (429, "dial_rate")
    assert refused.headers["Retry-After"] == "60"


def test_a_provider_that_refuses_is_502_with_the_failed_call(api, world):
    world.register_trunk()
    world.provider.down = True
    refused = dial(api)
    assert problem(refused) == (502, "provider_error")
    assert refused.json_body["call"]["state"] == "failed"
    assert refused.json_body["call"]["end_reason"] == "provider_error"


def test_an_answered_call_is_connected_to_the_relay_with_its_call_id(api, call):
    answered = api.webhook("answered", form(call), dialled=call["call_id"])
    assert answered.status_code == 200
    document = ElementTree.fromstring(answered.body)
    stream = document.find("Connect/Stream").attrib["url"]
    assert stream.startswith(f"wss://relay.test/media/provider/{call['call_id']}.provider.")
    after = f"https://api.test/api/webhooks/gateway/after-stream?call={call['call_id']}"
    assert document[1].text == after
    again = api.webhook("after-stream", form(call), dialled=call["call_id"])
    assert ElementTree.fromstring(again.body).find("Connect/Stream") is not None
    assert api.call("GET", f"/api/call/{call['call_id']}").json_body["state"] == "active"


def test_a_call_answered_after_the_agent_left_is_hung_up(api, call):
    api.call("POST", f"/api/call/{call['call_id']}/leave")
    for webhook in ("answered", "ringing", "after-stream"):
        answer = api.webhook(webhook, form(call), dialled=call["call_id"])
        assert verbs(answer) == [("Hangup", {}, None)]


def test_status_posts_update_an_outbound_call(api, call):
    path = f"/api/call/{call['call_id']}"
    for status, code, state in (
        ("initiated", "", "connecting"), ("ringing", "180", "ringing"), ("busy", "486", "failed"),
    ):  # fmt: skip
        post = form(call, CallStatus=status, SipResponseCode=code)
        assert api.webhook("status", post, dialled=call["call_id"]).status_code == 204
        assert api.call("GET", path).json_body["state"] == state
    shown = api.call("GET", path).json_body
    assert (shown["end_reason"], shown["sip_code"], shown["audio"]) == ("busy", 486, None)


@pytest.mark.parametrize("webhook", ["answered", "ringing", "after-stream", "status"])
def test_a_post_about_a_call_of_another_provider_id_is_404_and_changes_nothing(
    api, world, call, webhook
):
    inbound = world.ringing().call_id
    before = everything_in(world.table)
    for dialled in (call["call_id"], inbound, "call_" + "a" * 26):
        post = form(call, CallSid="CA" + "9" * 32, CallStatus="busy")
        answered = api.webhook(webhook, post, dialled=dialled)
        assert problem(answered) == (404, "call_not_found")
    assert everything_in(world.table) == before


@pytest.mark.parametrize("webhook", ["answered", "ringing", "after-stream", "status"])
def test_the_signature_covers_the_call_id_in_the_url(api, world, call, webhook):
    before = everything_in(world.table)
    signer, post = RequestValidator(AUTH_TOKEN), form(call, CallStatus="busy")
    base = f"{PUBLIC_URL}/webhooks/gateway/{webhook}"
    other = "call_" + "b" * 26
    for signed_url in (base, f"{base}?call={other}", f"{base}?call={call['call_id']}&x=1"):
        signature = signer.compute_signature(signed_url, post)
        answered = api.webhook(webhook, post, signature=signature, dialled=call["call_id"])
        assert problem(answered) == (403, "bad_signature")
    for given in ("x", "call_" + "A" * 26, f"{call['call_id']}&x=1", f"{call['call_id']}%0A"):
        assert problem(api.webhook(webhook, post, dialled=given)) == (403, "bad_signature")
    forged = base64.b64encode(b"\0" * 20).decode()
    answered = api.webhook(webhook, post, signature=forged, dialled=call["call_id"])
    assert problem(answered) == (403, "bad_signature")
    assert everything_in(world.table) == before


def test_an_answered_post_for_an_unknown_call_is_404(api, call):
    assert problem(api.webhook("answered", form(call))) == (404, "call_not_found")


@pytest.mark.parametrize(
    ("webhook", "service"),
    [("answered", "answered"), ("ringing", "answered"), ("after-stream", "resume")],
)
def test_an_internal_error_is_answered_with_a_retry_after_one_second(
    api, call, monkeypatch, webhook, service
):
    monkeypatch.setattr(f"chalicelib.services.call.outbound.{service}", lambda *_: 1 / 0)
    answer = api.webhook(webhook, form(call), dialled=call["call_id"])
    again = f"https://api.test/api/webhooks/gateway/{webhook}?call={call['call_id']}"
    assert verbs(answer) == [
        ("Pause", {"length": "1"}, None),
        ("Redirect", {"method": "POST"}, again),
    ]


@pytest.mark.parametrize(
    ("given", "logged"), [("a84b4c76@carrier", "a84b4c76@carrier"), ("", None)]
)
def test_a_post_is_logged_with_its_sip_call_id(api, call, caplog, given, logged):
    caplog.handler.setFormatter(formatter())
    with caplog.at_level("INFO", logger="chalicelib"):
        post = form(call, SipCallId=given, TrunkSid="", CallStatus="ringing")
        assert api.webhook("status", post, dialled=call["call_id"]).status_code == 204
    rings = next(line for line in map(json.loads, caplog.text.splitlines()) if "ring" in str(line))
    assert (rings["call_id"], rings.get("sip_call_id")) == (call["call_id"], logged)


@pytest.mark.parametrize("code", ["", "abc", "99999", "4x6", "٤٨٦"])
def test_an_invalid_sip_code_is_ignored(api, call, code):
    post = form(call, CallStatus="busy", SipResponseCode=code)
    assert api.webhook("status", post, dialled=call["call_id"]).status_code == 204
    shown = api.call("GET", f"/api/call/{call['call_id']}").json_body
    assert (shown["end_reason"], shown["sip_code"]) == ("busy", None)


def test_the_agent_gets_the_calls_metadata(api, call):
    body = {
        "relay": "relay-1", "relay_url": "ws://10.0.1.7:8702", "leg": "agent",
        "call_id": call["call_id"], "token": call["audio"]["token"],
    }  # fmt: skip
    attached = api.control("/media/attach", body).json_body
    assert attached["call"]["metadata"] == {"ticket": 7}
    assert attached["call"]["state"] == "connecting"
