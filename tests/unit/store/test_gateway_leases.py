"""Tests of the leases of gateways, each changed by one conditional write."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.domain.gateway_lease import LEASE_MS
from chalicelib.store.gateway_leases import GatewayLeases, NameTaken
from chalicelib.store.table import Contention

NOW = 1_790_000_000_000
URL, OTHER = "http://10.0.0.1:8703", "http://10.0.0.2:8703"


@pytest.fixture
def leases(table):
    store = GatewayLeases(table)
    for each in store.all():
        store.release(each.name, each.url)
    return store


def test_a_lease_is_taken_once_and_renewed_by_its_holder(leases):
    assert leases.renew("a", URL, draining=False, now=NOW)
    assert not leases.renew("a", URL, draining=False, now=NOW + 5000)
    [lease] = leases.all()
    assert (lease.name, lease.url, lease.draining) == ("a", URL, None)
    assert (lease.since, lease.until) == (NOW, NOW + 5000 + LEASE_MS)


def test_a_name_belongs_to_one_url_until_its_lease_ends(leases):
    leases.renew("a", URL, draining=False, now=NOW)
    with pytest.raises(NameTaken) as taken:
        leases.renew("a", OTHER, draining=False, now=NOW + LEASE_MS - 1)
    assert taken.value.until == NOW + LEASE_MS
    assert leases.renew("a", OTHER, draining=False, now=NOW + LEASE_MS)
    assert leases.all()[0].url == OTHER


def test_a_gateway_that_was_away_comes_anew(leases):
    leases.renew("a", URL, draining=False, now=NOW)
    assert leases.renew("a", URL, draining=False, now=NOW + LEASE_MS)
    assert leases.all()[0].since == NOW + LEASE_MS


def test_draining_is_noted_once_and_its_end_is_a_coming_back(leases):
    leases.renew("a", URL, draining=False, now=NOW)
    assert leases.renew("a", URL, draining=True, now=NOW + 1000)
    assert not leases.renew("a", URL, draining=True, now=NOW + 2000)
    [lease] = leases.all()
    assert (lease.since, lease.draining) == (NOW, NOW + 1000)
    assert leases.renew("a", URL, draining=False, now=NOW + 3000)
    [lease] = leases.all()
    assert (lease.since, lease.draining) == (NOW + 3000, None)


def test_a_lease_is_released_by_its_holder_only(leases):
    leases.renew("a", URL, draining=False, now=NOW)
    leases.release("a", OTHER)
    assert len(leases.all()) == 1
    leases.release("a", URL)
    leases.release("a", URL)
    assert leases.all() == []


def test_of_many_that_take_a_name_at_once_one_has_it(leases):
    def take(number):
        try:
            return leases.renew("a", f"http://10.0.0.{number}", draining=False, now=NOW)
        except (NameTaken, Contention):
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(8))) == 1
    assert len(leases.all()) == 1
