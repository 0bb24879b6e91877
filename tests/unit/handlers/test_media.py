"""The relay's control endpoint."""

from __future__ import annotations

from twilio.request_validator import RequestValidator

from chalicelib.domain.call import Act
from chalicelib.services import ring
from chalicelib.services.media import agent_token
from chalicelib.services.transition import settle
from tests.support.http import AUTH_TOKEN

URL = "wss://relay.test/media/provider/token"


def provider_attach(world, call, signature=None):
    signed = RequestValidator(AUTH_TOKEN).compute_signature(URL, {})
    return {
        "relay": "relay-1",
        "relay_url": "ws://10.0.0.1",
        "leg": "provider",
        "token": ring.provider_token(world.ports, call),
        "handshake": {"url": URL, "signature": signed if signature is None else signature},
    }


def agent_attach(world, call):
    token, _ = agent_token(world.ports, call)
    return {"relay": "relay-1", "leg": "agent", "call_id": call.call_id, "token": token}


def test_both_legs_attach_to_an_active_call(api, world):
    call = settle(world.ports, world.ringing(), Act.ANSWER)
    provider = api.control("/media/attach", provider_attach(world, call))
    assert provider.status_code == 200
    assert provider.json_body["provider_call_id"] == call.provider_call_id
    assert provider.json_body["ends_at_ms"] == call.answered_at + 4 * 3600 * 1000
    assert provider.json_body["call"] == {
        "call_id": call.call_id,
        "state": "active",
        "end_reason": None,
        "direction": "inbound",
        "from": "+33612345678",
        "to": world.number,
        "line": world.number,
        "metadata": {},
    }
    agent = api.control("/media/attach", agent_attach(world, call))
    assert (agent.status_code, agent.json_body["owner"]) == (200, "relay-1")


def test_a_relay_with_the_wrong_secret_is_401(api, world):
    call = settle(world.ports, world.ringing(), Act.ANSWER)
    answered = api.control("/media/attach", agent_attach(world, call), secret="guessed")
    assert (answered.status_code, answered.json_body["code"]) == (401, "bad_signature")
    report = {"relay": "r", "call_id": call.call_id, "type": "agent_hangup"}
    assert api.control("/media/report", report, secret="guessed").status_code == 401
    assert world.now_of(call) == call


def test_refusals_have_the_codes_of_the_contract(api, world):
    call = world.ringing()
    early = api.control("/media/attach", provider_attach(world, call))
    assert (early.status_code, early.json_body["code"]) == (409, "not_active")
    forged = api.control("/media/attach", provider_attach(world, call, signature="x"))
    assert (forged.status_code, forged.json_body["code"]) == (403, "bad_token")
    settle(world.ports, call, Act.AGENT_HANGUP)
    over = api.control("/media/attach", agent_attach(world, call))
    assert (over.status_code, over.json_body["code"]) == (410, "call_over")
    assert over.json_body["call"]["end_reason"] == "agent_hangup"
    odd = api.control("/media/attach", {"leg": "third"})
    assert odd.status_code == 422
    unknown = {"relay": "r", "call_id": "call_none", "type": "watch"}
    assert api.control("/media/report", unknown).status_code == 404


def test_a_report_answers_with_the_call_as_it_became(api, world):
    call = settle(world.ports, world.ringing(), Act.ANSWER)
    report = {"relay": "r", "call_id": call.call_id, "type": "agent_hangup"}
    answered = api.control("/media/report", report)
    assert answered.json_body["call"]["state"] == "ended"
    watched = api.control("/media/report", {**report, "type": "watch"})
    assert watched.json_body["call"]["end_reason"] == "agent_hangup"
