"""Tests of the decision which of a call's routes is tried next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calls.leg import Route
from gateway.legs.sip.fall_over import FallOver, Fitness

A, B, C = (Route(name, "1", "2") for name in "ABC")
UP, DOWN, UNFIT = Fitness.UP, Fitness.DOWN, Fitness.UNFIT


def choosing(**fitness):
    """The choice among routes A, B, C… of that fitness, which a test may change."""
    routes = [Route(name, "1", "2") for name in fitness]
    return FallOver(routes, lambda route: fitness[route.trunk_id])


def test_routes_are_tried_in_their_order():
    routes = choosing(A=UP, B=UP, C=UP)
    assert [routes.next(), routes.next(), routes.next(), routes.next()] == [A, B, C, None]


def test_a_route_that_is_not_fit_is_passed_over():
    assert choosing(A=UNFIT, B=UP).next() == B
    assert choosing(A=DOWN, B=UP).next() == B
    assert choosing(A=UNFIT, B=UNFIT).next() is None


def test_a_trunk_that_is_down_is_tried_if_no_other_is_up():
    routes = choosing(A=UNFIT, B=DOWN, C=DOWN)
    assert routes.next() == B
    assert not routes.more
    assert routes.next() is None


def test_a_route_before_the_one_that_was_tried_is_not_gone_back_to():
    fitness = {"A": DOWN, "B": UP}
    routes = FallOver([A, B], lambda route: fitness[route.trunk_id])
    assert routes.next() == B
    fitness["A"] = UP
    assert routes.next() is None


def test_fitness_counts_at_the_time_of_the_try():
    fitness = {"A": UP, "B": UNFIT}
    routes = FallOver([A, B], lambda route: fitness[route.trunk_id])
    assert routes.next() == A
    assert not routes.more
    fitness["B"] = UP
    assert routes.more
    assert routes.next() == B


@pytest.mark.parametrize("code", [401, 403, 407, 408, 500, 502, 503, 504, 580, 599])
def test_an_answer_about_the_trunk_leads_to_the_next_route(code):
    assert choosing(A=UP).goes_on(code)


@pytest.mark.parametrize("code", [200, 302, 400, 404, 410, 480, 484, 486, 487, 488, 600, 603, 606])
def test_an_answer_about_the_called_party_is_final(code):
    assert not choosing(A=UP).goes_on(code)


def test_a_call_that_is_settled_goes_nowhere_else():
    routes = choosing(A=UP, B=UP)
    routes.next()
    routes.settle()
    assert not routes.goes_on(503)
    assert not routes.more
    assert routes.next() is None


@given(st.lists(st.sampled_from(Fitness), max_size=4), st.booleans())
def test_each_route_is_tried_once_at_most_and_an_unfit_one_never(fitness, settles):
    named = dict(zip("ABCD", fitness, strict=False))
    routes = choosing(**named)
    tried = []
    while (route := routes.next()) is not None:
        tried.append(route.trunk_id)
        if settles:
            routes.settle()
    assert tried == sorted(set(tried))
    assert not any(named[each] is UNFIT for each in tried)
    assert bool(tried) == any(each is not UNFIT for each in fitness)
