"""Tests of routing numbers: each is held by one account at a time, counted, and released."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.domain.account import DEFAULT_MAX_NUMBERS
from chalicelib.domain.line import Line, LineChanges
from chalicelib.services.line import numbers
from chalicelib.services.line.numbers import PoolEmpty, TooManyNumbers, UnknownNumber
from chalicelib.store import contention
from chalicelib.store.lines import NotHeld
from chalicelib.store.table import Contention


def fill(world, country, count, start=0):
    pool = [f"+4470{ord(country[0]):02d}{ord(country[1]):02d}{start + n:04d}" for n in range(count)]
    for e164 in pool:
        assert world.stores.lines.add_to_pool(Line(e164=e164, country=country, provider="gateway"))
    return pool


def test_an_empty_pool_is_reported(world):
    with pytest.raises(PoolEmpty, match="ZZ"):
        numbers.activate(world.deps, world.account_id, "ZZ")


def test_a_number_starts_with_defaults_and_keeps_what_its_owner_sets(world):
    fill(world, "QA", 1)
    line = numbers.activate(world.deps, world.account_id, "QA")
    assert (line.auto_answer, line.label) == (False, "")
    changes = LineChanges(auto_answer=True, label="Desk")
    assert numbers.change(world.deps, world.account_id, line.e164, changes).label == "Desk"
    only = LineChanges(label="Office")
    changed = numbers.change(world.deps, world.account_id, line.e164, only)
    assert (changed.auto_answer, changed.label) == (True, "Office")
    assert numbers.change(world.deps, world.account_id, line.e164, LineChanges()) == changed
    assert numbers.owned(world.deps, world.account_id, line.e164) == changed


def test_a_released_number_loses_its_settings(world):
    fill(world, "QB", 1)
    line = numbers.activate(world.deps, world.account_id, "QB")
    changes = LineChanges(auto_answer=True, label="Private")
    numbers.change(world.deps, world.account_id, line.e164, changes)
    numbers.release(world.deps, world.account_id, line.e164)
    other, _ = world.new_account()
    again = numbers.activate(world.deps, other, "QB")
    assert (again.e164, again.auto_answer, again.label) == (line.e164, False, "")


def test_an_account_sees_and_changes_only_its_own_numbers(world):
    stranger, _ = world.new_account()
    for act in (
        lambda: numbers.owned(world.deps, stranger, world.number),
        lambda: numbers.change(world.deps, stranger, world.number, LineChanges(label="x")),
        lambda: numbers.release(world.deps, stranger, world.number),
    ):
        with pytest.raises(UnknownNumber):
            act()
    assert world.stores.lines.get(world.number).account_id == world.account_id


def test_changing_a_number_released_meanwhile_is_refused(world):
    stranger, _ = world.new_account()
    with pytest.raises(NotHeld):
        world.stores.lines.change(world.number, stranger, {"label": "x"})


def test_an_account_holds_no_more_than_it_may(world):
    fill(world, "QC", DEFAULT_MAX_NUMBERS + 1)
    held = 1
    while held < DEFAULT_MAX_NUMBERS:
        numbers.activate(world.deps, world.account_id, "QC")
        held += 1
    with pytest.raises(TooManyNumbers) as refused:
        numbers.activate(world.deps, world.account_id, "QC")
    assert refused.value.limit == DEFAULT_MAX_NUMBERS
    assert len(world.stores.lines.held_by(world.account_id)) == DEFAULT_MAX_NUMBERS
    numbers.release(world.deps, world.account_id, world.number)
    numbers.activate(world.deps, world.account_id, "QC")


def test_releasing_a_number_twice_reports_it_unknown(world):
    numbers.release(world.deps, world.account_id, world.number)
    with pytest.raises(UnknownNumber):
        numbers.release(world.deps, world.account_id, world.number)
    assert world.stores.accounts.get(world.account_id).numbers_held == 0
    assert world.events() == ["number.activated", "number.released"]


def test_forty_concurrent_activations_get_ten_different_numbers(world):
    pool = fill(world, "QD", 10)
    accounts = [world.new_account()[0] for _ in range(40)]

    def take(account_id):
        try:
            return numbers.activate(world.deps, account_id, "QD").e164
        except PoolEmpty:
            return None

    with ThreadPoolExecutor(20) as crowd:
        given = [e164 for e164 in crowd.map(take, accounts) if e164]
    assert sorted(given) == sorted(pool)


def test_concurrent_activations_stay_within_the_accounts_limit(world):
    fill(world, "QE", 20)

    def take(_):
        try:
            return numbers.activate(world.deps, world.account_id, "QE").e164
        except (TooManyNumbers, PoolEmpty):
            return None

    with ThreadPoolExecutor(12) as crowd:
        given = [e164 for e164 in crowd.map(take, range(12)) if e164]
    assert len(set(given)) == len(given) <= DEFAULT_MAX_NUMBERS - 1
    held = world.stores.lines.held_by(world.account_id)
    assert len(held) == world.stores.accounts.get(world.account_id).numbers_held


@pytest.mark.parametrize("collisions", [1, contention.MAX_TRIES])
def test_collisions_are_retried_and_then_reported(world, monkeypatch, collisions):
    """An account that asks for many numbers at once is busy; the pool is not empty."""
    country = f"R{'AB'[collisions > 1]}"
    fill(world, country, 2)
    monkeypatch.setattr(contention, "WAIT_S", 0)
    left = [collisions, collisions]

    def colliding(index, real):
        def write(*args):
            left[index] -= 1
            if left[index] >= 0:
                raise Contention
            return real(*args)

        return write

    store = world.stores.lines
    monkeypatch.setattr(store, "give", colliding(0, store.give))
    monkeypatch.setattr(store, "take_back", colliding(1, store.take_back))
    if collisions == 1:
        held = numbers.activate(world.deps, world.account_id, country)
        numbers.release(world.deps, world.account_id, held.e164)
    else:
        with pytest.raises(Contention):
            numbers.activate(world.deps, world.account_id, country)
        with pytest.raises(Contention):
            numbers.release(world.deps, world.account_id, world.number)


def test_a_number_taken_by_another_meanwhile_is_left_to_it(world, monkeypatch):
    (only,) = fill(world, "RC", 1)
    stale = world.stores.lines.free("RC", 10)
    other, _ = world.new_account()
    assert numbers.activate(world.deps, other, "RC").e164 == only
    looks = iter([stale, []])
    monkeypatch.setattr(world.stores.lines, "free", lambda *_: next(looks))
    with pytest.raises(PoolEmpty):
        numbers.activate(world.deps, world.account_id, "RC")
    assert numbers.owned(world.deps, other, only)


def test_adding_a_number_to_the_pool_twice_is_refused(world):
    line = Line(e164="+447011110000", country="QF", provider="gateway")
    assert world.stores.lines.add_to_pool(line)
    assert not world.stores.lines.add_to_pool(line)
