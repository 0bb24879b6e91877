"""Tests that every failure of a try, of the endpoint's or of ours, is counted, so that none is
repeated for ever.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import delivery as rules
from chalicelib.domain.delivery import Answer, DeliveryState
from chalicelib.domain.delivery_bounds import MAX_REVIVALS
from chalicelib.domain.rate_limit import Limit
from chalicelib.services import sweep
from chalicelib.services.delivery import delivery_log, delivery_tries, endpoints
from tests.support.delivery_harness import status

DOWN = Answer(None, 10, error="connect_failed: Connection refused")


@pytest.mark.parametrize(
    "text",
    ['{"action": "\\ud800"}', '{"action": "accept\\udfff"}', '{"action": "\\u0000"}', "\ud800"],
)
def test_a_try_counts_if_its_answer_holds_unstorable_text(world, harness, endpoint, text):
    world.receiver.answers = [status(200, text)]
    _, delivery = harness.receive_call(endpoint)
    assert harness.attempt(delivery).state == "delivered"
    after, tries = delivery_log.see(
        world.deps, world.account_id, endpoint.endpoint_id, delivery.delivery_id
    )
    assert (after.attempts, len(tries)) == (1, 1)


@pytest.mark.parametrize("text", ["\ud800 went wrong", "x" * 100_000])
def test_a_try_counts_if_its_error_holds_unstorable_text(world, harness, endpoint, text):
    world.receiver.answers = [Answer(None, 3, error=f"bad_answer: {text}"[:2000])]
    _, delivery = harness.receive_call(endpoint)
    assert harness.attempt(delivery).state == "pending"
    assert harness.reread(delivery).attempts == 1


def test_a_try_counts_if_the_poster_raises(world, harness, endpoint, monkeypatch):
    def broken(*_):
        raise ValueError("read length must be non-negative or -1")

    monkeypatch.setattr(world.receiver, "post", broken)
    _, delivery = harness.receive_call(endpoint)
    harness.run_executions()
    after = harness.reread(delivery)
    assert (after.state, after.attempts) == (DeliveryState.FAILED, 10)
    assert after.error == "internal: the try broke off"


@pytest.mark.parametrize("where", ["handle", "after_try"])
def test_a_try_counts_if_judging_the_answer_raises(world, harness, endpoint, monkeypatch, where):
    whole, calls = getattr(delivery_tries, where), []

    def broken(*args, **kwargs):
        calls.append(args)
        if len(calls) == 1:
            raise RuntimeError("a bug")
        return whole(*args, **kwargs)

    monkeypatch.setattr(delivery_tries, where, broken)
    _, delivery = harness.receive_call(endpoint)
    assert harness.attempt(delivery).state == "pending"
    after = harness.reread(delivery)
    assert (after.attempts, after.error) == (1, "internal: the try broke off")


def test_a_test_delivery_is_tried_once_whatever_the_answer(world, harness, endpoint, monkeypatch):
    def broken(*_):
        raise OverflowError

    monkeypatch.setattr(world.receiver, "post", broken)
    sent = endpoints.test(world.deps, world.account_id, endpoint.endpoint_id)
    harness.run_executions()
    assert harness.reread(sent).state is DeliveryState.FAILED
    world.clock.advance(24 * 3600)
    assert sweep.sweep_deliveries(world.deps).get("revived") is None


@given(st.text(st.characters(min_codepoint=0, max_codepoint=0x10FFFF), max_size=40))
def test_cleaned_text_can_always_be_stored(text):
    rules.storable(text).encode()


def test_a_delivery_whose_executions_are_lost_repeatedly_fails(world, harness, endpoint):
    _, delivery = harness.receive_call(endpoint)
    began, runs = world.clock.ms, 0
    while harness.reread(delivery).state is DeliveryState.PENDING:
        world.scheduler.sent.clear()
        # Each execution is taken for lost after twice the time of the one before.
        world.clock.advance(max(300, (world.clock.ms - began) / 20_000))
        sweep.sweep_deliveries(world.deps)
        runs += sum(each.run > 0 for each in world.scheduler.sent)
        assert world.clock.ms - began < 14 * 24 * 3600 * 1000
    after = harness.reread(delivery)
    assert runs == after.run == MAX_REVIVALS
    assert (after.state, after.error) == (
        DeliveryState.FAILED,
        f"internal: the try broke off {MAX_REVIVALS + 1} times",
    )
    again = delivery_log.replay(
        world.deps, world.account_id, endpoint.endpoint_id, delivery.delivery_id
    )
    harness.run_executions()
    assert harness.reread(again).state is DeliveryState.DELIVERED


def test_a_completed_try_resets_the_count_of_lost_executions(world, harness, endpoint):
    world.receiver.answers = [DOWN]
    _, delivery = harness.receive_call(endpoint)
    sweep.sweep_deliveries(world.deps)  # every event is handed out
    for _ in range(3):
        world.scheduler.sent.clear()
        world.clock.advance(24 * 3600)
        sweep.sweep_deliveries(world.deps)
    assert harness.reread(delivery).revivals == 3
    harness.attempt(harness.reread(delivery))
    assert harness.reread(delivery).revivals == 0


def test_pending_deliveries_of_an_endpoint_are_bounded(world, harness, endpoint, monkeypatch):
    monkeypatch.setattr(delivery_tries, "WAITING", Limit("waiting", 3, 84 * 3600))
    world.clock.ms += 84 * 3600_000 - world.clock.ms % (84 * 3600_000)
    world.receiver.answers = [status(500, "down")]
    made = [harness.receive_call(endpoint)[1] for _ in range(5)]
    for each in made:
        harness.attempt(each)
    states = [harness.reread(each) for each in made]
    assert [each.state.value for each in states] == ["pending"] * 3 + ["failed"] * 2
    assert states[-1].error == "too_many_waiting: 10000 at most; status 500"
    other, _ = harness.endpoint()
    world.receiver.answers = [status(500)]
    _, theirs = harness.receive_call(other)
    assert harness.attempt(theirs).state == "pending"
    world.receiver.answers = [status(200)]
    _, taken = harness.receive_call(endpoint)
    assert harness.attempt(taken).state == "delivered"


def test_the_largest_answer_is_kept_short(world, harness, endpoint):
    world.receiver.answers = [replace(status(500), text="ä" * 70_000)]
    _, delivery = harness.receive_call(endpoint)
    harness.attempt(delivery)
    (tried,) = world.stores.deliveries.tries(delivery.delivery_id)
    assert len(tried.answer) == rules.SHOWN_CHARACTERS


def test_a_sweep_revives_a_bounded_number_of_deliveries_of_each_account(
    world, harness, endpoint, monkeypatch
):
    monkeypatch.setattr(delivery_tries, "REVIVED_AT_ONCE", 3)
    account_id, _ = world.new_account()
    number = world.new_number(account_id)
    world.clock.advance(0.001)
    harness.endpoint(account_id)
    for _ in range(5):
        harness.receive_call(endpoint)
    world.ringing(number)
    harness.stream(account_id)
    sweep.sweep_deliveries(world.deps)  # every event is handed out
    world.scheduler.sent.clear()
    world.clock.advance(301)
    assert sweep.sweep_deliveries(world.deps) == {"revived": 4}
    assert sweep.sweep_deliveries(world.deps) == {"revived": 2}
    harness.run_executions()
    assert len(world.receiver.posted) == 6
