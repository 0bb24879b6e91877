"""Tests of holds by the far end: what the call shows, and which events there are."""

from __future__ import annotations

import itertools

import pytest

from chalicelib.domain.call import public_view
from chalicelib.domain.call_transitions import Act
from chalicelib.services import inbox
from chalicelib.services.call import far_end_hold, hold, transition
from chalicelib.store.calls import Stale

HELD, UNHELD = "call.held", "call.unheld"


@pytest.fixture
def call(world):
    return transition.act_on(world.deps, world.ringing(), Act.ANSWER)


def posted(world, call, held, sequence):
    world.clock.advance(0.01)
    far_end_hold.note(world.deps, call.call_id, held=held, sequence=sequence)


def holds(world):
    return [type_ for type_ in world.events() if type_ in (HELD, UNHELD)]


def shown(world, call):
    return public_view(world.reread(call)).get("hold", "none")


def test_a_hold_and_its_end_are_shown_and_told_once_each(world, call):
    posted(world, call, held=True, sequence=1)
    assert shown(world, call) == "far_end"
    posted(world, call, held=True, sequence=1)
    posted(world, call, held=False, sequence=2)
    assert shown(world, call) == "none"
    assert holds(world) == [HELD, UNHELD]
    events, _ = inbox.read(world.deps, world.account_id, None, 0)
    assert events[-1].data == {"call_id": call.call_id, "by": "far_end"}
    assert world.reread(call).version == call.version


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_in_whatever_order_posts_come_the_last_state_is_the_one_that_is_kept(world, call, order):
    posts = [(True, 4), (False, 5), (True, 6)]
    for number in order:
        posted(world, call, *posts[number])
    assert shown(world, call) == "far_end"
    told = holds(world)
    assert told[-1] == HELD
    assert all(one != other for one, other in itertools.pairwise(told))


def test_a_hold_survives_the_transitions_of_the_call_and_is_not_shown_after_its_end(world, call):
    posted(world, call, held=True, sequence=1)
    over = transition.act_on(world.deps, call, Act.CALLER_HANGUP)  # read before the hold
    assert over.far_end_held
    assert "hold" not in public_view(over)
    posted(world, call, held=False, sequence=2)
    assert holds(world) == [HELD]


def test_a_hold_that_is_told_before_the_answer_counts(world):
    ringing = world.ringing()
    posted(world, ringing, held=True, sequence=1)
    transition.act_on(world.deps, ringing, Act.ANSWER)
    assert shown(world, ringing) == "far_end"


def test_of_two_posts_at_once_each_is_decided_on_what_the_other_has_written(
    world, call, monkeypatch
):
    write, raced = world.stores.calls.note_far_end_hold, []

    def race(*arguments):
        if not raced:
            raced.append(True)
            posted(world, call, held=True, sequence=2)
        return write(*arguments)

    monkeypatch.setattr(world.stores.calls, "note_far_end_hold", race)
    posted(world, call, held=True, sequence=1)
    assert holds(world) == [HELD]
    assert world.reread(call).far_end_hold_sequence == 2


def test_a_write_on_an_old_state_is_refused(world, call):
    posted(world, call, held=True, sequence=1)
    with pytest.raises(Stale):
        world.stores.calls.note_far_end_hold(call, False, 2, None)


def test_a_post_about_no_call_changes_nothing(world):
    far_end_hold.note(world.deps, "call_" + "a" * 26, held=True, sequence=1)
    assert holds(world) == []


def test_a_hold_of_ones_own_is_shown_before_the_far_end_s(world, call):
    posted(world, call, held=True, sequence=1)
    world.clock.advance(0.01)
    hold.hold(world.deps, world.account_id, call.call_id, music=False)
    assert shown(world, call) == "agent"
    posted(world, call, held=False, sequence=2)
    posted(world, call, held=True, sequence=3)
    world.clock.advance(0.01)
    hold.resume(world.deps, world.account_id, call.call_id)
    assert shown(world, call) == "far_end"
    assert holds(world) == [HELD, HELD, UNHELD, HELD, UNHELD]
