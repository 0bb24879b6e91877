"""What an endpoint answers to `call.ringing`: it takes part in the race like any other."""

from __future__ import annotations

import pytest

from chalicelib.domain.call_moves import Act, CallState
from chalicelib.domain.delivery import DeliveryState
from chalicelib.services import deliveries
from chalicelib.services.transition import settle
from tests.support.post_office import status


def test_an_endpoint_accepts_a_call_in_its_answer(world, office, endpoint):
    world.receiver.answers = [status(200, '{"action": "accept"}')]
    call, delivery = office.rung(endpoint)
    office.carry()
    assert world.now_of(call).state is CallState.ACTIVE
    after = office.now_of(delivery)
    assert (after.action.action, after.action.result) == ("accept", "done")
    (tried,) = world.ports.deliveries.tries(delivery.delivery_id)
    assert tried.action == after.action


def test_an_endpoint_refuses_a_call_in_its_answer(world, office, endpoint):
    world.receiver.answers = [status(200, '{"action": "refuse", "why": "busy"}')]
    call, _ = office.rung(endpoint)
    office.carry()
    assert world.now_of(call).state is CallState.DECLINED


def test_of_two_endpoints_that_answer_differently_one_wins_and_the_other_is_told(
    world, office, endpoint
):
    office.endpoint()
    world.receiver.answers = [
        status(200, '{"action": "accept"}'),
        status(200, '{"action": "refuse"}'),
    ]
    call, _ = office.rung(endpoint)
    office.carry()
    assert world.now_of(call).state is CallState.ACTIVE
    results = sorted(
        each.action.result
        for listed in world.ports.endpoints.of_account(world.account_id)
        for each in office.deliveries(listed)
    )
    assert results == ["call_not_ringing", "done"]


@pytest.mark.parametrize(
    ("before", "result"),
    [(Act.DECLINE, "call_over"), (Act.ANSWER, "call_not_ringing"), (None, "ring_deadline_passed")],
)
def test_a_lost_race_is_noted(world, office, endpoint, before, result):
    world.receiver.answers = [status(200, '{"action": "accept"}')]
    call, delivery = office.rung(endpoint)
    if before:
        settle(world.ports, call, before)
    else:
        world.clock.advance(61)
    office.carry()
    after = office.now_of(delivery)
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
def test_what_is_no_action_changes_nothing(world, office, endpoint, answer, noted):
    world.receiver.answers = [answer]
    call, delivery = office.rung(endpoint)
    office.attempt(delivery)
    after = office.now_of(delivery)
    assert (after.action and after.action.result) == noted
    assert world.now_of(call).state is CallState.RINGING


def test_only_the_first_event_of_a_call_is_answered_with_actions(world, office, endpoint):
    world.receiver.answers = [status(200), status(200, '{"action": "refuse"}')]
    call, _ = office.rung(endpoint)
    settle(world.ports, call, Act.ANSWER)
    office.stream()
    office.carry()
    assert len(world.receiver.posted) == 2
    assert world.now_of(call).state is CallState.ACTIVE


def test_a_call_that_was_dialled_is_nobodys_to_accept(world, office, endpoint):
    world.receiver.answers = [status(200, '{"action": "accept"}')]
    call = settle(world.ports, world.dial(), Act.RING)
    office.stream()
    office.carry()
    ringing = next(d for d in office.deliveries(endpoint) if d.type == "call.ringing")
    assert ringing.action.result == "call_outbound"
    assert world.now_of(call).state is CallState.RINGING


def test_a_replay_takes_part_in_nothing(world, office, endpoint):
    call, delivery = office.rung(endpoint)
    office.carry()
    world.receiver.answers = [status(200, '{"action": "accept"}')]
    deliveries.replay(world.ports, world.account_id, endpoint.endpoint_id, delivery.delivery_id)
    office.carry()
    assert office.now_of(delivery).action.result == "replay"
    assert world.now_of(call).state is CallState.RINGING
