"""Tests of how trunks are divided among gateways."""

from __future__ import annotations

from collections import Counter

import pytest

from chalicelib.domain.gateway_lease import (
    HANDOVER_MS,
    LEASE_MS,
    RENEW_EVERY_MS,
    SETTLE_MS,
    GatewayLease,
    ask_again_ms,
    division,
    holder,
    live,
    registers,
)

NOW = 1_790_000_000_000
TRUNKS = [f"trunk_{number}" for number in range(3000)]


def lease(name, *, since=NOW - 60_000, until=NOW + LEASE_MS, draining=None):
    return GatewayLease(
        name=name, url=f"http://{name}", until=until, since=since, draining=draining
    )


def holders(leases):
    return {trunk: holder(trunk, leases).name for trunk in TRUNKS}


def test_each_trunk_has_one_gateway_and_all_have_about_as_many():
    found = Counter(holders([lease("a"), lease("b"), lease("c")]).values())
    assert set(found) == {"a", "b", "c"}
    assert all(800 < count < 1200 for count in found.values())


def test_a_gateway_that_goes_or_comes_moves_its_own_trunks_only():
    three, two = [lease("a"), lease("b"), lease("c")], [lease("a"), lease("c")]
    before, after = holders(three), holders(two)
    assert all(after[each] == before[each] for each in TRUNKS if before[each] != "b")
    assert {after[each] for each in TRUNKS if before[each] == "b"} == {"a", "c"}


def test_a_lease_that_was_not_renewed_counts_no_more():
    assert live([lease("a"), lease("b", until=NOW)], NOW) == [lease("a")]
    assert holder("trunk_1", []) is None


def registered(leases, now):
    """Who has each trunk registered."""
    return {
        trunk: {each.name for each in leases if registers(each.name, trunk, leases, now)}
        for trunk in TRUNKS
    }


def test_a_gateway_that_comes_registers_nothing_until_the_others_have_dropped_it():
    leases = [lease("a"), lease("b", since=NOW)]
    at_first, settled = registered(leases, NOW), registered(leases, NOW + SETTLE_MS)
    owners = holders(leases)
    assert at_first == {each: {"a"} if owners[each] == "a" else set() for each in TRUNKS}
    assert settled == {each: {owners[each]} for each in TRUNKS}


def test_the_first_gateway_waits_for_nobody():
    leases = [lease("a", since=NOW)]
    assert all(found == {"a"} for found in registered(leases, NOW).values())


def test_a_gateway_that_drains_stays_registered_while_the_others_register_its_trunks():
    before = holders([lease("a"), lease("b")])
    leases = [lease("a"), lease("b", draining=NOW)]
    for trunk, found in registered(leases, NOW + HANDOVER_MS - 1).items():
        assert found == ({"a", "b"} if before[trunk] == "b" else {"a"})
    assert all(found == {"a"} for found in registered(leases, NOW + HANDOVER_MS).values())


def test_if_all_gateways_drain_each_keeps_what_it_has():
    before = holders([lease("a"), lease("b")])
    leases = [lease("a", draining=NOW), lease("b", draining=NOW)]
    found = registered(leases, NOW + 10 * HANDOVER_MS)
    assert found == {trunk: {name} for trunk, name in before.items()}


def test_a_gateway_without_a_lease_registers_nothing():
    assert not registers("stranger", "trunk_1", [lease("a")], NOW)


@pytest.mark.parametrize(
    ("before", "after", "later"),
    [
        ([lease("a")], [lease("a"), lease("b")], 0),
        ([lease("a"), lease("b")], [lease("a")], 0),
        ([lease("a"), lease("b")], [lease("a"), lease("b", draining=NOW)], 0),
        ([lease("b"), lease("a", since=NOW)], [lease("b"), lease("a", since=NOW)], SETTLE_MS),
        ([lease("b"), lease("a", draining=NOW)], [lease("b"), lease("a", draining=NOW)],
         HANDOVER_MS),
    ],
)  # fmt: skip
def test_a_gateway_is_told_whenever_other_trunks_may_be_its(before, after, later):
    assert division("a", before, NOW) != division("a", after, NOW + later)
    assert division("a", before, NOW) == division("a", before, NOW + later // 2)


def test_a_gateway_asks_again_when_another_one_s_lease_ends_and_ten_seconds_later_at_most():
    dying = lease("b", until=NOW + 3000)
    assert NOW + 3000 < NOW + ask_again_ms("a", [lease("a"), dying], NOW) < NOW + 3500
    assert ask_again_ms("a", [lease("a"), lease("b")], NOW) < RENEW_EVERY_MS + 500
    # So a gateway that dies is taken over within its lease and a moment.
    assert LEASE_MS + 500 < 30_000


def test_a_gateway_asks_again_when_it_has_settled_or_handed_over():
    leases = [lease("b"), lease("a", since=NOW)]
    assert SETTLE_MS < ask_again_ms("a", leases, NOW) < SETTLE_MS + 500
    leases = [lease("b"), lease("a", draining=NOW - 4000)]
    assert HANDOVER_MS - 4000 < ask_again_ms("a", leases, NOW) < HANDOVER_MS - 3500
