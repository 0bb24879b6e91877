"""REST as the outside sees it: views, problems, and that nobody sees another's things."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from chalicelib.domain import media_token
from chalicelib.domain.call_moves import Act
from chalicelib.domain.line import Line
from chalicelib.services import accounts
from chalicelib.services.transition import settle
from chalicelib.store.table import Contention, TableUnavailable
from tests.support.http import problem


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
    assert (
        media_token.check("a secret of the tests", audio["token"], "agent", now_s) == call.call_id
    )
    assert audio["url"] == f"wss://relay.test/media/agent/{call.call_id}"
    assert "account_id" not in json.dumps(shown)


def test_a_call_that_is_over_has_no_audio(api, world):
    call = settle(world.ports, world.ringing(), Act.AGENT_HANGUP)
    assert api.call("GET", f"/api/call/{call.call_id}").json_body["audio"] is None


def test_accept_refuse_and_leave_answer_with_the_call(api, world):
    for verb, state in (("accept", "active"), ("refuse", "declined"), ("leave", "ended")):
        call = world.ringing()
        answered = api.call("POST", f"/api/call/{call.call_id}/{verb}")
        assert (answered.status_code, answered.json_body["state"]) == (200, state)


@pytest.mark.parametrize("verb", ["accept", "refuse", "leave"])
def test_a_lost_race_is_409_and_shows_the_call_as_it_is(api, world, verb):
    call = settle(world.ports, world.ringing(), Act.CALLER_HANGUP)
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
def test_anothers_things_are_not_found(api, world, method, path):
    _, foreign = world.new_account()
    call = world.ringing()
    key = world.ports.accounts.keys(world.account_id)[0]
    path = path.format(call=call.call_id, number=world.number, key=key.key_id)
    answered = api.call(method, path, body={}, key=foreign)
    assert problem(answered)[0] == 404
    assert world.now_of(call) == call


@pytest.mark.parametrize("key", ["", "nonsense", "chmd_live_" + "0" * 49])
def test_without_a_valid_key_there_is_nothing(api, key):
    for path in ("/api/calls", "/api/numbers", "/api/events", "/api/keys", "/api/call/call_x"):
        answered = api.call("GET", path, key=key)
        assert problem(answered) == (401, "bad_key")
        assert answered.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_key_also_comes_as_bearer(api, world):
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
    settle(world.ports, world.ringing(), Act.DECLINE)
    page = api.call("GET", "/api/calls?state=ringing&direction=inbound").json_body
    assert [call["call_id"] for call in page["calls"]] == [ringing.call_id]
    assert api.call("GET", "/api/calls?direction=outbound").json_body["calls"] == []


@pytest.mark.parametrize(
    "query", ["state=dreaming", "limit=0", "limit=1000", "limit=x", "direction=up", "colour=red"]
)
def test_a_query_that_makes_no_sense_is_422_and_says_why(api, query):
    answered = api.call("GET", f"/api/calls?{query}")
    assert problem(answered) == (422, "invalid")
    assert answered.json_body["errors"][0]["field"] == query.split("=")[0]


def test_a_cursor_of_another_account_is_refused(api, world):
    world.ringing()
    world.ringing()
    cursor = api.call("GET", "/api/calls?limit=1").json_body["next_cursor"]
    _, foreign = world.new_account()
    answered = api.call("GET", f"/api/calls?limit=1&cursor={cursor}", key=foreign)
    assert problem(answered) == (400, "bad_cursor")


def test_numbers_live_their_life_over_rest(api, world):
    world.ports.lines.add_to_pool(Line(e164="+49301234567", country="DE", provider="gateway"))
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
    assert problem(api.call("GET", one)) == (404, "number_not_found")


def test_an_empty_pool_is_a_clear_409(api):
    answered = api.call("POST", "/api/number", {"country": "ZZ"})
    assert problem(answered) == (409, "pool_empty")
    assert "ZZ" in answered.json_body["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"country": "de"}, "country"),
        ({"country": 49}, "country"),
        ({"land": "DE"}, "land"),
        ([], ""),
    ],
)
def test_a_body_that_makes_no_sense_is_422_and_says_where(api, body, field):
    answered = api.call("POST", "/api/number", body)
    assert problem(answered) == (422, "invalid")
    assert answered.json_body["errors"][0]["field"] == field


@pytest.mark.parametrize("number", ["0612345678", "+abc", "%2B1", "+1" + "5" * 30])
def test_a_malformed_number_is_422_and_says_what_one_looks_like(api, number):
    answered = api.call("GET", f"/api/number/{number}")
    assert problem(answered) == (422, "invalid")
    assert "E.164" in answered.json_body["detail"]


def test_broken_json_a_wrong_type_and_a_huge_body_are_said_to_be_so(api, world):
    headers = {"X-API-Key": world.key, "Content-Type": "application/json"}
    assert problem(api.raw("POST", "/api/number", b"{", **headers)) == (400, "bad_json")
    assert problem(api.raw("POST", "/api/number", b"[" * 100_000, **headers)) == (400, "bad_json")
    assert problem(api.raw("POST", "/api/number", b" " * 300_000, **headers)) == (413, "too_large")
    headers["Content-Type"] = "text/csv"
    assert problem(api.raw("POST", "/api/number", b"{}", **headers)) == (415, "bad_type")


def test_what_nobody_foresaw_is_a_bare_500(api, world, monkeypatch):
    monkeypatch.setattr("chalicelib.services.call_list.page", lambda *a, **k: 1 / 0)
    answered = api.call("GET", "/api/calls")
    assert problem(answered) == (500, "internal_error")
    assert "division" not in json.dumps(answered.json_body)


@pytest.mark.parametrize("where", ["services.call_list.page", "auth.account_of"])
def test_a_table_that_does_not_answer_is_503_and_says_when_to_come_again(
    api, monkeypatch, where, caplog
):
    def silent(*_, **__):
        raise TableUnavailable("Read timeout on endpoint URL: http://10.0.0.1/")

    monkeypatch.setattr(f"chalicelib.{where}", silent)
    answered = api.call("GET", "/api/calls")
    assert problem(answered) == (503, "unavailable")
    assert answered.headers["Retry-After"] == "5"
    assert "10.0.0.1" not in json.dumps(answered.json_body)
    assert "10.0.0.1" in caplog.text, "whoever runs it is told"


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


def test_two_keys_revoked_at_once_leave_one(world):
    world.clock.advance(1)
    accounts.create_key(world.ports, world.account_id, "second")
    keys = world.ports.accounts.keys(world.account_id)

    def revoke(key):
        try:
            accounts.revoke_key(world.ports, world.account_id, key.key_id)
        except (accounts.LastKey, Contention):
            return False
        return True

    with ThreadPoolExecutor(2) as two:
        assert sum(two.map(revoke, keys)) <= 1
    assert len(world.ports.accounts.keys(world.account_id)) >= 1


@pytest.mark.parametrize("call_id", ["x" * 3000, "call_x", "call_" + "A" * 26, "%00", "ä"])
def test_what_cannot_be_a_call_id_is_not_found(api, call_id):
    answered = api.call("GET", f"/api/call/{quote(call_id)}")
    assert problem(answered) == (404, "call_not_found")


def test_a_filter_that_matches_little_gives_short_pages_that_go_on(api, world, monkeypatch):
    monkeypatch.setattr("chalicelib.store.calls.FILTERED_READ", 3)
    monkeypatch.setattr("chalicelib.store.calls.MAX_READS", 2)
    wanted = settle(world.ports, world.ringing(), Act.DECLINE)
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


def test_a_filtered_page_that_is_full_goes_on_behind_its_last_call(api, world):
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


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/api/number/{number}", {"auto_answer": 0}),
        ("PATCH", "/api/number/{number}", {"auto_answer": "yes"}),
        ("PATCH", "/api/number/{number}", {"label": 5}),
        ("PUT", "/api/trunk", {"host": "a.b", "username": "u", "password": "p", "port": "5060"}),
    ],
)
def test_what_is_of_another_type_is_not_taken_for_what_it_could_mean(
    api, world, method, path, body
):
    answered = api.call(method, path.format(number=world.number), body)
    assert problem(answered) == (422, "invalid")
    assert answered.json_body["errors"][0]["field"] in body


@pytest.mark.parametrize(
    ("method", "path", "methods"),
    [
        ("PUT", "/api/numbers", "GET"),
        ("DELETE", "/api/trunk/dids", "POST"),
        ("POST", "/api/trunk", "DELETE, GET, PUT"),
        ("QUERY", "/api/number/+15555500100", "DELETE, GET, PATCH"),
        ("HEAD", "/openapi.json", "GET"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(api, method, path, methods):
    answered = api.call(method, path)
    assert problem(answered) == (405, "method_not_allowed")
    assert answered.headers["Allow"] == methods


def test_answers_are_kept_by_nobody_on_the_way(api, world):
    call = world.ringing()
    assert api.call("GET", f"/api/call/{call.call_id}").headers["Cache-Control"] == "no-store"
