"""Tests of places: a limited number at once, each until its lease ends."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.store.places import Places, PlaceStore

NOW, LATER = 1_000_000, 1_060_000


@pytest.fixture
def places(table, request):
    return Places(f"acc_{request.node.name}", "polls", most=3)


@pytest.fixture
def store(table):
    return PlaceStore(table)


def test_places_are_limited_to_their_number(store, places):
    taken = [store.take(places, f"poll-{n}", NOW, LATER) for n in range(5)]
    assert taken == [True, True, True, False, False]
    assert set(store.holders(places)) == {"poll-0", "poll-1", "poll-2"}


def test_a_place_that_is_given_back_can_be_taken_again(store, places):
    for n in range(3):
        store.take(places, f"poll-{n}", NOW, LATER)
    store.give_back(places, "poll-1")
    assert store.take(places, "poll-3", NOW, LATER)
    assert set(store.holders(places)) == {"poll-0", "poll-2", "poll-3"}


def test_giving_back_a_place_that_nobody_has_changes_nothing(store, places):
    store.give_back(places, "nobody")
    store.take(places, "poll-0", NOW, LATER)
    store.give_back(places, "nobody")
    assert set(store.holders(places)) == {"poll-0"}


def test_a_holder_can_extend_its_lease_when_all_places_are_taken(store, places):
    for n in range(3):
        store.take(places, f"poll-{n}", NOW, LATER)
    assert store.take(places, "poll-1", NOW, LATER + 1)
    assert store.holders(places)["poll-1"] == LATER + 1


def test_a_place_with_an_expired_lease_can_be_taken(store, places):
    for n in range(3):
        store.take(places, f"poll-{n}", NOW, LATER + n)
    assert not store.take(places, "poll-3", LATER - 1, LATER + 60_000)
    assert store.take(places, "poll-3", LATER + 1, LATER + 60_000)
    assert set(store.holders(places)) == {"poll-2", "poll-3"}


def test_accounts_and_kinds_have_places_of_their_own(store, places):
    for n in range(3):
        store.take(places, f"poll-{n}", NOW, LATER)
    assert store.take(Places(places.account_id, "calls", 1), "call-1", NOW, LATER)
    assert store.take(Places("acc_other", "polls", 1), "poll-9", NOW, LATER)


def test_concurrent_requests_never_get_more_places_than_there_are(store, places):
    with ThreadPoolExecutor(12) as threads:
        taken = list(threads.map(lambda n: store.take(places, f"poll-{n}", NOW, LATER), range(24)))
    assert sum(taken) == 3
    assert len(store.holders(places)) == 3


def test_a_short_lease_does_not_shorten_the_items_ttl(store, places, table):
    store.take(places, "call-1", NOW, NOW + 4 * 3_600_000)
    store.take(places, "call-2", NOW, NOW + 60_000)
    item = table.get(f"ACCOUNT#{places.account_id}", f"PLACES#{places.kind}")
    assert item["expires_at"] > (NOW + 4 * 3_600_000) // 1000
