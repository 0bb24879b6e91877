"""Tests of the relay's control endpoint."""

from __future__ import annotations

from twilio.request_validator import RequestValidator

from chalicelib.domain.agent import MAX_WHY
from chalicelib.domain.call_transitions import Act
from chalicelib.domain.line import LineChanges
from chalicelib.services import inbox
from chalicelib.services.account import agent_token as agent_tokens
from chalicelib.services.call import instructions
from chalicelib.services.call.media import audio_token
from chalicelib.services.call.transition import settle
from chalicelib.services.line import numbers
from tests.support.http import AUTH_TOKEN

URL = "wss://relay.test/media/provider/token"


def provider_attach(world, call, signature=None):
    signed = RequestValidator(AUTH_TOKEN).compute_signature(URL, {})
    return {
        "relay": "relay-1",
        "relay_url": "ws://10.0.0.1",
        "leg": "provider",
        "token": instructions.provider_token(world.deps, call),
        "handshake": {"url": URL, "signature": signed if signature is None else signature},
    }


def agent_attach(world, call):
    token, _ = audio_token(world.deps, call)
    return {"relay": "relay-1", "leg": "agent", "call_id": call.call_id, "token": token}


def test_both_legs_attach_to_an_active_call(api, world):
    call = settle(world.deps, world.ringing(), Act.ANSWER)
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
        "forwarded_from": None,
        "metadata": {},
    }
    assert provider.json_body["account_sid"].startswith("AC")
    assert provider.json_body["agent"] is None
    agent = api.control("/media/attach", agent_attach(world, call))
    assert (agent.status_code, agent.json_body["owner"]) == (200, "relay-1")
    elsewhere = api.control("/media/attach", {**agent_attach(world, call), "relay": "relay-2"})
    assert (elsewhere.status_code, elsewhere.json_body["code"]) == (409, "owned_elsewhere")
    assert elsewhere.json_body["relay_url"] == "ws://10.0.0.1"


def test_a_relay_with_the_wrong_secret_is_401(api, world):
    call = settle(world.deps, world.ringing(), Act.ANSWER)
    answered = api.control("/media/attach", agent_attach(world, call), secret="guessed")
    assert (answered.status_code, answered.json_body["code"]) == (401, "bad_signature")
    report = {"relay": "r", "call_id": call.call_id, "type": "agent_hangup"}
    assert api.control("/media/report", report, secret="guessed").status_code == 401
    assert world.reread(call) == call


def test_refused_attaches_have_the_codes_of_the_contract(api, world):
    call = world.ringing()
    early = api.control("/media/attach", provider_attach(world, call))
    assert (early.status_code, early.json_body["code"]) == (409, "not_active")
    forged = api.control("/media/attach", provider_attach(world, call, signature="x"))
    assert (forged.status_code, forged.json_body["code"]) == (403, "bad_token")
    settle(world.deps, call, Act.AGENT_HANGUP)
    over = api.control("/media/attach", agent_attach(world, call))
    assert (over.status_code, over.json_body["code"]) == (410, "call_over")
    assert over.json_body["call"]["end_reason"] == "agent_hangup"
    odd = api.control("/media/attach", {"leg": "third"})
    assert odd.status_code == 422
    unknown = {"relay": "r", "call_id": "call_none", "type": "watch"}
    assert api.control("/media/report", unknown).status_code == 404


def test_a_report_is_answered_with_the_changed_call(api, world):
    call = settle(world.deps, world.ringing(), Act.ANSWER)
    report = {"relay": "r", "call_id": call.call_id, "type": "agent_hangup"}
    answered = api.control("/media/report", report)
    assert answered.json_body["call"]["state"] == "ended"
    watched = api.control("/media/report", {**report, "type": "watch"})
    assert watched.json_body["call"]["end_reason"] == "agent_hangup"


AGENT_URL = "wss://agent.example/voice?key=secret"


def call_with_agent(world):
    changes = LineChanges(agent_url=AGENT_URL, auto_answer=True)
    numbers.change(world.deps, world.account_id, world.number, changes)
    return world.ringing()


def test_a_call_with_an_agent_url_names_the_agent_with_a_signed_handshake(api, world):
    call = call_with_agent(world)
    token = agent_tokens.current(world.deps, world.account_id).token
    attach = api.control("/media/attach", provider_attach(world, call)).json_body
    assert attach["agent"]["url"] == AGENT_URL
    headers = attach["agent"]["headers"]
    signature = headers["X-Twilio-Signature"]
    assert RequestValidator(token).validate(AGENT_URL, {}, signature)
    assert headers["X-Chamade-Call-Id"] == call.call_id
    assert AGENT_URL not in str(attach["call"]), "agents that came by themselves are not told it"


def test_each_report_has_a_new_handshake_signature_with_the_present_token(api, world):
    call = call_with_agent(world)
    report = {"relay": "r", "call_id": call.call_id, "type": "watch"}
    before = api.control("/media/report", report).json_body["agent"]["headers"]
    world.clock.advance(600)
    token = agent_tokens.rotate(world.deps, world.account_id).token
    after = api.control("/media/report", report).json_body["agent"]["headers"]
    stamps = [int(headers["X-Chamade-Timestamp"]) for headers in (before, after)]
    assert stamps[1] - stamps[0] == 600
    assert RequestValidator(token).validate(AGENT_URL, {}, after["X-Twilio-Signature"])
    settle(world.deps, call, Act.AGENT_HANGUP)
    assert api.control("/media/report", report).json_body["agent"] is None


def test_changing_a_numbers_agent_url_does_not_affect_a_call_in_progress(api, world):
    call = call_with_agent(world)
    changes = LineChanges(agent_url=None)
    assert numbers.change(world.deps, world.account_id, world.number, changes).agent_url is None
    attach = api.control("/media/attach", provider_attach(world, call)).json_body
    assert attach["agent"]["url"] == AGENT_URL


def test_keys_are_recorded_once_for_each_report_even_after_the_call(api, world):
    call = settle(world.deps, world.ringing(), Act.ANSWER)
    keys = {"relay": "r", "call_id": call.call_id, "type": "dtmf", "digits": "12*", "sequence": 5}
    for report in (keys, keys, {**keys, "digits": "9", "sequence": 4}):
        assert api.control("/media/report", report).status_code == 200
    settle(world.deps, call, Act.CALLER_HANGUP)
    api.control("/media/report", {**keys, "digits": "#", "sequence": 6})
    events, _ = inbox.read(world.deps, world.account_id, None, 0)
    key_events = [event for event in events if event.type.value == "call.dtmf"]
    assert [event.data["digits"] for event in key_events] == ["12*", "#"]
    assert {event.data["call_id"] for event in key_events} == {call.call_id}
    assert len({event.event_id for event in key_events}) == 2


def test_invalid_keys_and_sequence_numbers_are_422(api, world):
    call = settle(world.deps, world.ringing(), Act.ANSWER)
    keys = {"relay": "r", "call_id": call.call_id, "type": "dtmf", "digits": "1", "sequence": 1}
    for wrong in ({"sequence": None}, {"digits": None}, {"digits": "x"}, {"sequence": 0}):
        assert api.control("/media/report", {**keys, **wrong}).status_code == 422


def agent_report(call, kind="watch", **more):
    return {"relay": "r", "call_id": call.call_id, "type": kind, **more}


REFUSED = "the connection was refused. Check that it runs."


def test_the_reason_why_an_agent_was_not_reached_is_logged_and_told_with_the_end(
    api, world, caplog
):
    call = call_with_agent(world)
    answered = api.control("/media/report", agent_report(call, "no_agent", why=REFUSED))
    assert answered.json_body["call"]["end_reason"] == "no_agent"
    assert [r.call_id for r in caplog.records if r.message == f"relay: {REFUSED}"] == [call.call_id]
    shown = api.call("GET", f"/api/call/{call.call_id}").json_body
    assert shown["agent_detail"] == f"The agent at agent_url was not reached: {REFUSED}"
    events, _ = inbox.read(world.deps, world.account_id, None, 0)
    assert events[-1].data["call"]["agent_detail"] == shown["agent_detail"]


def test_a_caller_who_gives_up_before_the_agent_is_reached_still_leaves_the_reason(api, world):
    call = call_with_agent(world)
    api.control("/media/report", agent_report(call, why="its host name has no address"))
    shown = api.call("GET", f"/api/call/{call.call_id}").json_body
    assert shown["agent_detail"].endswith("not reached: its host name has no address.")
    assert shown["version"] == call.version, "that is no transition"
    over = settle(world.deps, call, Act.CALLER_HANGUP)
    assert over.agent_detail == shown["agent_detail"], "though `call` was read before it was noted"


def test_an_agent_that_is_reached_after_all_leaves_no_reason(api, world):
    call = call_with_agent(world)
    api.control("/media/report", agent_report(call, why=REFUSED))
    api.control("/media/report", agent_report(call, why=""))
    api.control("/media/report", agent_report(call))
    assert "agent_detail" not in api.call("GET", f"/api/call/{call.call_id}").json_body
    assert settle(world.deps, world.reread(call), Act.AGENT_HANGUP).agent_detail is None


def test_a_reason_that_comes_after_the_end_changes_nothing(api, world):
    call = call_with_agent(world)
    settle(world.deps, call, Act.CALLER_HANGUP)
    over = world.reread(call)
    assert world.deps.stores.calls.note_agent(call, "late") == over == world.reread(call)
    assert api.control("/media/report", agent_report(call, why=REFUSED)).status_code == 200
    assert world.reread(call).agent_detail is None


def test_control_characters_and_length_of_a_reason_are_bounded(api, world):
    call = call_with_agent(world)
    api.control("/media/report", agent_report(call, why="a\nb\x1b[2J" + "x" * 200))
    detail = world.reread(call).agent_detail
    assert detail.isprintable()
    assert len(detail) < 300
    assert api.control("/media/report", agent_report(call, why=["x"])).status_code == 422


def test_a_reason_that_is_too_long_is_cut_and_its_report_counts(api, world):
    call = call_with_agent(world)
    answered = api.control("/media/report", agent_report(call, "no_agent", why="x" * 5000))
    assert answered.json_body["call"]["end_reason"] == "no_agent"
    detail = world.reread(call).agent_detail
    assert detail == f"The agent at agent_url was not reached: {'x' * MAX_WHY}."


def test_a_relay_that_takes_a_call_over_is_told_the_reason_so_far(api, world):
    call = call_with_agent(world)
    attach = api.control("/media/attach", provider_attach(world, call)).json_body
    assert attach["agent_detail"] is None
    api.control("/media/report", agent_report(call, why=REFUSED) | {"relay": "relay-1"})
    attach = api.control("/media/attach", provider_attach(world, call)).json_body
    assert attach["agent_detail"] == f"The agent at agent_url was not reached: {REFUSED}"
