"""Tests of dialling with an Idempotency-Key: however often a request is sent, one call is
placed.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.domain.idempotency import CLAIM_MS
from chalicelib.domain.toll_guard import NumberingFacts
from chalicelib.providers.base import ProviderError
from tests.support.http import problem
from tests.support.world import CALLEE

DIAL = {"platform": "sip", "meeting_url": f"sip:{CALLEE}@sip.carrier.example"}


def test_twenty_concurrent_dials_with_one_key_dial_once(once, world):
    world.register_trunk()
    with ThreadPoolExecutor(20) as many:
        answers = list(many.map(lambda _: once("/api/call", DIAL), range(20)))
    rung = {answer.json_body["call_id"] for answer in answers if answer.status_code == 201}
    assert len(rung) == 1
    assert [order.call_id for order in world.provider.dialled] == list(rung)


def test_a_repeated_dial_gets_the_kept_answer(once, world):
    world.register_trunk()
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
    world.register_trunk()
    died(world)
    with pytest.raises(KeyboardInterrupt):
        once("/api/call", DIAL)
    world.provider.meanwhile = None
    assert problem(once("/api/call", DIAL)) == (409, "idempotency_in_flight")
    world.clock.advance(CLAIM_MS / 1000)
    found = once("/api/call", DIAL)
    assert (found.status_code, found.json_body["state"]) == (201, "connecting")
    assert [order.call_id for order in world.provider.dialled] == [found.json_body["call_id"]]
    assert once("/api/call", DIAL).json_body["call_id"] == found.json_body["call_id"]


def test_a_dial_whose_holder_died_before_it_wrote_the_call_is_dialled(once, world, monkeypatch):
    world.register_trunk()
    with monkeypatch.context() as broken:

        def dies(*_):
            raise KeyboardInterrupt

        broken.setattr("chalicelib.services.call.dial._record", dies)
        with pytest.raises(KeyboardInterrupt):
            once("/api/call", DIAL)
    world.clock.advance(CLAIM_MS / 1000)
    assert once("/api/call", DIAL).status_code == 201
    assert len(world.provider.dialled) == 1


def test_a_slow_holder_does_not_dial_after_another_took_over(once, world, monkeypatch):
    """The first comes to its write when the second, which took it for dead, has dialled."""
    from chalicelib.services.call import dial

    world.register_trunk()
    record, answers = dial._record, []

    def slow(deps, account, moved, parent):
        monkeypatch.setattr(dial, "_record", record)
        world.clock.advance(CLAIM_MS / 1000)
        answers.append(once("/api/call", DIAL))
        record(deps, account, moved, parent)

    monkeypatch.setattr(dial, "_record", slow)
    answers.append(once("/api/call", DIAL))
    ids = {answer.json_body["call_id"] for answer in answers}
    assert [answer.status_code for answer in answers] == [201, 201]
    assert [order.call_id for order in world.provider.dialled] == list(ids)


def test_a_refusal_after_a_take_over_does_not_lose_the_first_holders_call(once, world, monkeypatch):
    from chalicelib.services.call import dial, routes

    world.register_trunk()
    record, refused = dial._record, []

    def slow(deps, account, moved, parent):
        monkeypatch.setattr(dial, "_record", record)
        world.clock.advance(CLAIM_MS / 1000)
        with monkeypatch.context() as elsewhere:
            premium = NumberingFacts(valid=True, country="FR", kind="premium_rate")
            elsewhere.setattr(routes, "facts_of", lambda _: premium)
            refused.append(once("/api/call", DIAL))
        record(deps, account, moved, parent)

    monkeypatch.setattr(dial, "_record", slow)
    first = once("/api/call", DIAL)
    assert problem(refused[0]) == (403, "premium_number")
    assert once("/api/call", DIAL).json_body["call_id"] == first.json_body["call_id"]
    assert len(world.provider.dialled) == 1


def test_a_repeated_dial_does_not_place_a_call_that_the_provider_refused(once, world):
    world.register_trunk()

    def down(*_):
        raise ProviderError("down")

    world.provider.meanwhile = down
    first = once("/api/call", DIAL)
    world.provider.meanwhile = None
    again = once("/api/call", DIAL)
    assert problem(first) == problem(again) == (502, "provider_error")
    assert again.json_body["call"]["call_id"] == first.json_body["call"]["call_id"]
    assert len(world.provider.dialled) == 1
    assert once("/api/call", DIAL, key="a new one").status_code == 201


def test_without_a_key_each_request_dials(api, world):
    world.register_trunk()
    ids = {api.call("POST", "/api/call", DIAL).json_body["call_id"] for _ in range(2)}
    assert len(ids) == 2
