"""Tests of the client's requests: retries, idempotency, errors, pages; the same in both clients."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from chamade import (
    AsyncClient,
    BadAnswer,
    BadCredentials,
    Client,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    ServerError,
    Unauthorized,
    Unreachable,
)
from chamade.decoding import decode
from chamade.http import request as requests
from chamade.http.request import ATTEMPTS, perform
from chamade.operations import AccountOf, Calls, Keys, Numbers
from chamade.operations.calls import dial_through_trunk
from tests.unit.client.conftest import CALL, KEY, problem, reply

URL = "https://api.example/stage"
GONE = Unreachable("no route")


def test_read_requests_are_retried_with_growing_pauses(play):
    played = play(perform(Calls.get.request("call_a")), GONE, reply(503), reply(200, CALL))
    assert played.result().call_id == CALL["call_id"]
    assert [sent.path for sent in played.sent] == ["/api/call/call_a"] * 3
    assert played.waited[0] <= 0.25 < played.waited[1] <= 0.5


def test_retries_are_bounded(play):
    played = play(perform(Calls.get.request("call_a")), *[GONE] * 9)
    with pytest.raises(Unreachable):
        played.result()
    assert len(played.sent) == ATTEMPTS


@pytest.mark.parametrize(
    "creating",
    [Calls.dial.request("sip:+33@x"), Numbers.activate.request("FR"), Keys.create.request("a")],
)
def test_a_create_request_is_retried_with_the_same_idempotency_key(play, creating):
    played = play(
        perform(creating), GONE, problem(409, "idempotency_in_flight", wait=1), GONE, GONE
    )
    with pytest.raises(Unreachable):
        played.result()
    keys = {sent.headers["Idempotency-Key"] for sent in played.sent}
    assert len(played.sent) == ATTEMPTS
    assert len(keys) == 1
    assert played.waited[1] == 1


def test_each_create_request_has_its_own_idempotency_key_unless_one_is_given(play):
    def key(**given):
        played = play(perform(Calls.dial.request("sip:+33@x", **given)), reply(201, CALL))
        played.result()
        return played.sent[0].headers["Idempotency-Key"]

    assert key() != key()
    assert key(idempotency_key="mine") == "mine"


@pytest.mark.parametrize(
    "api_request",
    [Calls.accept.request("call_a"), Calls.refuse.request("call_a"), AccountOf.create.request("x"),
     Numbers.release.request("+1555")],
)  # fmt: skip
@pytest.mark.parametrize("failure", [GONE, reply(503)])
def test_requests_that_are_not_idempotent_are_sent_once(play, api_request, failure):
    played = play(perform(api_request), failure, failure)
    with pytest.raises((Unreachable, ServerError)):
        played.result()
    assert len(played.sent) == 1


def test_a_leave_request_is_retried(play):
    played = play(perform(Calls.leave.request("call_a")), GONE, reply(200, CALL))
    played.result()
    assert len(played.sent) == 2


@pytest.mark.parametrize(
    ("answer", "tries", "error"),
    [
        (problem(429, "too_many_requests", wait=3), ATTEMPTS, RateLimited),
        (problem(429, "recently_declined", wait=3600), 1, RateLimited),
        (problem(429, "too_many_dials", limit=5), 1, RateLimited),
        (problem(502, "provider_error"), 1, ServerError),
        (problem(409, "no_trunk"), 1, Conflict),
        (problem(422, "invalid"), 1, Invalid),
    ],
)
def test_only_temporary_refusals_are_retried(play, answer, tries, error):
    played = play(perform(Calls.dial.request("sip:+33@x")), *[answer] * ATTEMPTS)
    with pytest.raises(error):
        played.result()
    assert len(played.sent) == tries
    assert set(played.waited) <= {3.0}


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Invalid), (401, Unauthorized), (403, Forbidden), (404, NotFound), (409, Conflict),
     (415, Invalid), (422, Invalid), (429, RateLimited), (500, ServerError)],
)  # fmt: skip
def test_each_status_raises_its_own_class_of_error(play, status, kind):
    answer = problem(status, "some_code", detail="What is wrong.", wait=7, extra=[1])
    with pytest.raises(kind) as caught:
        play(perform(Calls.accept.request("call_a")), answer).result()
    error = caught.value
    assert (error.status, error.code, error.detail) == (status, "some_code", "What is wrong.")
    assert (error.retry_after, error.problem["extra"]) == (7, [1])


def test_a_lost_race_raises_a_conflict_with_the_present_call(play):
    lost = problem(409, "call_not_ringing", call={**CALL, "state": "active"})
    with pytest.raises(Conflict) as caught:
        play(perform(Calls.accept.request("call_a")), lost).result()
    assert caught.value.call.state == "active"


@pytest.mark.parametrize("body", [b"<html>", b'{"calls": 1}', b"[]", b'{"call_id": "x"}'])
def test_an_answer_not_from_the_api_is_reported_as_such(play, body):
    odd = requests.Reply(200, {}, body)
    with pytest.raises(BadAnswer, match="CHAMADE_API_URL"):
        play(perform(Calls.get.request("call_a")), odd).result()


def test_an_error_page_of_a_proxy_is_reported_as_such(play):
    page = requests.Reply(403, {}, b"<html>Forbidden</html>")
    with pytest.raises(Forbidden, match="http_403"):
        play(perform(Calls.get.request("call_a")), page).result()


@pytest.mark.parametrize("odd", ["", ".", ".."])
def test_ids_that_would_change_the_path_are_refused(odd):
    with pytest.raises(ValueError, match="no id"):
        Calls.leave.request(odd)
    assert Calls.get.request("a/../b?c").path == "/api/call/a%2F..%2Fb%3Fc"


PAGES = {None: (["call_a", "call_b"], "two"), "two": ([], "three"), "three": (["call_c"], None)}


def server(seen: list[httpx.Request]):
    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        ids, then = PAGES[request.url.params.get("cursor")]
        calls = [{**CALL, "call_id": one} for one in ids]
        return httpx.Response(200, json={"calls": calls, "next_cursor": then})

    return httpx.MockTransport(answer)


def test_a_live_call_to_a_number_goes_through_the_trunk(play):
    trunk = {"trunk_id": "t", "host": "sip.example", "port": 5060, "username": "u", "status": "x"}
    played = play(
        dial_through_trunk("+33199001234", ring_timeout_s=20), reply(200, trunk), reply(201, CALL)
    )
    assert played.result().call_id == CALL["call_id"]
    assert [one.path for one in played.sent] == ["/api/trunk", "/api/call"]
    assert json.loads(played.sent[1].body) == {
        "platform": "sip", "meeting_url": "sip:+33199001234@sip.example", "ring_timeout_s": 20,
    }  # fmt: skip
    played = play(dial_through_trunk("+33199001234"), problem(404, "no_trunk"))
    with pytest.raises(NotFound):
        played.result()


def test_lists_go_on_past_empty_pages():
    seen: list[httpx.Request] = []
    with Client(URL, KEY, transport=server(seen)) as client:
        calls = client.calls.list(state="ended", page_size=2)
        assert next(calls).call_id == "call_a"
        assert len(seen) == 1
        assert [call.call_id for call in calls] == ["call_b", "call_c"]
    assert [dict(one.url.params) for one in seen] == [
        {"state": "ended", "limit": "2", **({"cursor": cursor} if cursor else {})}
        for cursor in PAGES
    ]
    assert seen[0].url.path == "/stage/api/calls"
    assert seen[0].headers["X-API-Key"] == KEY


async def test_the_async_client_reads_lists_too():
    seen: list[httpx.Request] = []
    async with AsyncClient(URL, KEY, transport=server(seen)) as client:
        assert [call.call_id async for call in client.calls.list()] == [
            "call_a", "call_b", "call_c",
        ]  # fmt: skip


def test_both_clients_send_exactly_the_given_fields(monkeypatch):
    monkeypatch.setattr(requests, "FIRST_WAIT_S", 0.001)
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if len(seen) % 2:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(201, json=CALL)

    async def dial_async():
        async with AsyncClient(URL, KEY, transport=httpx.MockTransport(answer)) as client:
            return await client.calls.dial("sip:+331@x", metadata={"a": 1})

    with Client(URL, KEY, transport=httpx.MockTransport(answer)) as client:
        dialled = client.calls.dial("sip:+331@x", metadata={"a": 1})
    assert dialled == asyncio.run(dial_async())
    assert len(seen) == 4
    for one in seen:
        assert json.loads(one.content) == {
            "platform": "sip", "meeting_url": "sip:+331@x", "metadata": {"a": 1},
        }  # fmt: skip
    assert seen[0].headers["Idempotency-Key"] == seen[1].headers["Idempotency-Key"]
    assert seen[1].headers["Idempotency-Key"] != seen[2].headers["Idempotency-Key"]


def test_a_refused_connection_raises_unreachable(monkeypatch):
    monkeypatch.setattr(requests, "FIRST_WAIT_S", 0.001)

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("", request=request)

    with (
        Client(URL, KEY, transport=httpx.MockTransport(refuse)) as client,
        pytest.raises(Unreachable, match=r"api\.example.*ReadTimeout"),
    ):
        client.account.get()


def test_every_operation_but_creating_an_account_needs_a_key():
    def answer(request: httpx.Request) -> httpx.Response:
        assert "X-API-Key" not in request.headers
        return httpx.Response(201, json={"account_id": "acc_1", "name": "Me", "key": KEY})

    with Client(URL, transport=httpx.MockTransport(answer)) as client:
        made = client.account.create("Me")
        assert made.key == KEY
        assert KEY not in repr(made)
        with pytest.raises(BadCredentials, match="CHAMADE_API_KEY"):
            client.calls.get("call_a")


def test_answers_with_unknown_fields_and_states_are_read(play):
    newer = {**CALL, "state": "parked", "mood": "good", "history": [
        {"version": 1, "state": "parked", "at": "2026-11-22T15:36:40.011Z", "why": {}},
    ]}  # fmt: skip
    call = play(perform(Calls.get.request("call_a")), reply(200, newer)).result()
    assert (call.state, call.raw["mood"], call.over) == ("parked", "good", True)
    assert call.history[0].at == call.created_at
    assert call.created_at.utcoffset().total_seconds() == 0
    assert call.created_at.microsecond == 11_000
    assert decode(type(call), newer) == call
