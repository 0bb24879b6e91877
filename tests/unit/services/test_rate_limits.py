"""Tests that rate limits hold under races, count in windows of the clock, and do not fill the
table.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.rate_limit import Limit, source_of
from chalicelib.services.rate_limits import TooOften, count_account, count_source
from tests.support.engine import everything_in


def counted(count, *args):
    try:
        count(*args)
    except TooOften:
        return False
    return True


def test_fifty_concurrent_requests_are_counted_up_to_the_limit(world):
    limit = Limit("fifty", 7, 3600)
    with ThreadPoolExecutor(16) as many:
        done = list(
            many.map(
                lambda _: counted(count_account, world.deps, world.account_id, limit), range(50)
            )
        )
    assert sum(done) == 7


def test_accounts_and_limits_are_counted_separately(world):
    one, two = Limit("one", 1, 60), Limit("two", 1, 60)
    other, _ = world.new_account()
    for account_id in (world.account_id, other):
        for limit in (one, two):
            count_account(world.deps, account_id, limit)
            with pytest.raises(TooOften):
                count_account(world.deps, account_id, limit)


def test_the_next_window_begins_at_the_announced_time(world):
    limit = Limit("window", 1, 60)
    world.clock.advance(17.5)
    count_account(world.deps, world.account_id, limit)
    with pytest.raises(TooOften) as often:
        count_account(world.deps, world.account_id, limit)
    world.clock.advance(often.value.retry_after_s)
    count_account(world.deps, world.account_id, limit)


def test_sources_are_counted_separately_and_in_total(empty_table):
    from tests.support.world import World

    world, limit = World(empty_table), Limit("sign", 2, 3600, overall=5)
    done = [
        counted(count_source, world.deps, f"203.0.113.{source}", limit)
        for source in (1, 1, 1, 2, 2, 2, 3, 3)
    ]
    assert done == [True, True, False, True, True, False, True, False]
    refused = [
        counted(count_source, world.deps, f"198.51.100.{source}", limit) for source in range(30)
    ]
    assert not any(refused)
    # Who is refused leaves nothing behind: there are never more counters than `overall`.
    counters = [i for i in everything_in(world.table) if i["pk"].startswith("RATE#sign")]
    assert len(counters) == 4
    window_ends = (limit.window(world.clock()) + 1) * 3600
    assert {counter["expires_at"] for counter in counters} == {window_ends + 3600}


def test_concurrent_sources_stay_within_the_total(world):
    limit = Limit("crowd", 2, 3600, overall=10)
    with ThreadPoolExecutor(8) as many:
        done = list(
            many.map(
                lambda n: counted(count_source, world.deps, f"203.0.113.{n}", limit), range(24)
            )
        )
    assert sum(done) == 10


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("", "unknown"),
        ("203.0.113.7, 10.0.0.1", "unknown"),
    ],
)
def test_a_source_is_an_ipv4_address_or_an_ipv6_subscriber_network(address, source):
    assert source_of(address) == source


@given(st.integers(0, 2**42), st.sampled_from([1, 60, 3600, 86400]))
def test_a_window_ends_when_the_next_begins(now, per_s):
    limit = Limit("any", 1, per_s)
    wait = limit.retry_after_s(now)
    assert 1 <= wait <= per_s
    assert limit.window(now + wait * 1000) == limit.window(now) + 1
