"""Asking the API: retries, idempotency, errors, pages; in both clients the same."""

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
from chamade.http import request as requests
from chamade.http.request import ATTEMPTS, perform
from chamade.models import decode
from chamade.operations import AccountOf, Calls, Keys, Numbers
from tests.unit.client.conftest import CALL, KEY, problem, reply

URL = "https://api.example/stage"
GONE = Unreachable("no route")


def test_what_only_reads_is_asked_again_with_growing_pauses(play):
    played = play(perform(Calls.get.request("call_a")), GONE, reply(503), reply(200, CALL))
    assert played.result().call_id == CALL["call_id"]
    assert [sent.path for sent in played.sent] == ["/api/call/call_a"] * 3
    assert played.waited[0] <= 0.25 < played.waited[1] <= 0.5


def test_it_is_not_asked_for_ever(play):
    played = play(perform(Calls.get.request("call_a")), *[GONE] * 9)
    with pytest.raises(Unreachable):
        played.result()
    assert len(played.sent) == ATTEMPTS


@pytest.mark.parametrize(
    "creating",
    [Calls.dial.request("sip:+33@x"), Numbers.activate.request("FR"), Keys.create.request("a")],
)
def test_what_creates_is_repeated_with_the_same_idempotency_key(play, creating):
    played = play(
        perform(creating), GONE, problem(409, "idempotency_in_flight", wait=1), GONE, GONE
    )
    with pytest.raises(Unreachable):
        played.result()
    keys = {sent.headers["Idempotency-Key"] for sent in played.sent}
    assert len(played.sent) == ATTEMPTS
    assert len(keys) == 1
    assert played.waited[1] == 1


def test_each_thing_to_create_has_a_key_of_its_own_unless_one_is_given(play):
    def key(**given):
        played = play(perform(Calls.dial.request("sip:+33@x", **given)), reply(201, CALL))
        played.result()
        return played.sent[0].headers["Idempotency-Key"]

    assert key() != key()
    assert key(idempotency_key="mine") == "mine"


@pytest.mark.parametrize(
    "asked",
    [Calls.accept.request("call_a"), Calls.refuse.request("call_a"), AccountOf.create.request("x"),
     Numbers.release.request("+1555")],
)  # fmt: skip
@pytest.mark.parametrize("failure", [GONE, reply(503)])
def test_what_might_happen_twice_is_sent_once(play, asked, failure):
    played = play(perform(asked), failure, failure)
    with pytest.raises((Unreachable, ServerError)):
        played.result()
    assert len(played.sent) == 1


def test_hanging_up_may_be_repeated(play):
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
def test_only_what_passes_is_waited_for(play, answer, tries, error):
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
def test_errors_have_their_meaning_in_their_class(play, status, kind):
    told = problem(status, "some_code", detail="What is wrong.", wait=7, extra=[1])
    with pytest.raises(kind) as caught:
        play(perform(Calls.accept.request("call_a")), told).result()
    error = caught.value
    assert (error.status, error.code, error.detail) == (status, "some_code", "What is wrong.")
    assert (error.retry_after, error.problem["extra"]) == (7, [1])


def test_a_lost_race_has_the_call_as_it_is(play):
    lost = problem(409, "call_not_ringing", call={**CALL, "state": "active"})
    with pytest.raises(Conflict) as caught:
        play(perform(Calls.accept.request("call_a")), lost).result()
    assert caught.value.call.state == "active"


@pytest.mark.parametrize("body", [b"<html>", b'{"calls": 1}', b"[]", b'{"call_id": "x"}'])
def test_an_answer_that_is_none_of_the_api_is_said_to_be(play, body):
    odd = requests.Reply(200, {}, body)
    with pytest.raises(BadAnswer, match="CHAMADE_API_URL"):
        play(perform(Calls.get.request("call_a")), odd).result()


def test_an_error_page_of_something_in_between_is_no_puzzle(play):
    page = requests.Reply(403, {}, b"<html>Forbidden</html>")
    with pytest.raises(Forbidden, match="http_403"):
        play(perform(Calls.get.request("call_a")), page).result()


@pytest.mark.parametrize("odd", ["", ".", ".."])
def test_ids_that_would_lead_elsewhere_are_refused(odd):
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


def test_lists_go_on_over_pages_that_are_empty():
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


async def test_lists_are_the_same_for_asyncio():
    seen: list[httpx.Request] = []
    async with AsyncClient(URL, KEY, transport=server(seen)) as client:
        assert [call.call_id async for call in client.calls.list()] == [
            "call_a", "call_b", "call_c",
        ]  # fmt: skip


def test_both_clients_send_what_is_wanted_and_nothing_else(monkeypatch):
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


def test_nobody_answering_is_unreachable(monkeypatch):
    monkeypatch.setattr(requests, "FIRST_WAIT_S", 0.001)

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("", request=request)

    with (
        Client(URL, KEY, transport=httpx.MockTransport(refuse)) as client,
        pytest.raises(Unreachable, match=r"api\.example.*ReadTimeout"),
    ):
        client.account.get()


def test_a_new_account_needs_no_key_and_everything_else_does():
    def answer(request: httpx.Request) -> httpx.Response:
        assert "X-API-Key" not in request.headers
        return httpx.Response(201, json={"account_id": "acc_1", "name": "Me", "key": KEY})

    with Client(URL, transport=httpx.MockTransport(answer)) as client:
        made = client.account.create("Me")
        assert made.key == KEY
        assert KEY not in repr(made)
        with pytest.raises(BadCredentials, match="CHAMADE_API_KEY"):
            client.calls.get("call_a")


def test_answers_of_newer_servers_are_read(play):
    newer = {**CALL, "state": "parked", "mood": "good", "history": [
        {"version": 1, "state": "parked", "at": "2026-11-22T15:36:40.011Z", "why": {}},
    ]}  # fmt: skip
    call = play(perform(Calls.get.request("call_a")), reply(200, newer)).result()
    assert (call.state, call.raw["mood"], call.over) == ("parked", "good", True)
    assert call.history[0].at == call.created_at
    assert call.created_at.utcoffset().total_seconds() == 0
    assert call.created_at.microsecond == 11_000
    assert decode(type(call), newer) == call
