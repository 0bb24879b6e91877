"""Idempotency-Key over REST: done once, answered the same, and never dialled twice."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from chalicelib import bootstrap
from chalicelib.domain.dialling import NumberFacts
from chalicelib.domain.idempotency import CLAIM_MS, KEPT_S
from chalicelib.providers.base import ProviderError
from chalicelib.services import accounts
from tests.support.engine import everything_in
from tests.support.world import CALLEE

DIAL = {"platform": "sip", "meeting_url": f"sip:{CALLEE}@sip.carrier.example"}


@pytest.fixture
def once(api):
    """A POST with an Idempotency-Key."""

    def post(path, body, key="a key of ours", **more):
        return api.call("POST", path, body, **{"Idempotency-Key": key.replace(" ", "-")}, **more)

    return post


def code(response):
    assert response.headers["Content-Type"] == "application/problem+json"
    return response.status_code, response.json_body["code"]


def replayed(response):
    return response.headers.get("Idempotency-Replayed")


def test_the_same_request_is_done_once_and_answered_the_same(once, world):
    first = once("/api/keys", {"label": "laptop"})
    again = once("/api/keys", {"label": "laptop"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json_body == first.json_body
    assert again.headers["Location"] == first.headers["Location"]
    assert (replayed(first), replayed(again)) == (None, "true")
    assert len(world.ports.accounts.keys(world.account_id)) == 2
    assert accounts.account_of(world.ports, again.json_body["key"]) == world.account_id


def test_the_same_payload_may_be_written_otherwise(api, world):
    world.registered()
    headers = {"X-API-Key": world.key, "Content-Type": "application/json", "Idempotency-Key": "k1"}
    bodies = (
        b'{"e164": "+33199005678", "label": "Desk"}',
        b'{ "label":"Desk",\n"e164":"+33199005678" }',
    )
    answers = [api.raw("POST", "/api/trunk/dids", body, **headers) for body in bodies]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert replayed(answers[1]) == "true"


def test_another_payload_or_operation_under_the_key_is_refused(once):
    once("/api/keys", {"label": "laptop"})
    reused = (422, "idempotency_key_reused")
    assert code(once("/api/keys", {"label": "phone"})) == reused
    assert code(once("/api/number", {})) == reused
    assert once("/api/keys", {"label": "phone"}, key="another").status_code == 201


def test_two_accounts_with_the_same_key_get_their_own(api, world):
    _, foreign = world.new_account()
    sent = {"Idempotency-Key": "shared"}
    mine = api.call("POST", "/api/keys", {"label": "x"}, **sent)
    theirs = api.call("POST", "/api/keys", {"label": "x"}, key=foreign, **sent)
    assert (mine.status_code, theirs.status_code, replayed(theirs)) == (201, 201, None)
    assert mine.json_body["key_id"] != theirs.json_body["key_id"]


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "tab\there", "ключ"])
def test_what_is_no_key_is_refused(api, key):
    answered = api.call("POST", "/api/keys", {}, **{"Idempotency-Key": key})
    assert code(answered) == (400, "bad_idempotency_key")


@pytest.mark.parametrize("key", ["!", "~" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"'])
def test_any_visible_ascii_is_a_key(api, key):
    assert api.call("POST", "/api/keys", {}, **{"Idempotency-Key": key}).status_code == 201


def test_a_refusal_is_forgotten_so_that_the_request_can_be_sent_again(once, world):
    assert code(once("/api/trunk/dids", {"e164": "+33199005678"})) == (404, "no_trunk")
    world.new_trunk()
    assert once("/api/trunk/dids", {"e164": "+33199005678"}).status_code == 201


def test_what_was_not_understood_takes_no_key(once, world):
    assert accounts.account_of(world.ports, world.key)  # whose use is noted now
    before = everything_in(world.table)
    assert code(once("/api/keys", {"colour": "red"})) == (422, "invalid")
    assert everything_in(world.table) == before
    assert once("/api/keys", {}).status_code == 201


def test_a_key_is_kept_for_a_day(once, world):
    first = once("/api/keys", {"label": "laptop"})
    world.clock.advance(KEPT_S - 1)
    assert once("/api/keys", {"label": "laptop"}).json_body == first.json_body
    world.clock.advance(2)
    later = once("/api/keys", {"label": "another"})
    assert (later.status_code, replayed(later)) == (201, None)
    ours = f"ACCOUNT#{world.account_id}#ONCE"
    item = next(item for item in everything_in(world.table) if item["pk"] == ours)
    assert item["expires_at"] == world.clock() // 1000 + KEPT_S


def test_the_table_shows_neither_the_answer_nor_the_key(once, world):
    clear = once("/api/keys", {"label": "laptop"}, key="the-secret-of-its-sender").json_body["key"]
    kept = json.dumps(everything_in(world.table), default=sorted)
    assert clear not in kept
    assert "the-secret-of-its-sender" not in kept


def test_with_another_secret_of_the_installation_the_answer_is_gone_and_nothing_is_done_again(
    once, world, monkeypatch
):
    once("/api/keys", {"label": "laptop"})
    ports = replace(bootstrap.ports(), token_secret="another")
    monkeypatch.setattr(bootstrap, "ports", lambda: ports)
    # The fingerprint is made with it, too.
    assert code(once("/api/keys", {"label": "laptop"})) == (422, "idempotency_key_reused")
    assert len(world.ports.accounts.keys(world.account_id)) == 2


@pytest.mark.parametrize("steps", [("a", "a,b", "b,a"), ("a,b", "b,a", "b,a")])
def test_while_the_secret_is_being_rotated_the_answer_stays(once, world, monkeypatch, steps):
    real = bootstrap.ports()
    bodies = []
    for step in steps:
        monkeypatch.setattr(bootstrap, "ports", lambda s=step: replace(real, token_secret=s))
        bodies.append(once("/api/keys", {"label": "laptop"}).json_body)
    assert bodies[0] == bodies[1] == bodies[2]
    assert len(world.ports.accounts.keys(world.account_id)) == 2


def test_twenty_at_once_do_it_once(once, world):
    with ThreadPoolExecutor(20) as many:
        answers = list(many.map(lambda _: once("/api/keys", {"label": "race"}), range(20)))
    made = {answer.json_body["key_id"] for answer in answers if answer.status_code == 201}
    others = {code(answer) for answer in answers if answer.status_code != 201}
    assert len(made) == 1
    assert others <= {(409, "idempotency_in_flight")}
    assert len(world.ports.accounts.keys(world.account_id)) == 2
    waits = [answer.headers["Retry-After"] for answer in answers if answer.status_code == 409]
    assert set(waits) <= {"1"}


def test_twenty_dials_at_once_ring_once(once, world):
    world.registered()
    with ThreadPoolExecutor(20) as many:
        answers = list(many.map(lambda _: once("/api/call", DIAL), range(20)))
    rung = {answer.json_body["call_id"] for answer in answers if answer.status_code == 201}
    assert len(rung) == 1
    assert [order.call_id for order in world.provider.dialled] == list(rung)


def test_a_dial_sent_again_is_answered_and_not_dialled(once, world):
    world.registered()
    first = once("/api/call", DIAL)
    again = once("/api/call", DIAL)
    assert again.json_body == first.json_body
    assert len(world.provider.dialled) == 1


def died(world):
    """The process ends: nothing after this moment happens in it, no clearing up either."""

    def dies(*_):
        raise KeyboardInterrupt

    world.provider.meanwhile = dies


def test_a_dial_whose_holder_died_is_not_dialled_again(once, world):
    world.registered()
    died(world)
    with pytest.raises(KeyboardInterrupt):
        once("/api/call", DIAL)
    world.provider.meanwhile = None
    assert code(once("/api/call", DIAL)) == (409, "idempotency_in_flight")
    world.clock.advance(CLAIM_MS / 1000)
    found = once("/api/call", DIAL)
    assert (found.status_code, found.json_body["state"]) == (201, "connecting")
    assert [order.call_id for order in world.provider.dialled] == [found.json_body["call_id"]]
    assert once("/api/call", DIAL).json_body["call_id"] == found.json_body["call_id"]


def test_a_dial_whose_holder_died_before_it_wrote_the_call_is_dialled(once, world, monkeypatch):
    world.registered()
    with monkeypatch.context() as broken:

        def dies(*_):
            raise KeyboardInterrupt

        broken.setattr("chalicelib.services.dial._record", dies)
        with pytest.raises(KeyboardInterrupt):
            once("/api/call", DIAL)
    world.clock.advance(CLAIM_MS / 1000)
    assert once("/api/call", DIAL).status_code == 201
    assert len(world.provider.dialled) == 1


def test_one_that_was_only_slow_does_not_dial_beside_who_took_over(once, world, monkeypatch):
    """The first comes to its write when the second, which took it for dead, has dialled."""
    from chalicelib.services import dial

    world.registered()
    record, answers = dial._record, []

    def slow(ports, account, born):
        monkeypatch.setattr(dial, "_record", record)
        world.clock.advance(CLAIM_MS / 1000)
        answers.append(once("/api/call", DIAL))
        record(ports, account, born)

    monkeypatch.setattr(dial, "_record", slow)
    answers.append(once("/api/call", DIAL))
    ids = {answer.json_body["call_id"] for answer in answers}
    assert [answer.status_code for answer in answers] == [201, 201]
    assert [order.call_id for order in world.provider.dialled] == list(ids)


def test_a_refusal_of_who_took_over_does_not_lose_the_call_of_the_first(once, world, monkeypatch):
    from chalicelib.services import dial

    world.registered()
    record, refused = dial._record, []

    def slow(ports, account, born):
        monkeypatch.setattr(dial, "_record", record)
        world.clock.advance(CLAIM_MS / 1000)
        with monkeypatch.context() as elsewhere:
            premium = NumberFacts(valid=True, country="FR", kind="premium_rate")
            elsewhere.setattr(dial, "facts_of", lambda _: premium)
            refused.append(once("/api/call", DIAL))
        record(ports, account, born)

    monkeypatch.setattr(dial, "_record", slow)
    first = once("/api/call", DIAL)
    assert code(refused[0]) == (403, "premium_number")
    assert once("/api/call", DIAL).json_body["call_id"] == first.json_body["call_id"]
    assert len(world.provider.dialled) == 1


def test_a_dial_that_the_provider_did_not_place_is_not_placed_by_sending_it_again(once, world):
    world.registered()

    def down(*_):
        raise ProviderError("down")

    world.provider.meanwhile = down
    first = once("/api/call", DIAL)
    world.provider.meanwhile = None
    again = once("/api/call", DIAL)
    assert code(first) == code(again) == (502, "provider_error")
    assert again.json_body["call"]["call_id"] == first.json_body["call"]["call_id"]
    assert len(world.provider.dialled) == 1
    assert once("/api/call", DIAL, key="a new one").status_code == 201


def test_without_a_key_each_request_dials(api, world):
    world.registered()
    ids = {api.call("POST", "/api/call", DIAL).json_body["call_id"] for _ in range(2)}
    assert len(ids) == 2


def test_what_derives_nothing_is_not_done_again_when_its_holder_died(once, world, monkeypatch):
    with monkeypatch.context() as broken:

        def dies(*_):
            raise KeyboardInterrupt

        broken.setattr("chalicelib.services.idempotency._seal", dies)
        with pytest.raises(KeyboardInterrupt):
            once("/api/keys", {"label": "laptop"})
    world.clock.advance(CLAIM_MS / 1000)
    assert code(once("/api/keys", {"label": "laptop"})) == (409, "idempotency_unknown")
    assert len(world.ports.accounts.keys(world.account_id)) == 2


def failing(error):
    def fails(*_):
        raise error

    return fails


def test_after_an_error_of_ours_nobody_knows_and_after_a_busy_moment_it_is_done(
    once, world, monkeypatch
):
    from chalicelib.store.table import Contention

    for error, then in ((RuntimeError("bug"), 409), (Contention(), 201)):
        key = f"after-{type(error).__name__}"
        with monkeypatch.context() as broken:
            broken.setattr("chalicelib.services.accounts.create_key", failing(error))
            assert once("/api/keys", {}, key=key).status_code >= 500
        assert once("/api/keys", {}, key=key).status_code == then


def test_after_a_table_that_did_not_answer_nobody_knows_either(once, world, monkeypatch):
    from chalicelib.store.table import TableUnavailable

    with monkeypatch.context() as broken:
        broken.setattr("chalicelib.services.accounts.create_key", failing(TableUnavailable()))
        assert code(once("/api/keys", {})) == (503, "unavailable")
    assert code(once("/api/keys", {})) == (409, "idempotency_in_flight")
    world.clock.advance(CLAIM_MS / 1000)
    assert code(once("/api/keys", {})) == (409, "idempotency_unknown")


def test_an_answer_that_cannot_be_kept_is_given_all_the_same(once, world, monkeypatch):
    def broken(*_):
        raise RuntimeError("throttled")

    monkeypatch.setattr(type(world.ports.idempotency), "answer", broken)
    assert once("/api/keys", {}).status_code == 201


def test_operations_that_are_idempotent_anyway_read_no_key(api, world):
    call = world.ringing()
    sent = {"Idempotency-Key": "two words"}
    path = f"/api/call/{call.call_id}/accept"
    assert api.call("POST", path, **sent).status_code == 200
    assert code(api.call("POST", path, **sent)) == (409, "call_not_ringing")


def test_a_claim_that_is_written_twice_is_ours_all_the_same(once, world, monkeypatch):
    """The answer to a write is lost, and AWS's library writes again."""
    store = type(world.ports.idempotency)
    claim = store.claim

    def twice(self, *asked):
        claim(self, *asked)
        claim(self, *asked)

    monkeypatch.setattr(store, "claim", twice)
    assert once("/api/keys", {}).status_code == 201
