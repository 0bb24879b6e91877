"""Accept, decline, caller hang-up and deadline at the same moment, on a truly atomic engine."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from chalicelib.domain.call import Call, Refused
from chalicelib.problems import problem_from
from chalicelib.services import answer, decline, inbox, miss, ring
from tests.support.world import World

ROUNDS, CROWD = 200, 20


def test_one_winner_each_round_and_every_loser_sees_the_call_as_it_is(empty_table):
    world = World(empty_table)
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    with ThreadPoolExecutor(CROWD) as crowd:
        for number in range(ROUNDS):
            _play_round(world, crowd, chance, f"round {number} of seed {seed}")
    assert _events_match_histories(world)


def _play_round(world: World, crowd: ThreadPoolExecutor, chance: random.Random, name: str) -> None:
    call = world.ringing()
    # Clocks differ: those who answer believe it is just before the deadline, the timer just after.
    before = replace(world.ports, now=lambda: call.ring_deadline - 1)
    after = replace(world.ports, now=lambda: call.ring_deadline)
    gone = world.incoming(sid=call.provider_call_id)
    acts = [
        lambda: answer.accept(before, world.account_id, call.call_id),
        lambda: decline.refuse(before, world.account_id, call.call_id),
        lambda: miss.expire(after, call.call_id),
        lambda: ring.caller_gone(before, gone, failed=False),
    ]
    chosen = acts + chance.choices(acts, k=CROWD - len(acts))
    chance.shuffle(chosen)
    barrier = threading.Barrier(CROWD)

    def run(act):
        barrier.wait()
        try:
            return act()
        except Refused as refused:
            return refused

    outcomes = list(crowd.map(run, chosen))
    final = world.now_of(call)
    out_of_ringing = [o for o in outcomes if isinstance(o, Call) and o.version == 2]
    answers = [
        o
        for act, o in zip(chosen, outcomes, strict=True)
        if act in acts[:2] and isinstance(o, Call)
    ]
    assert len(answers) <= 1, name
    assert len({o.state for o in out_of_ringing}) <= 1, name
    assert final.history[1].state is not final.history[0].state, name
    # Only an answered call moves once more: its caller may hang up.
    assert final.version == 2 or final.history[1].state.value == "active", name
    assert final.version <= 3, name
    for loser in (o for o in outcomes if isinstance(o, Refused)):
        told = problem_from(loser)
        assert told.status == 409, name
        assert told.extra["call"]["version"] >= 2, name
        shown = told.extra["call"]["state"]
        assert shown in {entry.state.value for entry in final.history[1:]}, name


def _events_match_histories(world: World) -> bool:
    counted: dict[str, list[str]] = {}
    cursor = None
    while True:
        page, cursor = inbox.read(world.ports, world.account_id, cursor, 0)
        if not page:
            break
        for event in page:
            if event.call_id:
                counted.setdefault(event.call_id, []).append(event.data["call"]["state"])
    assert len(counted) == ROUNDS
    for call_id, states in counted.items():
        call = world.ports.calls.get(call_id)
        assert call is not None
        assert states == [entry.state.value for entry in call.history], call_id
    return True
