"""Tests of deliveries, try by try, to receivers that are down, slow, broken, or gone."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from standardwebhooks import Webhook

from chalicelib.domain.delivery import GAPS_S, JITTER, Answer, DeliveryState
from chalicelib.domain.endpoint import DisabledReason, EndpointChanges
from chalicelib.services import sweep
from chalicelib.services.delivery import delivery_log, delivery_tries, dispatch, endpoints
from chalicelib.store.table import Contention
from chalicelib.store.vault import VaultUnavailable
from tests.support.delivery_harness import URL, status
from tests.support.world import KnownKeyVault

DOWN = Answer(None, 10, error="connect_failed: Connection refused")
PENDING, DELIVERED, FAILED, STOPPED = DeliveryState


def times(world, harness, delivery):
    tries = world.stores.deliveries.tries(delivery.delivery_id)
    return [(b.at - a.at) / 1000 for a, b in itertools.pairwise(tries)]


def now_of(world, endpoint):
    return endpoints.own(world.deps, world.account_id, endpoint.endpoint_id)


def test_the_specifications_library_verifies_the_posted_message(world, harness):
    endpoint, secret = harness.endpoint()
    call, delivery = harness.receive_call(endpoint)
    harness.run_executions()
    ((url, headers, body),) = world.receiver.posted
    assert url == URL
    payload = Webhook(secret).verify(body, headers)
    assert payload == json.loads(delivery.body)
    assert (payload["type"], payload["call_id"], payload["version"]) == (
        "call.ringing",
        call.call_id,
        1,
    )
    assert headers["webhook-id"] == payload["event_id"] == delivery.event_id
    assert harness.reread(delivery).state is DELIVERED


def test_both_secrets_verify_during_a_rotation_and_only_the_new_one_after_it(world, harness):
    endpoint, first = harness.endpoint()
    _, second = endpoints.rotate(world.deps, world.account_id, endpoint.endpoint_id, 2)
    harness.receive_call(endpoint)
    harness.run_executions()
    world.clock.advance(2)
    harness.receive_call(endpoint)
    harness.run_executions()
    (_, during, body), (_, after, later) = world.receiver.posted
    for secret in (first, second):
        Webhook(secret).verify(body, during)
    assert len(during["webhook-signature"].split(" ")) == 2
    Webhook(second).verify(later, after)
    assert len(after["webhook-signature"].split(" ")) == 1


def test_an_endpoint_that_is_down_is_retried_at_the_gaps_with_the_same_id(world, harness, endpoint):
    world.receiver.answers = [DOWN] * 6 + [status(200)]
    _, delivery = harness.receive_call(endpoint)
    began = world.clock()
    harness.run_executions()
    after = harness.reread(delivery)
    assert (after.state, after.attempts, after.error) == (DELIVERED, 7, None)
    for gap, meant in zip(times(world, harness, delivery), GAPS_S, strict=False):
        assert meant <= gap <= meant * (1 + JITTER) + 0.002
    assert {headers["webhook-id"] for _, headers, _ in world.receiver.posted} == {delivery.event_id}
    assert len({body for *_, body in world.receiver.posted}) == 1
    stamps = [int(headers["webhook-timestamp"]) for _, headers, _ in world.receiver.posted]
    assert stamps == sorted(set(stamps))
    assert stamps[0] == began // 1000
    assert now_of(world, endpoint).failing_since is None


@pytest.mark.parametrize("answer", [DOWN, status(500), status(302), status(404)])
def test_a_delivery_fails_after_ten_tries(world, harness, endpoint, answer):
    world.receiver.answers = [answer]
    _, delivery = harness.receive_call(endpoint)
    began = world.clock()
    harness.run_executions()
    after = harness.reread(delivery)
    assert (after.state, after.attempts, after.status) == (FAILED, 10, answer.status)
    assert 75.5 <= (world.clock() - began) / 3_600_000 <= 84
    assert now_of(world, endpoint).enabled
    assert now_of(world, endpoint).failing_since == began


def test_an_error_answer_is_recorded_and_retried(world, harness, endpoint):
    world.receiver.answers = [status(500, "<h1>oops</h1>"), status(200, "ok")]
    _, delivery = harness.receive_call(endpoint)
    harness.run_executions()
    shown, tries = delivery_log.see(
        world.deps, world.account_id, endpoint.endpoint_id, delivery.delivery_id
    )
    assert (shown.state, shown.attempts) == (DELIVERED, 2)
    assert [(t.number, t.status, t.answer) for t in tries] == [
        (1, 500, "<h1>oops</h1>"),
        (2, 200, "ok"),
    ]


def test_retry_after_delays_the_next_try(world, harness, endpoint):
    world.receiver.answers = [status(503, retry_after="600"), status(200)]
    _, delivery = harness.receive_call(endpoint)
    harness.run_executions()
    assert times(world, harness, delivery) == [600]


def test_a_410_answer_disables_the_endpoint_with_an_event_to_the_others(world, harness, endpoint):
    other, _ = harness.endpoint(events=["webhook.*"])
    world.receiver.answers = [status(410)]
    _, first = harness.receive_call(endpoint)
    _, second = harness.receive_call(endpoint)
    harness.run_executions()
    after = now_of(world, endpoint)
    assert (after.enabled, after.disabled_reason) == (False, DisabledReason.GONE)
    assert {harness.reread(each).state for each in (first, second)} == {FAILED, STOPPED}
    world.receiver.answers = [status(200)]
    world.receiver.posted.clear()
    world.ringing()
    harness.stream()
    harness.run_executions()
    ((_, _, body),) = world.receiver.posted
    payload = json.loads(body)
    assert payload["type"] == "webhook.disabled"
    assert payload["data"]["endpoint_id"] == endpoint.endpoint_id
    assert payload["data"]["reason"] == "gone"
    assert harness.deliveries(other)[-1].state is DELIVERED


def test_an_endpoint_that_fails_for_five_days_is_disabled(world, harness, endpoint):
    world.receiver.answers = [DOWN]
    _, first = harness.receive_call(endpoint)
    harness.run_executions()
    assert now_of(world, endpoint).enabled
    _, second = harness.receive_call(endpoint)
    harness.run_executions()
    after = now_of(world, endpoint)
    assert (after.enabled, after.disabled_reason) == (False, DisabledReason.FAILING)
    assert [harness.reread(each).state for each in (first, second)] == [FAILED, FAILED]
    assert world.events().count("webhook.disabled") == 1


def test_one_success_keeps_a_failing_endpoint_enabled(world, harness, endpoint):
    world.receiver.answers = [DOWN]
    harness.receive_call(endpoint)
    harness.run_executions()
    world.receiver.answers = [status(200)]
    harness.receive_call(endpoint)
    harness.run_executions()
    world.receiver.answers = [DOWN]
    harness.receive_call(endpoint)
    harness.run_executions()
    assert now_of(world, endpoint).enabled


def test_a_failed_test_delivery_is_reported_and_not_retried(world, harness, endpoint):
    world.receiver.answers = [DOWN]
    delivery = endpoints.test(world.deps, world.account_id, endpoint.endpoint_id)
    harness.run_executions()
    after = harness.reread(delivery)
    assert (after.state, after.attempts, after.error) == (FAILED, 1, DOWN.error)
    assert now_of(world, endpoint).failing_since is None
    assert "webhook.test" not in world.events()


@pytest.mark.parametrize("how", ["disabled", "removed"])
def test_deliveries_to_a_removed_or_disabled_endpoint_stop(world, harness, endpoint, how):
    world.receiver.answers = [DOWN]
    _, delivery = harness.receive_call(endpoint)
    standing = harness.attempt(delivery)
    world.clock.ms = standing.next_at
    if how == "disabled":
        endpoints.change(
            world.deps, world.account_id, endpoint.endpoint_id, EndpointChanges(enabled=False)
        )
    else:
        endpoints.remove(world.deps, world.account_id, endpoint.endpoint_id)
    assert harness.attempt(delivery) == delivery_tries.DeliveryStatus("stopped", None)
    assert len(world.receiver.posted) == 1
    world.clock.advance(10_000)
    assert sweep.sweep_deliveries(world.deps) == {}


def test_a_replay_sends_the_same_message_again(world, harness, endpoint):
    _, delivery = harness.receive_call(endpoint)
    harness.run_executions()
    world.clock.advance(3600)
    again = delivery_log.replay(
        world.deps, world.account_id, endpoint.endpoint_id, delivery.delivery_id
    )
    assert (again.state, again.replays) == (PENDING, 1)
    harness.run_executions()
    first, second = world.receiver.posted
    assert first[1]["webhook-id"] == second[1]["webhook-id"]
    assert first[2] == second[2]
    assert int(second[1]["webhook-timestamp"]) - int(first[1]["webhook-timestamp"]) == 3600
    assert (harness.reread(delivery).state, harness.reread(delivery).attempts) == (DELIVERED, 2)


def test_replaying_a_pending_delivery_leaves_one_execution(world, harness, endpoint):
    world.receiver.answers = [DOWN]
    _, delivery = harness.receive_call(endpoint)
    harness.attempt(delivery)
    again = delivery_log.replay(
        world.deps, world.account_id, endpoint.endpoint_id, delivery.delivery_id
    )
    assert harness.attempt(delivery) == delivery_tries.GONE
    world.receiver.answers = [status(200)]
    assert harness.attempt(again).state == "delivered"
    assert len(world.receiver.posted) == 2


def test_an_attempt_before_its_time_sends_nothing_and_returns_the_time(world, harness, endpoint):
    world.receiver.answers = [DOWN]
    _, delivery = harness.receive_call(endpoint)
    standing = harness.attempt(delivery)
    assert harness.attempt(delivery) == standing
    assert len(world.receiver.posted) == 1


def test_only_one_of_two_simultaneous_tries_is_counted(world, harness, endpoint):
    world.receiver.answers = [DOWN]
    _, delivery = harness.receive_call(endpoint)
    with ThreadPoolExecutor(4) as crowd:
        standings = list(crowd.map(lambda _: harness.attempt(delivery), range(4)))
    after = harness.reread(delivery)
    assert after.attempts == 1
    assert {standing.next_at for standing in standings} == {after.next_at}
    assert len(world.stores.deliveries.tries(delivery.delivery_id)) == 1


def test_a_collision_while_recording_the_outcome_does_not_post_again(
    world, harness, endpoint, monkeypatch
):
    _, delivery = harness.receive_call(endpoint)
    change, failed = world.stores.deliveries.change, []

    def colliding(*given):
        if len(failed) < 3:
            failed.append(given)
            raise Contention
        return change(*given)

    monkeypatch.setattr(world.stores.deliveries, "change", colliding)
    assert harness.attempt(delivery).state == "delivered"
    assert len(world.receiver.posted) == 1


def test_a_secret_that_does_not_open_is_recorded_and_retried(world, harness, endpoint):
    _, delivery = harness.receive_call(endpoint)

    class OtherKey(KnownKeyVault):
        _key = b"o" * 32

    sealed_by = world.deps
    harness.world.deps = replace(sealed_by, vault=OtherKey("other"))
    assert harness.attempt(delivery).state == "pending"
    assert harness.reread(delivery).error == "secret_unreadable: rotate the endpoint's secret"
    assert world.receiver.posted == []
    harness.world.deps = sealed_by
    world.clock.advance(6)
    assert harness.attempt(delivery).state == "delivered"


def test_no_try_is_counted_while_the_vault_is_unavailable(world, harness, endpoint, monkeypatch):
    _, delivery = harness.receive_call(endpoint)

    def away(*_):
        raise VaultUnavailable("KMS")

    with monkeypatch.context() as patched:
        patched.setattr(KnownKeyVault, "open", away)
        with pytest.raises(VaultUnavailable):
            harness.attempt(delivery)
    assert harness.reread(delivery).attempts == 0
    assert harness.attempt(delivery).state == "delivered"


def test_a_lost_execution_is_replaced_and_the_old_one_does_nothing(world, harness, endpoint):
    _, delivery = harness.receive_call(endpoint)
    world.scheduler.sent.clear()
    world.clock.advance(299)
    assert sweep.sweep_deliveries(world.deps) == {}  # started again, in case it never was
    world.scheduler.sent.clear()
    world.clock.advance(dispatch.LEASE_MS / 1000 + 1)
    assert sweep.sweep_deliveries(world.deps) == {"revived": 1}
    assert sweep.sweep_deliveries(world.deps) == {}  # it is given twice as long
    world.clock.advance(601)
    assert sweep.sweep_deliveries(world.deps) == {"revived": 1}
    assert [each.run for each in world.scheduler.sent] == [1, 2]
    assert harness.attempt(delivery) == delivery_tries.GONE
    harness.run_executions()
    assert harness.reread(delivery).state is DELIVERED
    assert len(world.receiver.posted) == 1


def test_due_deliveries_are_started_again_at_once_after_a_restart(world, harness, endpoint):
    world.receiver.answers = [DOWN]
    _, waiting = harness.receive_call(endpoint)
    harness.attempt(waiting)
    _, due = harness.receive_call(endpoint)
    world.scheduler.sent.clear()
    world.clock.advance(1)
    assert sweep.sweep_deliveries(world.deps, restarted=True) == {"revived": 1}
    assert world.scheduler.sent[-1] == harness.reread(due)
    assert harness.reread(waiting).run == 0
