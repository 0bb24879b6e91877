"""Tests of calls through a provider that is not Twilio, with the real handlers."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from chalicelib import bootstrap
from chalicelib.providers.base import Connect
from tests.support.second_provider import HEADER, SecondProvider, mac

CALLER = "+33612345678"
URL = "sip:+33199001234@sip.carrier.example"


@pytest.fixture
def provider(api, monkeypatch):
    second = SecondProvider()
    deps = replace(bootstrap.dependencies(), providers={"gateway": second})
    monkeypatch.setattr(bootstrap, "dependencies", lambda: deps)
    return second


@pytest.fixture
def post(api, provider):
    """`post("voice", session="1", …)`: what the provider posts, and the order that it gets."""

    def send(kind, dialled=None, signature=None, **members):
        path = f"/webhooks/gateway/{kind}" + (f"?call={dialled}" if dialled else "")
        body = json.dumps(members).encode()
        headers = {
            "Content-Type": "application/json",
            HEADER: signature or mac(kind, dialled, body),
        }
        return api.raw("POST", path, body, **headers)

    return send


def order(answer):
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    return json.loads(answer.body)["order"]


def state(api, call_id):
    call = api.call("GET", f"/api/call/{call_id}").json_body
    return call["state"], call["end_reason"]


def test_a_second_provider_s_inbound_call_rings_is_accepted_and_ends(api, world, provider, post):
    ringing = {"session": "s-1", "caller": CALLER, "called": world.number}
    assert order(post("voice", **ringing)) == "wait"
    (call,) = api.call("GET", "/api/calls?state=ringing").json_body["calls"]
    assert (call["from"], call["to"]) == (CALLER, world.number)
    assert api.call("POST", f"/api/call/{call['call_id']}/accept").status_code == 200
    ((session, instruction),) = provider.steered
    assert session == "s-1"
    assert isinstance(instruction, Connect)
    assert order(post("after-stream", **ringing)) == "bridge"
    assert post("status", **ringing, phase="finished").status_code == 204
    assert state(api, call["call_id"]) == ("ended", "caller_hangup")
    assert order(post("after-stream", **ringing)) == "release"


def test_a_second_provider_s_call_is_missed_if_the_caller_hangs_up(api, world, post):
    ringing = {"session": "s-2", "caller": CALLER, "called": world.number}
    post("voice", **ringing)
    post("status", **ringing, phase="unanswered")
    (call,) = api.call("GET", "/api/calls?state=missed").json_body["calls"]
    assert call["end_reason"] == "caller_hangup"
    assert order(post("ringing", **ringing)) == "refuse"


def test_a_second_provider_s_outbound_call_rings_is_answered_and_ends(api, world, provider, post):
    world.register_trunk()
    made = api.call("POST", "/api/call", {"platform": "sip", "meeting_url": URL})
    call_id = made.json_body["call_id"]
    (placed,) = provider.placed
    assert placed.call_id == call_id
    post("status", call_id, session="session-1", phase="alerting")
    assert state(api, call_id)[0] == "ringing"
    assert order(post("answered", call_id, session="session-1")) == "bridge"
    assert state(api, call_id)[0] == "active"
    post("status", call_id, session="session-1", phase="finished")
    assert state(api, call_id) == ("ended", "callee_hangup")


def test_an_engaged_called_party_ends_the_call_as_busy(api, world, provider, post):
    world.register_trunk()
    made = api.call("POST", "/api/call", {"platform": "sip", "meeting_url": URL})
    call_id = made.json_body["call_id"]
    post("status", call_id, session="session-1", phase="engaged")
    assert state(api, call_id) == ("failed", "busy")


@pytest.mark.parametrize("kind", ["voice", "ringing", "after-stream", "status", "answered"])
def test_a_post_the_provider_has_not_signed_is_refused(world, post, kind):
    answer = post(kind, signature="0" * 64, session="s-3", called=world.number)
    assert (answer.status_code, answer.json_body["code"]) == (403, "bad_signature")


def test_a_signed_post_of_another_form_is_refused_with_a_reason(api, provider):
    body = b"[1"
    answer = api.raw(
        "POST",
        "/webhooks/gateway/voice",
        body,
        **{"Content-Type": "application/json", HEADER: mac("voice", None, body)},
    )
    assert (answer.status_code, answer.json_body["code"]) == (400, "bad_form")
