"""Timers as data."""

from __future__ import annotations

from gateway.sip.transaction.timers import Timers


class Owner:
    def __init__(self):
        self.woken = []

    def on_timer(self, name, now):
        self.woken.append((name, now))


def test_timers_run_out_in_their_order_and_once():
    timers, owner = Timers(), Owner()
    timers.start(owner, "b", 2)
    timers.start(owner, "a", 1)
    timers.start(owner, "c", 9)
    assert timers.next_at() == 1
    timers.fire(5)
    timers.fire(5)
    assert owner.woken == [("a", 5), ("b", 5)]
    assert (timers.next_at(), len(timers)) == (9, 1)


def test_a_timer_of_the_same_name_is_replaced():
    timers, owner = Timers(), Owner()
    timers.start(owner, "a", 1)
    timers.start(owner, "a", 3)
    assert len(timers) == 1
    timers.fire(2)
    assert owner.woken == []
    timers.fire(3)
    assert owner.woken == [("a", 3)]


def test_a_timer_that_was_stopped_wakes_nobody():
    timers, owner, other = Timers(), Owner(), Owner()
    for name in "abc":
        timers.start(owner, name, 1)
    timers.start(other, "a", 1)
    timers.stop(owner, "a", "unknown")
    assert timers.runs(owner, "b")
    assert not timers.runs(owner, "a")
    timers.stop(owner)
    timers.stop(owner)
    timers.fire(1)
    assert owner.woken == []
    assert other.woken == [("a", 1)]
    assert (timers.next_at(), len(timers)) == (None, 0)


def test_a_timer_may_be_stopped_by_one_that_runs_out_at_the_same_time():
    timers, victim = Timers(), Owner()

    class Stopper(Owner):
        def on_timer(self, name, now):
            timers.stop(victim)

    timers.start(Stopper(), "a", 1)
    timers.start(victim, "a", 1)
    timers.fire(1)
    assert victim.woken == []


def test_what_is_stopped_again_and_again_is_not_kept():
    timers, owner = Timers(), Owner()
    timers.start(owner, "keep", 1e9)
    for nth in range(50_000):
        timers.start(owner, "a", 1e6 + nth)
    assert len(timers) == 2
    assert len(timers._heap) < 3000
