"""Tests of the Idempotency-Key over REST: a request is done once and answered the same."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from chalicelib import bootstrap
from chalicelib.domain.idempotency import CLAIM_MS, KEPT_S
from chalicelib.services.account import accounts
from tests.support.engine import everything_in
from tests.support.http import problem


def with_token_secret(deps, secret):
    return replace(deps, secrets=replace(deps.secrets, tokens=secret))


def is_replayed(response):
    return response.headers.get("Idempotency-Replayed")


def test_the_same_request_is_done_once_and_answered_the_same(once, world):
    first = once("/api/keys", {"label": "laptop"})
    again = once("/api/keys", {"label": "laptop"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json_body == first.json_body
    assert again.headers["Location"] == first.headers["Location"]
    assert (is_replayed(first), is_replayed(again)) == (None, "true")
    assert len(world.stores.accounts.keys(world.account_id)) == 2
    assert accounts.account_of(world.deps, again.json_body["key"]) == world.account_id


def test_the_same_payload_in_other_json_is_the_same_request(api, world):
    world.register_trunk()
    headers = {"X-API-Key": world.key, "Content-Type": "application/json", "Idempotency-Key": "k1"}
    bodies = (
        b'{"e164": "+33199005678", "label": "Desk"}',
        b'{ "label":"Desk",\n"e164":"+33199005678" }',
    )
    answers = [api.raw("POST", "/api/trunk/dids", body, **headers) for body in bodies]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert is_replayed(answers[1]) == "true"


def test_another_payload_or_operation_under_the_key_is_refused(once):
    once("/api/keys", {"label": "laptop"})
    reused = (422, "idempotency_key_reused")
    assert problem(once("/api/keys", {"label": "phone"})) == reused
    assert problem(once("/api/number", {})) == reused
    assert once("/api/keys", {"label": "phone"}, key="another").status_code == 201


def test_two_accounts_may_use_the_same_key(api, world):
    _, foreign = world.new_account()
    sent = {"Idempotency-Key": "shared"}
    mine = api.call("POST", "/api/keys", {"label": "x"}, **sent)
    theirs = api.call("POST", "/api/keys", {"label": "x"}, key=foreign, **sent)
    assert (mine.status_code, theirs.status_code, is_replayed(theirs)) == (201, 201, None)
    assert mine.json_body["key_id"] != theirs.json_body["key_id"]


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "tab\there", "ключ"])
def test_a_malformed_key_is_refused(api, key):
    answered = api.call("POST", "/api/keys", {}, **{"Idempotency-Key": key})
    assert problem(answered) == (400, "bad_idempotency_key")


@pytest.mark.parametrize("key", ["!", "~" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"'])
def test_any_visible_ascii_is_a_key(api, key):
    assert api.call("POST", "/api/keys", {}, **{"Idempotency-Key": key}).status_code == 201


def test_a_refused_request_can_be_sent_again_with_its_key(once, world):
    assert problem(once("/api/trunk/dids", {"e164": "+33199005678"})) == (404, "no_trunk")
    world.new_trunk()
    assert once("/api/trunk/dids", {"e164": "+33199005678"}).status_code == 201


def test_an_invalid_request_does_not_use_its_key(once, world):
    assert accounts.account_of(world.deps, world.key)  # whose use is noted now
    before = everything_in(world.table)
    assert problem(once("/api/keys", {"colour": "red"})) == (422, "invalid")
    assert everything_in(world.table) == before
    assert once("/api/keys", {}).status_code == 201


def test_a_key_is_kept_for_a_day(once, world):
    first = once("/api/keys", {"label": "laptop"})
    world.clock.advance(KEPT_S - 1)
    assert once("/api/keys", {"label": "laptop"}).json_body == first.json_body
    world.clock.advance(2)
    later = once("/api/keys", {"label": "another"})
    assert (later.status_code, is_replayed(later)) == (201, None)
    ours = f"ACCOUNT#{world.account_id}#ONCE"
    item = next(item for item in everything_in(world.table) if item["pk"] == ours)
    assert item["expires_at"] == world.clock() // 1000 + KEPT_S


def test_the_table_shows_neither_the_answer_nor_the_key(once, world):
    clear = once("/api/keys", {"label": "laptop"}, key="the-secret-of-its-sender").json_body["key"]
    kept = json.dumps(everything_in(world.table), default=sorted)
    assert clear not in kept
    assert "the-secret-of-its-sender" not in kept


def test_after_a_change_of_the_installations_secret_the_request_is_not_repeated(
    once, world, monkeypatch
):
    once("/api/keys", {"label": "laptop"})
    deps = with_token_secret(bootstrap.dependencies(), "another")
    monkeypatch.setattr(bootstrap, "dependencies", lambda: deps)
    # The fingerprint is made with it, too.
    assert problem(once("/api/keys", {"label": "laptop"})) == (422, "idempotency_key_reused")
    assert len(world.stores.accounts.keys(world.account_id)) == 2


@pytest.mark.parametrize("steps", [("a", "a,b", "b,a"), ("a,b", "b,a", "b,a")])
def test_a_kept_answer_stays_readable_during_a_rotation_of_the_secret(
    once, world, monkeypatch, steps
):
    real = bootstrap.dependencies()
    bodies = []
    for step in steps:
        stepped = with_token_secret(real, step)
        monkeypatch.setattr(bootstrap, "dependencies", lambda deps=stepped: deps)
        bodies.append(once("/api/keys", {"label": "laptop"}).json_body)
    assert bodies[0] == bodies[1] == bodies[2]
    assert len(world.stores.accounts.keys(world.account_id)) == 2


def test_twenty_concurrent_requests_with_one_key_are_done_once(once, world):
    with ThreadPoolExecutor(20) as many:
        answers = list(many.map(lambda _: once("/api/keys", {"label": "race"}), range(20)))
    made = {answer.json_body["key_id"] for answer in answers if answer.status_code == 201}
    others = {problem(answer) for answer in answers if answer.status_code != 201}
    assert len(made) == 1
    assert others <= {(409, "idempotency_in_flight")}
    assert len(world.stores.accounts.keys(world.account_id)) == 2
    waits = [answer.headers["Retry-After"] for answer in answers if answer.status_code == 409]
    assert set(waits) <= {"1"}


def test_an_operation_without_derived_id_is_not_repeated_after_its_holder_died(
    once, world, monkeypatch
):
    with monkeypatch.context() as broken:

        def dies(*_):
            raise KeyboardInterrupt

        broken.setattr("chalicelib.services.idempotency._seal", dies)
        with pytest.raises(KeyboardInterrupt):
            once("/api/keys", {"label": "laptop"})
    world.clock.advance(CLAIM_MS / 1000)
    assert problem(once("/api/keys", {"label": "laptop"})) == (409, "idempotency_unknown")
    assert len(world.stores.accounts.keys(world.account_id)) == 2


def raising(error):
    def fails(*_):
        raise error

    return fails


def test_a_request_is_unknown_after_an_internal_error_and_repeated_after_contention(
    once, world, monkeypatch
):
    from chalicelib.store.table import Contention

    for error, then in ((RuntimeError("bug"), 409), (Contention(), 201)):
        key = f"after-{type(error).__name__}"
        with monkeypatch.context() as broken:
            broken.setattr("chalicelib.services.account.accounts.create_key", raising(error))
            assert once("/api/keys", {}, key=key).status_code >= 500
        assert once("/api/keys", {}, key=key).status_code == then


def test_a_request_is_unknown_after_the_table_did_not_answer(once, world, monkeypatch):
    from chalicelib.store.table import TableUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(
            "chalicelib.services.account.accounts.create_key", raising(TableUnavailable())
        )
        assert problem(once("/api/keys", {})) == (503, "unavailable")
    assert problem(once("/api/keys", {})) == (409, "idempotency_in_flight")
    world.clock.advance(CLAIM_MS / 1000)
    assert problem(once("/api/keys", {})) == (409, "idempotency_unknown")


def test_an_answer_that_cannot_be_stored_is_still_sent(once, world, monkeypatch):
    def broken(*_):
        raise RuntimeError("throttled")

    monkeypatch.setattr(type(world.stores.idempotency), "answer", broken)
    assert once("/api/keys", {}).status_code == 201


def test_idempotent_operations_ignore_the_key(api, world):
    call = world.ringing()
    sent = {"Idempotency-Key": "two words"}
    path = f"/api/call/{call.call_id}/accept"
    assert api.call("POST", path, **sent).status_code == 200
    assert problem(api.call("POST", path, **sent)) == (409, "call_not_ringing")


def test_a_claim_written_twice_by_a_retry_still_counts_as_ours(once, world, monkeypatch):
    """The answer to a write is lost, and AWS's library writes again."""
    store = type(world.stores.idempotency)
    claim = store.claim

    def twice(self, *args):
        claim(self, *args)
        claim(self, *args)

    monkeypatch.setattr(store, "claim", twice)
    assert once("/api/keys", {}).status_code == 201
