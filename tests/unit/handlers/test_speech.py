"""Tests of speech over REST and MCP: the gate, who may do what, problems with remedies, reports."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from chalicelib import bootstrap
from chalicelib.domain.call_transitions import Act
from chalicelib.domain.transcript import MAX_ITEMS
from chalicelib.handlers.mcp.perform import perform
from chalicelib.handlers.mcp.tools import TOOLS
from chalicelib.services.call import at_the_relay
from chalicelib.services.call.transition import settle
from chalicelib.services.operator import account_admin
from common import control
from tests.support.http import problem
from tests.support.relay_door import done, refused, talking, with_door
from tests.support.voice_hosts import VOICE_SECRET
from tests.unit.handlers.test_media import provider_attach

QUEUED = {"utterance_id": "u", "state": "queued", "heard_text": "", "heard_ms": 0, "reply": None}
REPLY = {"text": "It is Ada.", "started_ms": 1, "ended_ms": 2, "sequence": 7}
NEEDS_BETA = (
    ("POST", "say", {"text": "Hello"}),
    ("POST", "clear", None),
    ("POST", "dtmf", {"digits": "12#"}),
    ("GET", "transcript", None),
    ("DELETE", "transcript", None),
)
IN_CALLS = ("chamade_call_say", "chamade_call_listen", "chamade_call_dtmf")


@pytest.fixture
def door(world):
    double = with_door(world)
    double.answering = [done(QUEUED)]
    return double


@pytest.fixture
def hosted(door, api, monkeypatch):
    """The application with a door and the secret of voice hosts; its account in the beta."""
    settings = replace(bootstrap.config(), voice_secret=VOICE_SECRET)
    monkeypatch.setattr(bootstrap, "config", lambda: settings)
    return api


def post_report(api, call, *items, sequence=1, secret=VOICE_SECRET, **more):
    report = {"host": "voice-1", "call_id": call.call_id, "sequence": sequence, "items": [*items]}
    raw = json.dumps(report | more).encode()
    signature = control.sign(secret, "/voice/report", raw, int(time.time()))
    headers = {"Content-Type": "application/json", control.HEADER: signature}
    return api.raw("POST", "/voice/report", raw, **headers)


def heard(text, sequence=900, **more):
    return {
        "type": "transcript", "speaker": "caller", "sequence": sequence, "text": text,
        "final": True, "started_ms": 100, "ended_ms": 900, "confidence": None, **more,
    }  # fmt: skip


def use(world, tool, call, **arguments):
    return perform(
        TOOLS[tool], {"call_id": call.call_id, **arguments}, world.deps, world.account_id
    )


@pytest.mark.parametrize("asked", NEEDS_BETA, ids=lambda each: " ".join(each[:2]))
def test_every_request_about_a_hosted_call_is_gated_and_says_how_to_get_access(
    hosted, door, world, asked
):
    call, (method, what, body) = talking(world), asked
    account_admin.set_hosted_voice(world.deps, world.account_id, False)
    answered = hosted.call(method, f"/api/call/{call.call_id}/{what}", body)
    assert problem(answered) == (403, "hosted_voice_gated")
    assert "operator" in answered.json_body["detail"]
    assert door.asked == []


@pytest.mark.parametrize("tool", IN_CALLS)
def test_every_tool_in_a_hosted_call_is_gated_with_a_remedy(hosted, door, world, tool):
    call = talking(world)
    account_admin.set_hosted_voice(world.deps, world.account_id, False)
    given = {"chamade_call_say": {"text": "Hi"}, "chamade_call_dtmf": {"digits": "1"}}
    outcome = use(world, tool, call, **given.get(tool, {}))
    assert outcome.content["code"] == "hosted_voice_gated"
    assert "operator" in outcome.content["remedy"]
    assert door.asked == []


@pytest.mark.parametrize("what", ["clear", "dtmf"])
def test_keys_and_clear_of_an_own_call_need_no_beta(hosted, door, world, what):
    account_admin.set_hosted_voice(world.deps, world.account_id, False)
    body = {"digits": "12#"} if what == "dtmf" else None
    path = f"/api/call/{talking(world, 'own').call_id}/{what}"
    assert hosted.call("POST", path, body).status_code == 200
    assert door.methods == [what]


@pytest.mark.parametrize("what", ["say", "transcript"])
def test_a_call_without_a_hosted_voice_says_how_to_get_one(hosted, world, what):
    path = f"/api/call/{talking(world, 'own').call_id}/{what}"
    answered = (
        hosted.call("POST", path, {"text": "Hello"}) if what == "say" else hosted.call("GET", path)
    )
    assert problem(answered) == (409, "not_hosted")
    assert '{"voice": "hosted"}' in answered.json_body["detail"]


def test_a_call_that_rings_or_is_over_is_409_with_the_call(hosted, world):
    call = talking(world)
    settle(world.deps, call, Act.CALLER_HANGUP)
    over = hosted.call("POST", f"/api/call/{call.call_id}/say", {"text": "Hello"})
    assert problem(over) == (409, "call_over")
    assert over.json_body["call"]["state"] == "ended"
    ringing = world.ringing()
    early = hosted.call("POST", f"/api/call/{ringing.call_id}/dtmf", {"digits": "1"})
    assert problem(early) == (409, "call_not_active")


@pytest.mark.parametrize(
    "refusal",
    [
        ("no_stream", 409, "no_media"),
        ("no_requests", 409, "not_hosted"),
        ("queue_full", 409, "queue_full"),
        ("synthesis_failed", 502, "synthesis_failed"),
        ("timeout", 504, "media_timeout"),
        ("too_many", 503, "too_busy"),
        ("unknown_language", 422, "unknown_language"),
    ],
)
def test_what_the_relay_refuses_is_a_problem_with_a_remedy(
    hosted, door, world, monkeypatch, refusal
):
    code, status, ours = refusal
    monkeypatch.setattr(at_the_relay, "MEDIA_WAIT_S", 0.5)
    door.answering = [refused(code, choices=["en-US"])]
    answered = hosted.call("POST", f"/api/call/{talking(world).call_id}/say", {"text": "Hello"})
    assert problem(answered) == (status, ours)
    assert answered.json_body["detail"]
    outcome = use(world, "chamade_call_say", talking(world), text="Hello")
    assert (outcome.failed, outcome.content["code"]) == (True, ours)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": "  \n"}, "text"),
        ({"text": "x" * 2001}, "text"),
        ({"text": "x", "wait_for_reply_s": 21}, "wait_for_reply_s"),
        ({"text": "x", "speed": 3}, "speed"),
        ({"text": "x", "language": "english please"}, "language"),
        ({"text": "x", "name": "n" * 65}, "name"),
        ({"text": "x", "loud": True}, "loud"),
    ],
)
def test_a_wrong_field_of_a_text_is_named(hosted, door, world, body, field):
    answered = hosted.call("POST", f"/api/call/{talking(world).call_id}/say", body)
    assert problem(answered) == (422, "invalid")
    assert answered.json_body["errors"][0]["field"] == field
    assert door.asked == []


@pytest.mark.parametrize("digits", ["", "12e", "1" * 65, "1 2"])
def test_keys_that_are_none_are_422(hosted, world, digits):
    path = f"/api/call/{talking(world).call_id}/dtmf"
    assert problem(hosted.call("POST", path, {"digits": digits})) == (422, "invalid")


def test_a_text_is_said_once_for_each_key(hosted, door, world, once):
    path = f"/api/call/{talking(world).call_id}/say"
    first, again = (once(path, {"text": "Hello"}) for _ in range(2))
    assert first.json_body == again.json_body
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(door.asked) == 1
    other = once(path, {"text": "Hello"}, key="another")
    assert other.json_body["utterance_id"] != first.json_body["utterance_id"]


def test_what_the_caller_said_is_not_kept_with_an_idempotency_key(hosted, door, world, once):
    door.answering = [done({**QUEUED, "state": "finished", "heard_text": "Hi", "reply": REPLY})]
    path = f"/api/call/{talking(world).call_id}/say"
    first, again = (once(path, {"text": "Hi", "wait_for_reply_s": 5}) for _ in range(2))
    assert first.json_body["reply"] == REPLY
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json_body == {**first.json_body, "reply": None}


def test_a_transcript_is_read_in_pages_shown_with_the_call_and_deleted(hosted, world):
    call = talking(world)
    path = f"/api/call/{call.call_id}"
    assert post_report(hosted, call, heard("One", 1000), heard("Two", 2000)).status_code == 200
    page = hosted.call("GET", f"{path}/transcript?limit=1").json_body
    assert [entry["text"] for entry in page["entries"]] == ["One"]
    rest = hosted.call("GET", f"{path}/transcript?after={page['next']}").json_body
    assert [entry["text"] for entry in rest["entries"]] == ["Two"]
    assert (rest["state"], rest["speaking"]) == ("active", False)
    assert "transcript" not in hosted.call("GET", path).json_body
    shown = hosted.call("GET", f"{path}?transcript=1").json_body["transcript"]
    assert [entry["text"] for entry in shown] == ["Two"]
    assert hosted.call("DELETE", f"{path}/transcript").status_code == 204
    assert hosted.call("GET", f"{path}/transcript").json_body["entries"] == []


@pytest.mark.parametrize("query", ["after=-1", "wait=21", "limit=101", "after=x", "from=1"])
def test_a_wrong_place_in_a_transcript_is_422(hosted, world, query):
    answered = hosted.call("GET", f"/api/call/{talking(world).call_id}/transcript?{query}")
    assert problem(answered) == (422, "invalid")


def test_a_tool_says_something_and_returns_the_reply(hosted, door, world):
    call = talking(world)
    door.answering = [done({**QUEUED, "state": "finished", "reply": REPLY})]
    outcome = use(world, "chamade_call_say", call, text="Who is calling?")
    assert outcome.content["reply"]["text"] == "It is Ada."
    assert door.asked[0]["params"]["params"]["wait_for_reply_s"] == 10
    use(world, "chamade_call_say", call, text="Goodbye.", wait=True)
    assert door.asked[1]["params"]["params"]["wait_for_reply_s"] == 0


def test_a_tool_listens_and_the_status_shows_what_was_said_last(hosted, door, world):
    call = talking(world)
    for number in range(1, 26):
        post_report(hosted, call, heard(f"{number}", number * 100), sequence=number)
    listened = use(world, "chamade_call_listen", call, limit=3).content
    assert [entry["text"] for entry in listened["entries"]] == ["1", "2", "3"]
    shown = use(world, "chamade_call_status", call).content["transcript"]
    assert [entry["text"] for entry in shown] == [str(number) for number in range(6, 26)]
    door.answering = [done({"said": [], "next": 2500, "speaking": True})]
    waited = use(world, "chamade_call_listen", call, after=2500).content
    assert (waited["entries"], waited["speaking"]) == ([], True)
    assert door.asked[0]["params"]["params"] == {"after": 2500, "wait_s": 20}


def test_the_status_of_an_own_call_has_no_transcript(hosted, world):
    assert "transcript" not in use(world, "chamade_call_status", talking(world, "own")).content


def test_a_report_answers_with_the_calls_state(hosted, world):
    call = talking(world)
    assert post_report(hosted, call, heard("Hi")).json_body == {"call": {"state": "active"}}
    settle(world.deps, call, Act.CALLER_HANGUP)
    assert post_report(hosted, call, sequence=2).json_body == {"call": {"state": "ended"}}


def test_a_report_that_is_not_signed_by_a_voice_host_is_401(hosted, world):
    call = talking(world)
    answered = post_report(hosted, call, heard("Hi"), secret="another")
    assert problem(answered) == (401, "bad_signature")
    assert world.stores.transcripts.entries(call.call_id, 0, 1) == []


def test_without_a_secret_of_voice_hosts_no_report_is_taken(api, world):
    assert problem(post_report(api, talking(world), secret="")) == (401, "bad_signature")


@pytest.mark.parametrize(
    "more",
    [
        {"items": [heard("Hi")] * (MAX_ITEMS + 1)},
        {"sequence": 0},
        {"host": ""},
        {"host": "h" * 65},
    ],
)
def test_a_report_beyond_its_bounds_is_422(hosted, world, more):
    assert problem(post_report(hosted, talking(world), **more)) == (422, "invalid")


def test_an_item_that_is_not_understood_costs_no_other(hosted, world):
    call = talking(world)
    strange = [{"type": "mood"}, {"type": "transcript", "text": 7}, {}]
    assert post_report(hosted, call, *strange, heard("Hi")).status_code == 200
    assert [entry.text for entry in world.stores.transcripts.entries(call.call_id, 0, 9)] == ["Hi"]


def test_reports_about_unknown_own_and_long_ended_calls_are_refused_for_good(hosted, world):
    unknown = post_report(hosted, talking(world), call_id="call_" + "7" * 26)
    assert problem(unknown) == (404, "call_not_found")
    assert problem(post_report(hosted, talking(world, "own"))) == (409, "not_hosted")
    call = talking(world)
    settle(world.deps, call, Act.CALLER_HANGUP)
    world.clock.advance(601)
    assert problem(post_report(hosted, call)) == (410, "call_over")


def test_the_door_of_the_relay_that_holds_a_call_is_kept(hosted, door, world):
    call = settle(world.deps, world.ringing(), Act.ANSWER)
    attach = {**provider_attach(world, call), "door_url": "http://10.0.0.9:8703"}
    assert hosted.control("/media/attach", attach).status_code == 200
    hosted.call("POST", f"/api/call/{call.call_id}/dtmf", {"digits": "1"})
    assert door.asked[0]["owner"] == "http://10.0.0.9:8703"
    bad = {**attach, "door_url": "file:///etc/passwd"}
    assert problem(hosted.control("/media/attach", bad)) == (422, "invalid")
