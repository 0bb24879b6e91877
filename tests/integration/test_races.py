"""Tests of races between accept, decline, hang-up and deadline, and between dials, on an atomic
engine.
"""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from chalicelib.domain.call import Call, Refused
from chalicelib.domain.call_transitions import Act, CallState
from chalicelib.domain.dial_rules import NotDialled
from chalicelib.problems import problem_from
from chalicelib.services import inbox
from chalicelib.services.call import call_control, inbound, outbound
from chalicelib.services.call.transition import settle
from tests.support.thorough import often
from tests.support.world import World

ROUNDS, CROWD = often(60, 1000), 20
DIALS = 30


@pytest.mark.deep
def test_one_act_wins_each_race_and_every_loser_gets_409_with_the_call(empty_table):
    world = World(empty_table)
    world.allow_many_calls()
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    with ThreadPoolExecutor(CROWD) as crowd:
        for number in range(ROUNDS):
            _play_round(world, crowd, chance, f"round {number} of seed {seed}")
    assert _events_match_histories(world)


def _play_round(world: World, crowd: ThreadPoolExecutor, chance: random.Random, name: str) -> None:
    call = world.ringing()
    # Clocks differ: those who answer believe it is just before the deadline, the timer just after.
    before = replace(world.deps, now=lambda: call.ring_deadline - 1)
    after = replace(world.deps, now=lambda: call.ring_deadline)
    gone = world.incoming(sid=call.provider_call_id)
    acts = [
        lambda: call_control.accept(before, world.account_id, call.call_id),
        lambda: call_control.decline(before, world.account_id, call.call_id),
        lambda: call_control.expire(after, call.call_id),
        lambda: inbound.caller_gone(before, gone, failed=False),
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
    final = world.reread(call)
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
        refusal = problem_from(loser)
        assert refusal.status == 409, name
        assert refusal.extra["call"]["version"] >= 2, name
        shown = refusal.extra["call"]["state"]
        assert shown in {entry.state.value for entry in final.history[1:]}, name


def test_concurrent_dials_never_exceed_the_account_s_limit(empty_table):
    world = World(empty_table)
    world.register_trunk()
    barrier = threading.Barrier(DIALS)

    def dial(number):
        barrier.wait()
        try:
            return world.dial(f"+331990012{number:02d}")
        except NotDialled as refused:
            return refused

    with ThreadPoolExecutor(DIALS) as crowd:
        outcomes = list(crowd.map(dial, range(DIALS)))
        calls = [outcome for outcome in outcomes if isinstance(outcome, Call)]
        refusals = [outcome.code for outcome in outcomes if isinstance(outcome, NotDialled)]
        assert (len(calls), refusals) == (5, ["too_many_dials"] * (DIALS - 5))
        assert len(world.provider.dialled) == 5
        live = {call.call_id for call in calls}
        assert world.stores.dialling.get(world.account_id).calls == live
        assert {call.call_id for call in world.stores.calls.live()} == live
        # All end at once, each for many reasons; five more are let in, and then the rate is met.
        list(crowd.map(lambda call: settle(world.deps, call, Act.BUSY), calls * 3))
        assert world.stores.dialling.get(world.account_id).calls == frozenset()
        barrier.reset()
        again = list(crowd.map(dial, range(DIALS)))
    calls = [outcome for outcome in again if isinstance(outcome, Call)]
    refusals = {outcome.code for outcome in again if isinstance(outcome, NotDialled)}
    assert len(calls) == 5
    assert refusals <= {"too_many_dials", "dial_rate"}
    assert len(world.stores.dialling.get(world.account_id).recent) == 10


def test_concurrent_posts_lose_neither_the_providers_id_nor_the_calls_end(empty_table):
    """Callbacks, the answer to the order and the agent's hang-up, all at once."""
    world = World(empty_table)
    world.register_trunk()
    with ThreadPoolExecutor(8) as crowd:
        for number in range(40):
            _play_dialled_round(world, crowd, number)


def _play_dialled_round(world: World, crowd: ThreadPoolExecutor, number: int) -> None:
    world.clock.advance(10)
    waiting, sids = [], []

    def posts(order, sid):
        barrier = threading.Barrier(5)
        sids.append(sid)

        def run(act):
            barrier.wait()
            act()

        for act in (
            lambda: outbound.handle_status(
                world.deps, "gateway", order.call_id, sid, "initiated", None
            ),
            lambda: outbound.handle_status(
                world.deps, "gateway", order.call_id, sid, "ringing", None
            ),
            lambda: outbound.answered(world.deps, "gateway", order.call_id, sid),
            lambda: outbound.handle_status(
                world.deps, "gateway", order.call_id, sid, "completed", 200
            ),
        ):
            waiting.append(crowd.submit(run, act))
        barrier.wait()

    world.provider.meanwhile = posts
    call = world.dial()
    for post in waiting:
        post.result()
    final = world.reread(call)
    assert final.provider_call_id == sids[0], number
    assert final.state is CallState.ENDED, number
    assert [entry.version for entry in final.history] == list(range(1, final.version + 1)), number
    assert world.stores.dialling.get(world.account_id).calls == frozenset(), number


def _events_match_histories(world: World) -> bool:
    counted: dict[str, list[str]] = {}
    cursor = None
    while True:
        page, cursor = inbox.read(world.deps, world.account_id, cursor, 0)
        if not page:
            break
        for event in page:
            if event.call_id:
                counted.setdefault(event.call_id, []).append(event.data["call"]["state"])
    assert len(counted) == ROUNDS
    for call_id, states in counted.items():
        call = world.stores.calls.get(call_id)
        assert call is not None
        assert states == [entry.state.value for entry in call.history], call_id
    return True
