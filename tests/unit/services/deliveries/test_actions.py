"""Tests of actions in an endpoint's answer to `call.ringing`: they race like any other act."""

from __future__ import annotations

import pytest

from chalicelib.domain.call_transitions import Act, CallState
from chalicelib.domain.delivery import DeliveryState
from chalicelib.services.call.transition import settle
from chalicelib.services.delivery import delivery_log
from tests.support.delivery_harness import status


def test_an_endpoint_accepts_a_call_in_its_answer(world, harness, endpoint):
    world.receiver.answers = [status(200, '{"action": "accept"}')]
    call, delivery = harness.receive_call(endpoint)
    harness.run_executions()
    assert world.reread(call).state is CallState.ACTIVE
    after = harness.reread(delivery)
    assert (after.action.action, after.action.result) == ("accept", "done")
    (tried,) = world.stores.deliveries.tries(delivery.delivery_id)
    assert tried.action == after.action


def test_an_endpoint_refuses_a_call_in_its_answer(world, harness, endpoint):
    world.receiver.answers = [status(200, '{"action": "refuse", "why": "busy"}')]
    call, _ = harness.receive_call(endpoint)
    harness.run_executions()
    assert world.reread(call).state is CallState.DECLINED


def test_two_endpoints_that_answer_differently_race_and_one_wins(world, harness, endpoint):
    harness.endpoint()
    world.receiver.answers = [
        status(200, '{"action": "accept"}'),
        status(200, '{"action": "refuse"}'),
    ]
    call, _ = harness.receive_call(endpoint)
    harness.run_executions()
    assert world.reread(call).state is CallState.ACTIVE
    results = sorted(
        each.action.result
        for listed in world.stores.endpoints.of_account(world.account_id)
        for each in harness.deliveries(listed)
    )
    assert results == ["call_not_ringing", "done"]


@pytest.mark.parametrize(
    ("before", "result"),
    [(Act.DECLINE, "call_over"), (Act.ANSWER, "call_not_ringing"), (None, "ring_deadline_passed")],
)
def test_a_lost_race_is_recorded_on_the_delivery(world, harness, endpoint, before, result):
    world.receiver.answers = [status(200, '{"action": "accept"}')]
    call, delivery = harness.receive_call(endpoint)
    if before:
        settle(world.deps, call, before)
    else:
        world.clock.advance(61)
    harness.run_executions()
    after = harness.reread(delivery)
    assert (after.state, after.action.result) == (DeliveryState.DELIVERED, result)


@pytest.mark.parametrize(
    ("answer", "noted"),
    [
        (status(200, '{"action": "explode"}'), "unknown_action"),
        (status(200, '{"action": 5}'), None),
        (status(200, '["accept"]'), None),
        (status(200, "accept"), None),
        (status(200, "[" * 60_000), None),
        (status(500, '{"action": "accept"}'), None),
    ],
)
def test_an_answer_without_a_valid_action_changes_nothing(world, harness, endpoint, answer, noted):
    world.receiver.answers = [answer]
    call, delivery = harness.receive_call(endpoint)
    harness.attempt(delivery)
    after = harness.reread(delivery)
    assert (after.action and after.action.result) == noted
    assert world.reread(call).state is CallState.RINGING


def test_actions_are_read_from_answers_to_call_ringing_only(world, harness, endpoint):
    world.receiver.answers = [status(200), status(200, '{"action": "refuse"}')]
    call, _ = harness.receive_call(endpoint)
    settle(world.deps, call, Act.ANSWER)
    harness.stream()
    harness.run_executions()
    assert len(world.receiver.posted) == 2
    assert world.reread(call).state is CallState.ACTIVE


def test_an_outbound_call_cannot_be_accepted_by_an_endpoint(world, harness, endpoint):
    world.receiver.answers = [status(200, '{"action": "accept"}')]
    call = settle(world.deps, world.dial(), Act.RING)
    harness.stream()
    harness.run_executions()
    ringing = next(d for d in harness.deliveries(endpoint) if d.type == "call.ringing")
    assert ringing.action.result == "call_outbound"
    assert world.reread(call).state is CallState.RINGING


def test_the_answer_to_a_replay_is_not_an_action(world, harness, endpoint):
    call, delivery = harness.receive_call(endpoint)
    harness.run_executions()
    world.receiver.answers = [status(200, '{"action": "accept"}')]
    delivery_log.replay(world.deps, world.account_id, endpoint.endpoint_id, delivery.delivery_id)
    harness.run_executions()
    assert harness.reread(delivery).action.result == "replay"
    assert world.reread(call).state is CallState.RINGING
