"""An account's endpoints: made, changed, rotated, removed; their secrets; whose they are."""

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
from chalicelib.services import deliveries, endpoints, inbox
from chalicelib.services.deliveries import UnknownDelivery
from chalicelib.services.endpoints import EndpointDisabled, TooManyEndpoints, UnknownEndpoint
from chalicelib.services.trunks import VaultMissing
from chalicelib.store import endpoints as store
from chalicelib.store.endpoints import Record
from chalicelib.store.vault import BadSeal
from tests.support.engine import everything_in
from tests.support.post_office import URL, PostOffice
from tests.support.world import World


@pytest.fixture
def office(world):
    return PostOffice(world)


def keys_of(world, endpoint, at=0):
    record = world.ports.endpoints.record(endpoint.account_id, endpoint.endpoint_id)
    return endpoints.signing_keys(world.ports, record, world.clock() + at * 1000)


def test_an_endpoint_is_made_and_its_secret_shown_once(world, office):
    endpoint, secret = office.endpoint(events=["call.*"], label="Agent")
    assert world.ports.endpoints.of_account(world.account_id) == [endpoint]
    assert endpoints.own(world.ports, world.account_id, endpoint.endpoint_id) == endpoint
    assert keys_of(world, endpoint) == [secret]
    assert secret not in repr(endpoint)


def test_secrets_are_in_the_table_sealed_only_and_in_no_log_or_repr(empty_table, caplog):
    world = World(empty_table)
    office = PostOffice(world)
    with caplog.at_level(logging.DEBUG):
        endpoint, first = office.endpoint()
        _, second = endpoints.rotate(world.ports, world.account_id, endpoint.endpoint_id, 60)
        endpoints.test(world.ports, world.account_id, endpoint.endpoint_id)
        office.carry()
        endpoints.disable(world.ports, endpoint, DisabledReason.GONE)
    logged = "\n".join(formatter().format(record) for record in caplog.records)
    assert "endpoint created" in logged
    assert "delivery delivered" in logged
    record = world.ports.endpoints.record(world.account_id, endpoint.endpoint_id)
    for secret in (first, second):
        raw = secret.removeprefix("whsec_")
        for text in (logged, repr(everything_in(empty_table)), repr(record), repr(world.ports)):
            assert raw not in text
    assert record.sealed_secret not in repr(record)
    events, _ = inbox.read(world.ports, world.account_id, None, 0)
    told = events[-1].model_dump_json()
    assert "webhook.disabled" in told
    assert "sealed" not in told
    assert URL not in told
    assert "receiver.test" in told


def test_a_sealed_secret_copied_to_another_endpoint_does_not_open(world, office):
    mine, _ = office.endpoint()
    stranger, _ = world.new_account()
    theirs, _ = office.endpoint(stranger)
    stolen = world.ports.endpoints.record(stranger, theirs.endpoint_id).sealed_secret
    world.table.write(store.put(store._to_item(Record(mine, stolen))))
    with pytest.raises(BadSeal):
        keys_of(world, mine)


def test_without_a_vault_there_are_no_endpoints(world):
    with pytest.raises(VaultMissing):
        endpoints.create(replace(world.ports, vault=None), world.account_id, NewEndpoint(url=URL))


def test_urls_into_ones_own_network_are_refused_unless_the_operator_allows_them(world, office):
    for url, error in (("https://127.0.0.1/", PrivateUrl), ("http://a.example/", PlainHttp)):
        with pytest.raises(error):
            office.endpoint(url=url)
        endpoint, _ = office.endpoint()
        with pytest.raises(error):
            endpoints.change(
                world.ports, world.account_id, endpoint.endpoint_id, EndpointChanges(url=url)
            )
    private = replace(world.ports, private_webhooks=True)
    made, _ = endpoints.create(private, world.account_id, NewEndpoint(url="http://127.0.0.1/"))
    assert made.enabled


def test_an_account_has_ten_however_many_it_asks_for_at_once(empty_table):
    world = World(empty_table)
    office = PostOffice(world)

    def make(_):
        try:
            return office.endpoint()[0]
        except TooManyEndpoints as full:
            return full.limit

    with ThreadPoolExecutor(8) as crowd:
        made = list(crowd.map(make, range(MAX_ENDPOINTS + 6)))
    endpoint = next(each for each in made if not isinstance(each, int))
    assert made.count(MAX_ENDPOINTS) == 6
    assert len(world.ports.endpoints.of_account(world.account_id)) == MAX_ENDPOINTS
    endpoints.remove(world.ports, world.account_id, endpoint.endpoint_id)
    office.endpoint()
    with pytest.raises(TooManyEndpoints):
        office.endpoint()


def test_two_who_change_it_at_once_both_do(world, office):
    endpoint, _ = office.endpoint()
    wishes = [EndpointChanges(label="x"), EndpointChanges(events=("call.*",))] * 3

    def change(wish):
        return endpoints.change(world.ports, world.account_id, endpoint.endpoint_id, wish)

    with ThreadPoolExecutor(6) as crowd:
        list(crowd.map(change, wishes))
    after = endpoints.own(world.ports, world.account_id, endpoint.endpoint_id)
    assert (after.label, after.events, after.url) == ("x", ("call.*",), endpoint.url)


def test_after_a_rotation_both_secrets_sign_until_the_overlap_is_over(world, office):
    endpoint, first = office.endpoint()
    after, second = endpoints.rotate(world.ports, world.account_id, endpoint.endpoint_id, 3600)
    assert after.previous_secret_until == world.clock() + 3_600_000
    assert keys_of(world, endpoint, at=3599) == [second, first]
    assert keys_of(world, endpoint, at=3600) == [second]
    _, third = endpoints.rotate(world.ports, world.account_id, endpoint.endpoint_id, 3600)
    assert keys_of(world, endpoint) == [third, second]
    after, fourth = endpoints.rotate(world.ports, world.account_id, endpoint.endpoint_id, 0)
    assert keys_of(world, endpoint) == [fourth]
    assert after.previous_secret_until is None


def test_what_is_somebody_elses_is_not_there(world, office):
    endpoint, _ = office.endpoint()
    delivery = endpoints.test(world.ports, world.account_id, endpoint.endpoint_id)
    stranger, _ = world.new_account()
    theirs, _ = office.endpoint(stranger)
    ids = (endpoint.endpoint_id, delivery.delivery_id)
    ports = world.ports
    for act in (
        lambda: endpoints.own(ports, stranger, ids[0]),
        lambda: endpoints.change(ports, stranger, ids[0], EndpointChanges(label="x")),
        lambda: endpoints.remove(ports, stranger, ids[0]),
        lambda: endpoints.rotate(ports, stranger, ids[0], 0),
        lambda: endpoints.test(ports, stranger, ids[0]),
        lambda: deliveries.page(ports, stranger, ids[0], state=None, limit=1, cursor=None),
        lambda: deliveries.see(ports, stranger, *ids),
        lambda: deliveries.replay(ports, stranger, *ids),
    ):
        with pytest.raises(UnknownEndpoint):
            act()
    for act in (
        lambda: deliveries.see(ports, stranger, theirs.endpoint_id, ids[1]),
        lambda: deliveries.replay(ports, stranger, theirs.endpoint_id, ids[1]),
    ):
        with pytest.raises(UnknownDelivery):
            act()
    assert endpoints.own(ports, world.account_id, ids[0]) == endpoint


@pytest.mark.parametrize("bad", ["", "ep_x", "ep_" + "a" * 27, "EVENT_COUNTER", "../x"])
def test_ids_that_are_none_find_nothing(world, bad):
    with pytest.raises(UnknownEndpoint):
        endpoints.own(world.ports, world.account_id, bad)


def test_nothing_can_be_sent_to_one_that_is_disabled(world, office):
    endpoint, _ = office.endpoint()
    delivery = endpoints.test(world.ports, world.account_id, endpoint.endpoint_id)
    off = EndpointChanges(enabled=False)
    endpoints.change(world.ports, world.account_id, endpoint.endpoint_id, off)
    with pytest.raises(EndpointDisabled):
        endpoints.test(world.ports, world.account_id, endpoint.endpoint_id)
    with pytest.raises(EndpointDisabled):
        deliveries.replay(world.ports, world.account_id, endpoint.endpoint_id, delivery.delivery_id)


def test_disabling_is_told_once_whoever_does_it(world, office):
    endpoint, _ = office.endpoint()
    with ThreadPoolExecutor(6) as crowd:
        list(
            crowd.map(
                lambda _: endpoints.disable(world.ports, endpoint, DisabledReason.GONE), range(6)
            )
        )
    after = endpoints.own(world.ports, world.account_id, endpoint.endpoint_id)
    assert (after.enabled, after.disabled_reason) == (False, DisabledReason.GONE)
    assert world.events().count("webhook.disabled") == 1


def test_a_verdict_on_the_old_url_does_not_disable_the_new_one(world, office):
    endpoint, _ = office.endpoint()
    other = EndpointChanges(url="https://other.test/")
    endpoints.change(world.ports, world.account_id, endpoint.endpoint_id, other)
    endpoints.disable(world.ports, endpoint, DisabledReason.GONE)
    assert endpoints.own(world.ports, world.account_id, endpoint.endpoint_id).enabled


def test_deliveries_are_listed_newest_first_by_state_and_page(world, office):
    endpoint, _ = office.endpoint()
    made = []
    for _ in range(7):
        world.clock.advance(1)
        made.append(endpoints.test(world.ports, world.account_id, endpoint.endpoint_id).delivery_id)
    world.courier.sent, kept = world.courier.sent[:3], world.courier.sent[3:]
    office.carry()

    def pages(**asked):
        cursor, found = None, []
        while True:
            page, cursor = deliveries.page(
                world.ports, world.account_id, endpoint.endpoint_id, limit=2, cursor=cursor, **asked
            )
            found += [each.delivery_id for each in page]
            if cursor is None:
                return found

    assert pages(state=None) == made[::-1]
    assert pages(state=DeliveryState.PENDING) == [each.delivery_id for each in kept][::-1]
    assert pages(state=DeliveryState.DELIVERED) == made[:3][::-1]
