"""Deliveries, try by try: what a receiver that is down, slow, lying, moving or gone gets."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from standardwebhooks import Webhook

from chalicelib.domain.delivery import GAPS_S, JITTER, Answer, DeliveryState
from chalicelib.domain.endpoint import DisabledReason, EndpointChanges
from chalicelib.services import deliver, deliveries, endpoints, sweep
from chalicelib.store.table import Contention
from chalicelib.store.vault import VaultUnavailable
from tests.support.post_office import URL, status
from tests.support.world import KnownKeyVault

DOWN = Answer(None, 10, error="connect_failed: Connection refused")
PENDING, DELIVERED, FAILED, STOPPED = DeliveryState


def times(world, office, delivery):
    tries = world.ports.deliveries.tries(delivery.delivery_id)
    return [(b.at - a.at) / 1000 for a, b in itertools.pairwise(tries)]


def now_of(world, endpoint):
    return endpoints.own(world.ports, world.account_id, endpoint.endpoint_id)


def test_the_specifications_library_verifies_what_is_posted(world, office):
    endpoint, secret = office.endpoint()
    call, delivery = office.rung(endpoint)
    office.carry()
    ((url, headers, body),) = world.receiver.posted
    assert url == URL
    told = Webhook(secret).verify(body, headers)
    assert told == json.loads(delivery.body)
    assert (told["type"], told["call_id"], told["version"]) == ("call.ringing", call.call_id, 1)
    assert headers["webhook-id"] == told["event_id"] == delivery.event_id
    assert office.now_of(delivery).state is DELIVERED


def test_while_it_rotates_both_secrets_verify_and_afterwards_the_new_one(world, office):
    endpoint, first = office.endpoint()
    _, second = endpoints.rotate(world.ports, world.account_id, endpoint.endpoint_id, 2)
    office.rung(endpoint)
    office.carry()
    world.clock.advance(2)
    office.rung(endpoint)
    office.carry()
    (_, during, body), (_, after, later) = world.receiver.posted
    for secret in (first, second):
        Webhook(secret).verify(body, during)
    assert len(during["webhook-signature"].split(" ")) == 2
    Webhook(second).verify(later, after)
    assert len(after["webhook-signature"].split(" ")) == 1


def test_one_that_is_down_for_a_while_is_tried_at_the_gaps_with_the_same_id(
    world, office, endpoint
):
    world.receiver.answers = [DOWN] * 6 + [status(200)]
    _, delivery = office.rung(endpoint)
    began = world.clock()
    office.carry()
    after = office.now_of(delivery)
    assert (after.state, after.attempts, after.error) == (DELIVERED, 7, None)
    for gap, meant in zip(times(world, office, delivery), GAPS_S, strict=False):
        assert meant <= gap <= meant * (1 + JITTER) + 0.002
    assert {headers["webhook-id"] for _, headers, _ in world.receiver.posted} == {delivery.event_id}
    assert len({body for *_, body in world.receiver.posted}) == 1
    stamps = [int(headers["webhook-timestamp"]) for _, headers, _ in world.receiver.posted]
    assert stamps == sorted(set(stamps))
    assert stamps[0] == began // 1000
    assert now_of(world, endpoint).failing_since is None


@pytest.mark.parametrize("answer", [DOWN, status(500), status(302), status(404)])
def test_after_ten_tries_it_is_given_up(world, office, endpoint, answer):
    world.receiver.answers = [answer]
    _, delivery = office.rung(endpoint)
    began = world.clock()
    office.carry()
    after = office.now_of(delivery)
    assert (after.state, after.attempts, after.status) == (FAILED, 10, answer.status)
    assert 75.5 <= (world.clock() - began) / 3_600_000 <= 84
    assert now_of(world, endpoint).enabled
    assert now_of(world, endpoint).failing_since == began


def test_one_that_lies_at_first_gets_it_again(world, office, endpoint):
    world.receiver.answers = [status(500, "<h1>oops</h1>"), status(200, "ok")]
    _, delivery = office.rung(endpoint)
    office.carry()
    shown, tries = deliveries.see(
        world.ports, world.account_id, endpoint.endpoint_id, delivery.delivery_id
    )
    assert (shown.state, shown.attempts) == (DELIVERED, 2)
    assert [(t.number, t.status, t.answer) for t in tries] == [
        (1, 500, "<h1>oops</h1>"),
        (2, 200, "ok"),
    ]


def test_retry_after_is_heeded(world, office, endpoint):
    world.receiver.answers = [status(503, retry_after="600"), status(200)]
    _, delivery = office.rung(endpoint)
    office.carry()
    assert times(world, office, delivery) == [600]


def test_410_disables_the_endpoint_and_tells_the_others(world, office, endpoint):
    other, _ = office.endpoint(events=["webhook.*"])
    world.receiver.answers = [status(410)]
    _, first = office.rung(endpoint)
    _, second = office.rung(endpoint)
    office.carry()
    after = now_of(world, endpoint)
    assert (after.enabled, after.disabled_reason) == (False, DisabledReason.GONE)
    assert {office.now_of(each).state for each in (first, second)} == {FAILED, STOPPED}
    world.receiver.answers = [status(200)]
    world.receiver.posted.clear()
    world.ringing()
    office.stream()
    office.carry()
    ((_, _, body),) = world.receiver.posted
    told = json.loads(body)
    assert told["type"] == "webhook.disabled"
    assert told["data"]["endpoint_id"] == endpoint.endpoint_id
    assert told["data"]["reason"] == "gone"
    assert office.deliveries(other)[-1].state is DELIVERED


def test_one_that_takes_nothing_for_five_days_is_disabled(world, office, endpoint):
    world.receiver.answers = [DOWN]
    _, first = office.rung(endpoint)
    office.carry()
    assert now_of(world, endpoint).enabled
    _, second = office.rung(endpoint)
    office.carry()
    after = now_of(world, endpoint)
    assert (after.enabled, after.disabled_reason) == (False, DisabledReason.FAILING)
    assert [office.now_of(each).state for each in (first, second)] == [FAILED, FAILED]
    assert world.events().count("webhook.disabled") == 1


def test_one_success_in_between_keeps_it_enabled(world, office, endpoint):
    world.receiver.answers = [DOWN]
    office.rung(endpoint)
    office.carry()
    world.receiver.answers = [status(200)]
    office.rung(endpoint)
    office.carry()
    world.receiver.answers = [DOWN]
    office.rung(endpoint)
    office.carry()
    assert now_of(world, endpoint).enabled


def test_a_test_that_fails_is_told_and_not_repeated(world, office, endpoint):
    world.receiver.answers = [DOWN]
    delivery = endpoints.test(world.ports, world.account_id, endpoint.endpoint_id)
    office.carry()
    after = office.now_of(delivery)
    assert (after.state, after.attempts, after.error) == (FAILED, 1, DOWN.error)
    assert now_of(world, endpoint).failing_since is None
    assert "webhook.test" not in world.events()


@pytest.mark.parametrize("how", ["disabled", "removed"])
def test_what_is_on_its_way_to_an_endpoint_that_goes_stops(world, office, endpoint, how):
    world.receiver.answers = [DOWN]
    _, delivery = office.rung(endpoint)
    standing = office.attempt(delivery)
    world.clock.ms = standing.next_at
    if how == "disabled":
        endpoints.change(
            world.ports, world.account_id, endpoint.endpoint_id, EndpointChanges(enabled=False)
        )
    else:
        endpoints.remove(world.ports, world.account_id, endpoint.endpoint_id)
    assert office.attempt(delivery) == deliver.Standing("stopped", None)
    assert len(world.receiver.posted) == 1
    world.clock.advance(10_000)
    assert sweep.sweep_deliveries(world.ports) == {}


def test_a_replay_sends_the_same_message_again(world, office, endpoint):
    _, delivery = office.rung(endpoint)
    office.carry()
    world.clock.advance(3600)
    again = deliveries.replay(
        world.ports, world.account_id, endpoint.endpoint_id, delivery.delivery_id
    )
    assert (again.state, again.replays) == (PENDING, 1)
    office.carry()
    first, second = world.receiver.posted
    assert first[1]["webhook-id"] == second[1]["webhook-id"]
    assert first[2] == second[2]
    assert int(second[1]["webhook-timestamp"]) - int(first[1]["webhook-timestamp"]) == 3600
    assert (office.now_of(delivery).state, office.now_of(delivery).attempts) == (DELIVERED, 2)


def test_a_replay_of_one_that_is_waiting_leaves_one_execution(world, office, endpoint):
    world.receiver.answers = [DOWN]
    _, delivery = office.rung(endpoint)
    office.attempt(delivery)
    again = deliveries.replay(
        world.ports, world.account_id, endpoint.endpoint_id, delivery.delivery_id
    )
    assert office.attempt(delivery) == deliver.GONE
    world.receiver.answers = [status(200)]
    assert office.attempt(again).state == "delivered"
    assert len(world.receiver.posted) == 2


def test_too_early_is_told_when_to_come_again_and_nothing_is_sent(world, office, endpoint):
    world.receiver.answers = [DOWN]
    _, delivery = office.rung(endpoint)
    standing = office.attempt(delivery)
    assert office.attempt(delivery) == standing
    assert len(world.receiver.posted) == 1


def test_of_two_tries_at_the_same_moment_one_counts(world, office, endpoint):
    world.receiver.answers = [DOWN]
    _, delivery = office.rung(endpoint)
    with ThreadPoolExecutor(4) as crowd:
        standings = list(crowd.map(lambda _: office.attempt(delivery), range(4)))
    after = office.now_of(delivery)
    assert after.attempts == 1
    assert {standing.next_at for standing in standings} == {after.next_at}
    assert len(world.ports.deliveries.tries(delivery.delivery_id)) == 1


def test_a_collision_while_the_outcome_is_noted_does_not_post_again(
    world, office, endpoint, monkeypatch
):
    _, delivery = office.rung(endpoint)
    change, failed = world.ports.deliveries.change, []

    def colliding(*given):
        if len(failed) < 3:
            failed.append(given)
            raise Contention
        return change(*given)

    monkeypatch.setattr(world.ports.deliveries, "change", colliding)
    assert office.attempt(delivery).state == "delivered"
    assert len(world.receiver.posted) == 1


def test_a_secret_that_does_not_open_is_told_and_tried_again(world, office, endpoint):
    _, delivery = office.rung(endpoint)

    class OtherKey(KnownKeyVault):
        _key = b"o" * 32

    sealed_by = world.ports
    office.world.ports = replace(sealed_by, vault=OtherKey("other"))
    assert office.attempt(delivery).state == "pending"
    assert office.now_of(delivery).error == "secret_unreadable: rotate the endpoint's secret"
    assert world.receiver.posted == []
    office.world.ports = sealed_by
    world.clock.advance(6)
    assert office.attempt(delivery).state == "delivered"


def test_while_the_vault_is_away_nothing_is_spent(world, office, endpoint, monkeypatch):
    _, delivery = office.rung(endpoint)

    def away(*_):
        raise VaultUnavailable("KMS")

    with monkeypatch.context() as patched:
        patched.setattr(KnownKeyVault, "open", away)
        with pytest.raises(VaultUnavailable):
            office.attempt(delivery)
    assert office.now_of(delivery).attempts == 0
    assert office.attempt(delivery).state == "delivered"


def test_a_delivery_whose_execution_was_lost_is_sent_anew_and_the_old_one_does_nothing(
    world, office, endpoint
):
    _, delivery = office.rung(endpoint)
    world.courier.sent.clear()
    world.clock.advance(299)
    assert sweep.sweep_deliveries(world.ports) == {}
    world.courier.sent.clear()
    world.clock.advance(2)
    assert sweep.sweep_deliveries(world.ports) == {"revived": 1}
    assert sweep.sweep_deliveries(world.ports) == {"revived": 1}  # still not tried
    assert [each.run for each in world.courier.sent] == [1, 2]
    assert office.attempt(delivery) == deliver.GONE
    office.carry()
    assert office.now_of(delivery).state is DELIVERED
    assert len(world.receiver.posted) == 1


def test_after_a_restart_whatever_is_due_is_sent_anew_at_once(world, office, endpoint):
    world.receiver.answers = [DOWN]
    _, waiting = office.rung(endpoint)
    office.attempt(waiting)
    _, due = office.rung(endpoint)
    world.courier.sent.clear()
    world.clock.advance(1)
    assert sweep.sweep_deliveries(world.ports, restarted=True) == {"revived": 1}
    assert world.courier.sent[-1] == office.now_of(due)
    assert office.now_of(waiting).run == 0
