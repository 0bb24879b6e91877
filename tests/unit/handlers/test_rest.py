"""Tests of REST: the views of calls, numbers, keys and events, in pages and with filters."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

import app
from chalicelib.domain.call_transitions import Act
from chalicelib.domain.line import Line
from chalicelib.services.account import accounts
from chalicelib.services.call.transition import settle
from chalicelib.store.table import Contention
from common import media_token
from tests.support.http import problem
from tests.support.world import MEDIA_SECRET


def test_a_call_shows_its_state_and_how_to_get_its_audio(api, world):
    call = world.ringing()
    shown = api.call("GET", f"/api/call/{call.call_id}").json_body
    assert shown["state"] == "ringing"
    assert shown["capabilities"] == ["audio_in", "audio_out"]
    audio = shown["audio"]
    described = {k: v for k, v in audio.items() if k not in ("url", "token", "expires_at")}
    assert described == {
        "format": "pcm_s16le",
        "sample_rate": 16000,
        "channels": 1,
        "frame_duration_ms": 20,
        "frame_bytes": 640,
    }
    now_s = world.clock() // 1000
    assert media_token.read(MEDIA_SECRET, audio["token"], "agent", now_s) == call.call_id
    assert audio["url"] == f"wss://relay.test/media/agent/{call.call_id}"
    assert "account_id" not in json.dumps(shown)


def test_a_call_that_is_over_has_no_audio(api, world):
    call = settle(world.deps, world.ringing(), Act.AGENT_HANGUP)
    assert api.call("GET", f"/api/call/{call.call_id}").json_body["audio"] is None


def test_accept_refuse_and_leave_answer_with_the_call(api, world):
    for verb, state in (("accept", "active"), ("refuse", "declined"), ("leave", "ended")):
        call = world.ringing()
        answered = api.call("POST", f"/api/call/{call.call_id}/{verb}")
        assert (answered.status_code, answered.json_body["state"]) == (200, state)


@pytest.mark.parametrize("verb", ["accept", "refuse", "leave"])
def test_a_lost_race_is_409_with_the_present_call(api, world, verb):
    call = settle(world.deps, world.ringing(), Act.CALLER_HANGUP)
    answered = api.call("POST", f"/api/call/{call.call_id}/{verb}")
    assert problem(answered) == (409, "call_over")
    assert answered.json_body["call"]["state"] == "missed"
    assert answered.json_body["call"]["end_reason"] == "caller_hangup"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/call/{call}"),
        ("POST", "/api/call/{call}/accept"),
        ("POST", "/api/call/{call}/refuse"),
        ("POST", "/api/call/{call}/leave"),
        ("GET", "/api/number/{number}"),
        ("PATCH", "/api/number/{number}"),
        ("DELETE", "/api/number/{number}"),
        ("DELETE", "/api/keys/{key}"),
    ],
)
def test_another_accounts_resources_are_not_found(api, world, method, path):
    _, foreign = world.new_account()
    call = world.ringing()
    key = world.stores.accounts.keys(world.account_id)[0]
    path = path.format(call=call.call_id, number=world.number, key=key.key_id)
    answered = api.call(method, path, body={}, key=foreign)
    assert problem(answered)[0] == 404
    assert world.reread(call) == call


def test_a_key_can_be_sent_as_bearer(api, world):
    bearer = {"Authorization": f"Bearer {world.key}"}
    assert api.call("GET", "/api/calls", key="", **bearer).status_code == 200


def test_calls_are_listed_newest_first_in_pages(api, world):
    made = []
    for _ in range(5):
        world.clock.advance(1)
        made.append(world.ringing().call_id)
    listed, cursor = [], ""
    for _ in range(10):
        page = api.call("GET", f"/api/calls?limit=2{cursor}").json_body
        listed += [call["call_id"] for call in page["calls"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert listed == made[::-1]


def test_calls_are_filtered_by_state_and_direction(api, world):
    ringing = world.ringing()
    settle(world.deps, world.ringing(), Act.DECLINE)
    page = api.call("GET", "/api/calls?state=ringing&direction=inbound").json_body
    assert [call["call_id"] for call in page["calls"]] == [ringing.call_id]
    assert api.call("GET", "/api/calls?direction=outbound").json_body["calls"] == []


def test_numbers_are_activated_changed_and_released_over_rest(api, world):
    world.stores.lines.add_to_pool(Line(e164="+49301234567", country="DE", provider="gateway"))
    made = api.call("POST", "/api/number", {"country": "DE"})
    assert made.status_code == 201
    assert made.headers["Location"] == "https://api.test/api/api/number/+49301234567"
    one = "/api/number/+49301234567"
    changed = api.call("PATCH", one, {"auto_answer": True, "label": "Berlin"}).json_body
    assert (changed["auto_answer"], changed["label"]) == (True, "Berlin")
    assert api.call("GET", "/api/number/%2B49301234567").json_body == changed
    assert [n["e164"] for n in api.call("GET", "/api/numbers").json_body["numbers"]] == [
        world.number,
        "+49301234567",
    ]
    assert api.call("DELETE", one).status_code == 204
    released = api.call("GET", one)
    assert problem(released) == (404, "number_not_found")
    assert released.json_body["detail"] == (
        "It is none of your account's routing numbers. "
        "GET /api/numbers and GET /api/trunks list yours."
    )


def test_keys_are_made_shown_once_listed_and_revoked(api, world):
    world.clock.advance(1)
    made = api.call("POST", "/api/keys", {"label": "laptop"})
    assert made.status_code == 201
    clear, key_id = made.json_body["key"], made.json_body["key_id"]
    listed = api.call("GET", "/api/keys", key=clear).json_body["keys"]
    assert [key["label"] for key in listed] == ["first key", "laptop"]
    assert clear not in json.dumps(listed)
    assert "hash" not in json.dumps(listed)
    assert api.call("DELETE", f"/api/keys/{key_id}").status_code == 204
    assert problem(api.call("GET", "/api/keys", key=clear)) == (401, "bad_key")
    assert problem(api.call("DELETE", f"/api/keys/{key_id}")) == (404, "key_not_found")
    last = api.call("GET", "/api/keys").json_body["keys"][0]["key_id"]
    assert problem(api.call("DELETE", f"/api/keys/{last}")) == (409, "last_key")


def test_revoking_two_keys_concurrently_leaves_one(world):
    world.clock.advance(1)
    accounts.create_key(world.deps, world.account_id, "second")
    keys = world.stores.accounts.keys(world.account_id)

    def revoke(key):
        try:
            accounts.revoke_key(world.deps, world.account_id, key.key_id)
        except (accounts.LastKey, Contention):
            return False
        return True

    with ThreadPoolExecutor(2) as two:
        assert sum(two.map(revoke, keys)) <= 1
    assert len(world.stores.accounts.keys(world.account_id)) >= 1


def test_a_rare_filter_gives_short_pages_with_a_cursor(api, world, monkeypatch):
    monkeypatch.setattr("chalicelib.store.calls.FILTERED_READ", 3)
    monkeypatch.setattr("chalicelib.store.calls.MAX_READS", 2)
    wanted = settle(world.deps, world.ringing(), Act.DECLINE)
    for _ in range(10):
        world.clock.advance(1)
        world.ringing()
    found, cursor, pages = [], "", 0
    while cursor is not None:
        page = api.call("GET", f"/api/calls?state=declined&limit=5{cursor}").json_body
        found += [call["call_id"] for call in page["calls"]]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
        pages += 1
    assert (found, pages) == ([wanted.call_id], 2)


def test_a_full_filtered_page_continues_after_its_last_call(api, world):
    made = []
    for _ in range(5):
        world.clock.advance(1)
        made.append(world.ringing().call_id)
    first = api.call("GET", "/api/calls?state=ringing&limit=2").json_body
    cursor = first["next_cursor"]
    second = api.call("GET", f"/api/calls?state=ringing&limit=9&cursor={cursor}").json_body
    listed = [call["call_id"] for call in first["calls"] + second["calls"]]
    assert (listed, second["next_cursor"]) == (made[::-1], None)


def test_events_are_read_with_a_cursor(api, world):
    call = world.ringing()
    page = api.call("GET", "/api/events").json_body
    ringing = page["events"][-1]
    assert (ringing["type"], ringing["call_id"]) == ("call.ringing", call.call_id)
    assert ringing["data"]["call"]["from"] == "+33612345678"
    assert "account_id" not in json.dumps(page)
    after = api.call("GET", f"/api/events?after={page['cursor']}").json_body
    assert after == {"events": [], "cursor": page["cursor"]}
    assert problem(api.call("GET", "/api/events?after=x")) == (400, "bad_cursor")
    assert problem(api.call("GET", "/api/events?wait=21")) == (422, "invalid")


def test_health_needs_no_key(api):
    assert api.call("GET", "/healthz", key="").json_body == {"status": "ok"}


def test_answers_forbid_caching(api, world):
    call = world.ringing()
    assert api.call("GET", f"/api/call/{call.call_id}").headers["Cache-Control"] == "no-store"


assert app.app  # whose modules declare the operations
