"""Tests of holding a call: what the relay and the owner are told, and which reports count."""

from __future__ import annotations

import threading

import pytest

from chalicelib.domain.call import Refused, apply, change_line
from chalicelib.domain.call_line import MUSIC, LineAct
from chalicelib.domain.call_transitions import Act, CallState
from chalicelib.services.call import call_control, hold, live_media, media
from chalicelib.services.call.transition import UnknownCall, settle
from chalicelib.store.calls import Stale
from tests.support.relay_door import refused, talking, with_door


@pytest.fixture
def door(world):
    return with_door(world)


@pytest.fixture
def call(world, door):
    return talking(world, voice="own")


def lines(door):
    return [each["params"].get("line") for each in door.asked if each["method"] == "changed"]


def test_a_held_call_is_told_to_its_relay_and_its_owner(world, door, call):
    held = hold.hold(world.deps, world.account_id, call.call_id, True)
    assert held.media_line.mode == "hold"
    assert lines(door) == [{"number": 1, "mode": "hold", "source": {"kind": "music"}}]
    resumed = hold.resume(world.deps, world.account_id, call.call_id)
    assert resumed.media_line.mode == "agent"
    assert lines(door)[1:] == [{"number": 2, "mode": "agent", "source": None}]
    assert world.events()[-2:] == ["call.held", "call.unheld"]
    assert world.reread(call) == resumed
    assert resumed.version == call.version


def test_silence_may_be_had_instead_of_music(world, door, call):
    hold.hold(world.deps, world.account_id, call.call_id, False)
    assert lines(door)[-1]["source"] == {"kind": "silence"}


def test_resuming_a_call_that_is_not_held_changes_nothing(world, door, call):
    assert hold.resume(world.deps, world.account_id, call.call_id) == call
    assert lines(door) == []


def test_only_an_active_call_of_ones_own_can_be_held(world, door, call):
    stranger, _ = world.new_account()
    with pytest.raises(UnknownCall):
        hold.hold(world.deps, stranger, call.call_id, True)
    with pytest.raises(Refused) as refused:
        hold.hold(world.deps, world.account_id, world.ringing().call_id, True)
    assert refused.value.code == "call_not_active"
    call_control.leave(world.deps, world.account_id, call.call_id)
    with pytest.raises(Refused) as refused:
        hold.resume(world.deps, world.account_id, call.call_id)
    assert refused.value.code == "call_over"


@pytest.mark.parametrize("kind", ["agent_lost", "no_agent"])
def test_an_agent_that_is_lost_while_its_caller_is_held_does_not_end_the_call(world, call, kind):
    hold.hold(world.deps, world.account_id, call.call_id, True)
    assert media.report(world.deps, "relay-1", call.call_id, kind).state is CallState.ACTIVE
    hold.resume(world.deps, world.account_id, call.call_id)
    assert media.report(world.deps, "relay-1", call.call_id, kind).state is CallState.ENDED


def test_an_agent_may_hang_up_while_its_caller_is_held(world, call):
    hold.hold(world.deps, world.account_id, call.call_id, True)
    over = media.report(world.deps, "relay-1", call.call_id, "agent_hangup")
    assert over.end_reason == "agent_hangup"


def test_holds_and_an_end_at_the_same_time_lose_nothing(world, call):
    """Each is one conditional write: the end is not overwritten, and lines are numbered densely."""
    barrier = threading.Barrier(4)

    def race(act):
        barrier.wait()
        for music in (True, False, True):
            try:
                act(music)
            except Refused:
                return

    def holding(music):
        hold.hold(world.deps, world.account_id, call.call_id, music)

    def resuming(_):
        hold.resume(world.deps, world.account_id, call.call_id)

    def ending(_):
        settle(world.deps, world.reread(call), Act.CALLER_HANGUP)

    threads = [threading.Thread(target=race, args=(act,)) for act in (holding, resuming, holding)]
    for thread in threads:
        thread.start()
    race(ending)
    for thread in threads:
        thread.join()
    over = world.reread(call)
    assert over.state is CallState.ENDED
    told = world.events()
    assert told.count("call.ended") == 1
    assert 0 <= told.count("call.held") - told.count("call.unheld") <= 1


def test_a_write_from_an_old_reading_of_the_line_is_refused(world, call):
    now = world.clock.ms
    held = change_line(call, LineAct.HOLD, now, source=MUSIC)
    world.stores.call_lines.change(now, (call, held))
    with pytest.raises(Stale):
        world.stores.call_lines.change(now, (call, held))
    with pytest.raises(Stale):
        world.stores.calls.move(call, apply(call, Act.CALLER_HANGUP, now), now)
    assert world.reread(call) == held.call
    world.stores.calls.move(held.call, apply(held.call, Act.CALLER_HANGUP, now), now)
    with pytest.raises(Stale):
        world.stores.call_lines.change(now, (held.call, held))
    assert world.reread(call).state is CallState.ENDED


@pytest.mark.parametrize("act", [live_media.clear, lambda *of: live_media.send_digits(*of, "1")])
def test_keys_and_clear_are_refused_while_the_far_end_does_not_hear_the_agent(
    world, door, call, act
):
    hold.hold(world.deps, world.account_id, call.call_id, True)
    door.asked.clear()
    with pytest.raises(Refused) as refusal:
        act(world.deps, world.account_id, call.call_id)
    assert (refusal.value.code, door.methods) == ("call_held", [])


def test_a_hold_that_the_relay_knows_of_first_refuses_keys_too(world, door, call):
    door.answering = [refused("held")]
    with pytest.raises(Refused) as refusal:
        live_media.send_digits(world.deps, world.account_id, call.call_id, "1")
    assert refusal.value.code == "call_held"
