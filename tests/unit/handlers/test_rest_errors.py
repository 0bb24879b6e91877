"""Tests of the problems of the REST API: statuses, codes and remedies."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import quote

import pytest

from chalicelib.handlers.operation import OPERATIONS, NoBody, NoQuery
from chalicelib.services.operator import account_admin
from chalicelib.services.rate_limits import TooOften
from chalicelib.store.table import TableUnavailable
from tests.support.http import problem
from tests.support.world import World


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
def test_an_invalid_body_is_422_and_names_the_field(api, body, field):
    answered = api.call("POST", "/api/number", body)
    assert problem(answered) == (422, "invalid")
    assert answered.json_body["errors"][0]["field"] == field


@pytest.mark.parametrize("number", ["0612345678", "+abc", "%2B1", "+1" + "5" * 30])
def test_a_malformed_number_is_422_with_an_example(api, number):
    answered = api.call("GET", f"/api/number/{number}")
    assert problem(answered) == (422, "invalid")
    assert "E.164" in answered.json_body["detail"]


def test_broken_json_a_wrong_media_type_and_a_huge_body_have_their_problems(api, world):
    headers = {"X-API-Key": world.key, "Content-Type": "application/json"}
    assert problem(api.raw("POST", "/api/number", b"{", **headers)) == (400, "bad_json")
    assert problem(api.raw("POST", "/api/number", b"[" * 100_000, **headers)) == (400, "bad_json")
    assert problem(api.raw("POST", "/api/number", b" " * 300_000, **headers)) == (413, "too_large")
    headers["Content-Type"] = "text/csv"
    assert problem(api.raw("POST", "/api/number", b"{}", **headers)) == (415, "bad_type")


def test_an_unexpected_error_is_a_500_without_internals(api, world, monkeypatch):
    monkeypatch.setattr("chalicelib.services.call.call_list.page", lambda *a, **k: 1 / 0)
    answered = api.call("GET", "/api/calls")
    assert problem(answered) == (500, "internal_error")
    assert "division" not in json.dumps(answered.json_body)


@pytest.mark.parametrize("where", ["services.call.call_list.page", "auth.account_of"])
def test_an_unavailable_table_is_503_with_retry_after(api, monkeypatch, where, caplog):
    def silent(*_, **__):
        raise TableUnavailable("Read timeout on endpoint URL: http://10.0.0.1/")

    monkeypatch.setattr(f"chalicelib.{where}", silent)
    answered = api.call("GET", "/api/calls")
    assert problem(answered) == (503, "unavailable")
    assert answered.headers["Retry-After"] == "5"
    assert "10.0.0.1" not in json.dumps(answered.json_body)
    assert "10.0.0.1" in caplog.text, "whoever runs it is told"


@pytest.mark.parametrize(
    "query", ["state=dreaming", "limit=0", "limit=1000", "limit=x", "direction=up", "colour=red"]
)
def test_an_invalid_query_is_422_with_the_reason(api, query):
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


@pytest.mark.parametrize("key", ["", "nonsense", "chmd_live_" + "0" * 49])
def test_requests_without_a_valid_key_are_refused(api, key):
    for path in ("/api/calls", "/api/numbers", "/api/events", "/api/keys", "/api/call/call_x"):
        answered = api.call("GET", path, key=key)
        assert problem(answered) == (401, "bad_key")
        assert answered.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("call_id", ["x" * 3000, "call_x", "call_" + "A" * 26, "%00", "ä"])
def test_a_malformed_call_id_is_not_found(api, call_id):
    answered = api.call("GET", f"/api/call/{quote(call_id)}")
    assert problem(answered) == (404, "call_not_found")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/api/number/{number}", {"auto_answer": 0}),
        ("PATCH", "/api/number/{number}", {"auto_answer": "yes"}),
        ("PATCH", "/api/number/{number}", {"label": 5}),
        ("PUT", "/api/trunk", {"host": "a.b", "username": "u", "password": "p", "port": "5060"}),
    ],
)
def test_values_of_another_json_type_are_refused(api, world, method, path, body):
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
def test_a_wrong_method_is_405_with_the_allowed_ones(api, method, path, methods):
    answered = api.call(method, path)
    assert problem(answered) == (405, "method_not_allowed")
    assert answered.headers["Allow"] == methods


def test_too_many_waiting_polls_are_429_with_a_remedy(api, world):
    account_admin.set_limits(world.deps, world.account_id, {"max_waiting_polls": 0})
    cursor = api.call("GET", "/api/events?after=latest").json_body["cursor"]
    refused = api.call("GET", f"/api/events?after={cursor}&wait=20")
    assert problem(refused) == (429, "too_many_polls")
    assert (refused.headers["Retry-After"], refused.json_body["limit"]) == ("5", 0)
    assert api.call("GET", f"/api/events?after={cursor}").status_code == 200


@pytest.mark.parametrize("query", ["wait=20.5", "wait=-1", "limit=101", "limit=0", "wait=inf"])
def test_a_wait_or_a_page_beyond_its_limit_is_422(api, query):
    assert problem(api.call("GET", f"/api/events?{query}")) == (422, "invalid")


LIMITED = sorted(name for name, operation in OPERATIONS.items() if operation.limit)


@pytest.mark.parametrize("name", LIMITED)
def test_operations_with_a_rate_limit_answer_429_beyond_it(empty_table, name):
    world, done = World(empty_table), []
    operation = replace(OPERATIONS[name], run=done.append, answer=None, status=204)
    source = "192.0.2.1" if operation.open else ""

    def ask():
        operation.perform(world.deps, world.account_id, {}, NoBody(), NoQuery(), source)

    for _ in range(operation.limit.times):
        ask()
    with pytest.raises(TooOften):
        ask()
    assert len(done) == operation.limit.times
