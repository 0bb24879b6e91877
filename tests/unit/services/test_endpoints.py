"""Tests of an account's endpoints: created, changed, rotated, removed; their secrets and owners."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from chalicelib.domain.delivery import DeliveryState
from chalicelib.domain.endpoint import (
    MAX_ENDPOINTS,
    DisabledReason,
    EndpointChanges,
    NewEndpoint,
    PlainHttp,
    PrivateUrl,
)
from chalicelib.logs import formatter
from chalicelib.services import inbox
from chalicelib.services.delivery import delivery_log, endpoints
from chalicelib.services.delivery.delivery_log import UnknownDelivery
from chalicelib.services.delivery.endpoints import (
    EndpointDisabled,
    TooManyEndpoints,
    UnknownEndpoint,
)
from chalicelib.services.line.trunks import VaultMissing
from chalicelib.store import endpoints as store
from chalicelib.store.endpoints import Record
from chalicelib.store.vault import BadSeal
from tests.support.delivery_harness import URL, DeliveryHarness
from tests.support.engine import everything_in
from tests.support.world import World, with_settings


@pytest.fixture
def harness(world):
    return DeliveryHarness(world)


def keys_of(world, endpoint, at=0):
    record = world.stores.endpoints.record(endpoint.account_id, endpoint.endpoint_id)
    return endpoints.signing_keys(world.deps, record, world.clock() + at * 1000)


def test_creating_an_endpoint_shows_its_secret_once(world, harness):
    endpoint, secret = harness.endpoint(events=["call.*"], label="Agent")
    assert world.stores.endpoints.of_account(world.account_id) == [endpoint]
    assert endpoints.own(world.deps, world.account_id, endpoint.endpoint_id) == endpoint
    assert keys_of(world, endpoint) == [secret]
    assert secret not in repr(endpoint)


def test_secrets_are_stored_sealed_and_appear_in_no_log_or_repr(empty_table, caplog):
    world = World(empty_table)
    harness = DeliveryHarness(world)
    with caplog.at_level(logging.DEBUG):
        endpoint, first = harness.endpoint()
        _, second = endpoints.rotate(world.deps, world.account_id, endpoint.endpoint_id, 60)
        endpoints.test(world.deps, world.account_id, endpoint.endpoint_id)
        harness.run_executions()
        endpoints.disable(world.deps, endpoint, DisabledReason.GONE)
    logged = "\n".join(formatter().format(record) for record in caplog.records)
    assert "endpoint created" in logged
    assert "delivery delivered" in logged
    record = world.stores.endpoints.record(world.account_id, endpoint.endpoint_id)
    for secret in (first, second):
        raw = secret.removeprefix("whsec_")
        for text in (logged, repr(everything_in(empty_table)), repr(record), repr(world.deps)):
            assert raw not in text
    assert record.sealed_secret not in repr(record)
    events, _ = inbox.read(world.deps, world.account_id, None, 0)
    shown = events[-1].model_dump_json()
    assert "webhook.disabled" in shown
    assert "sealed" not in shown
    assert URL not in shown
    assert "receiver.test" in shown


def test_a_sealed_secret_copied_to_another_endpoint_does_not_open(world, harness):
    mine, _ = harness.endpoint()
    stranger, _ = world.new_account()
    theirs, _ = harness.endpoint(stranger)
    stolen = world.stores.endpoints.record(stranger, theirs.endpoint_id).sealed_secret
    world.table.write(store.put(store._to_item(Record(mine, stolen))))
    with pytest.raises(BadSeal):
        keys_of(world, mine)


def test_endpoints_need_a_vault(world):
    with pytest.raises(VaultMissing):
        endpoints.create(replace(world.deps, vault=None), world.account_id, NewEndpoint(url=URL))


def test_private_urls_are_refused_unless_the_operator_allows_them(world, harness):
    for url, error in (("https://127.0.0.1/", PrivateUrl), ("http://a.example/", PlainHttp)):
        with pytest.raises(error):
            harness.endpoint(url=url)
        endpoint, _ = harness.endpoint()
        with pytest.raises(error):
            endpoints.change(
                world.deps, world.account_id, endpoint.endpoint_id, EndpointChanges(url=url)
            )
    private = with_settings(world.deps, private_webhooks=True)
    made, _ = endpoints.create(private, world.account_id, NewEndpoint(url="http://127.0.0.1/"))
    assert made.enabled


def test_endpoints_created_concurrently_stay_within_ten(empty_table):
    world = World(empty_table)
    harness = DeliveryHarness(world)

    def make(_):
        try:
            return harness.endpoint()[0]
        except TooManyEndpoints as full:
            return full.limit

    with ThreadPoolExecutor(8) as crowd:
        made = list(crowd.map(make, range(MAX_ENDPOINTS + 6)))
    endpoint = next(each for each in made if not isinstance(each, int))
    assert made.count(MAX_ENDPOINTS) == 6
    assert len(world.stores.endpoints.of_account(world.account_id)) == MAX_ENDPOINTS
    endpoints.remove(world.deps, world.account_id, endpoint.endpoint_id)
    harness.endpoint()
    with pytest.raises(TooManyEndpoints):
        harness.endpoint()


def test_two_concurrent_changes_are_both_applied(world, harness):
    endpoint, _ = harness.endpoint()
    wishes = [EndpointChanges(label="x"), EndpointChanges(events=("call.*",))] * 3

    def change(changes):
        return endpoints.change(world.deps, world.account_id, endpoint.endpoint_id, changes)

    with ThreadPoolExecutor(6) as crowd:
        list(crowd.map(change, wishes))
    after = endpoints.own(world.deps, world.account_id, endpoint.endpoint_id)
    assert (after.label, after.events, after.url) == ("x", ("call.*",), endpoint.url)


def test_both_secrets_sign_until_a_rotations_overlap_ends(world, harness):
    endpoint, first = harness.endpoint()
    after, second = endpoints.rotate(world.deps, world.account_id, endpoint.endpoint_id, 3600)
    assert after.previous_secret_until == world.clock() + 3_600_000
    assert keys_of(world, endpoint, at=3599) == [second, first]
    assert keys_of(world, endpoint, at=3600) == [second]
    _, third = endpoints.rotate(world.deps, world.account_id, endpoint.endpoint_id, 3600)
    assert keys_of(world, endpoint) == [third, second]
    after, fourth = endpoints.rotate(world.deps, world.account_id, endpoint.endpoint_id, 0)
    assert keys_of(world, endpoint) == [fourth]
    assert after.previous_secret_until is None


def test_another_accounts_endpoint_is_unknown(world, harness):
    endpoint, _ = harness.endpoint()
    delivery = endpoints.test(world.deps, world.account_id, endpoint.endpoint_id)
    stranger, _ = world.new_account()
    theirs, _ = harness.endpoint(stranger)
    ids = (endpoint.endpoint_id, delivery.delivery_id)
    deps = world.deps
    for act in (
        lambda: endpoints.own(deps, stranger, ids[0]),
        lambda: endpoints.change(deps, stranger, ids[0], EndpointChanges(label="x")),
        lambda: endpoints.remove(deps, stranger, ids[0]),
        lambda: endpoints.rotate(deps, stranger, ids[0], 0),
        lambda: endpoints.test(deps, stranger, ids[0]),
        lambda: delivery_log.page(deps, stranger, ids[0], state=None, limit=1, cursor=None),
        lambda: delivery_log.see(deps, stranger, *ids),
        lambda: delivery_log.replay(deps, stranger, *ids),
    ):
        with pytest.raises(UnknownEndpoint):
            act()
    for act in (
        lambda: delivery_log.see(deps, stranger, theirs.endpoint_id, ids[1]),
        lambda: delivery_log.replay(deps, stranger, theirs.endpoint_id, ids[1]),
    ):
        with pytest.raises(UnknownDelivery):
            act()
    assert endpoints.own(deps, world.account_id, ids[0]) == endpoint


@pytest.mark.parametrize("bad", ["", "ep_x", "ep_" + "a" * 27, "EVENT_COUNTER", "../x"])
def test_malformed_ids_are_unknown(world, bad):
    with pytest.raises(UnknownEndpoint):
        endpoints.own(world.deps, world.account_id, bad)


def test_a_disabled_endpoint_gets_no_test_and_no_replay(world, harness):
    endpoint, _ = harness.endpoint()
    delivery = endpoints.test(world.deps, world.account_id, endpoint.endpoint_id)
    off = EndpointChanges(enabled=False)
    endpoints.change(world.deps, world.account_id, endpoint.endpoint_id, off)
    with pytest.raises(EndpointDisabled):
        endpoints.test(world.deps, world.account_id, endpoint.endpoint_id)
    with pytest.raises(EndpointDisabled):
        delivery_log.replay(
            world.deps, world.account_id, endpoint.endpoint_id, delivery.delivery_id
        )


def test_disabling_an_endpoint_gives_one_event(world, harness):
    endpoint, _ = harness.endpoint()
    with ThreadPoolExecutor(6) as crowd:
        list(
            crowd.map(
                lambda _: endpoints.disable(world.deps, endpoint, DisabledReason.GONE), range(6)
            )
        )
    after = endpoints.own(world.deps, world.account_id, endpoint.endpoint_id)
    assert (after.enabled, after.disabled_reason) == (False, DisabledReason.GONE)
    assert world.events().count("webhook.disabled") == 1


def test_a_failure_at_the_old_url_does_not_disable_an_endpoint_with_a_new_one(world, harness):
    endpoint, _ = harness.endpoint()
    other = EndpointChanges(url="https://other.test/")
    endpoints.change(world.deps, world.account_id, endpoint.endpoint_id, other)
    endpoints.disable(world.deps, endpoint, DisabledReason.GONE)
    assert endpoints.own(world.deps, world.account_id, endpoint.endpoint_id).enabled


def test_deliveries_are_listed_newest_first_in_pages_and_filtered_by_state(world, harness):
    endpoint, _ = harness.endpoint()
    made = []
    for _ in range(7):
        world.clock.advance(1)
        made.append(endpoints.test(world.deps, world.account_id, endpoint.endpoint_id).delivery_id)
    world.scheduler.sent, kept = world.scheduler.sent[:3], world.scheduler.sent[3:]
    harness.run_executions()

    def pages(**query):
        cursor, found = None, []
        while True:
            page, cursor = delivery_log.page(
                world.deps, world.account_id, endpoint.endpoint_id, limit=2, cursor=cursor, **query
            )
            found += [each.delivery_id for each in page]
            if cursor is None:
                return found

    assert pages(state=None) == made[::-1]
    assert pages(state=DeliveryState.PENDING) == [each.delivery_id for each in kept][::-1]
    assert pages(state=DeliveryState.DELIVERED) == made[:3][::-1]
