"""Tests transfers under any order of acts and posts, and under races of two at a time.

After each order no leg is left alone, each transfer that began has one outcome, and the table says
the same as the events.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import threading

import pytest

from chalicelib.domain.call import Refused
from chalicelib.domain.call_line import LinePhase, phase
from chalicelib.domain.call_transitions import Act
from chalicelib.domain.dial_rules import NotDialled
from chalicelib.services import inbox
from chalicelib.services.call import call_control, hold, media, outbound, transfer
from chalicelib.services.call.dial import NotPlaced
from chalicelib.services.call.transfer import TransferRequest
from chalicelib.services.call.transition import TooBusy, UnknownCall, settle
from chalicelib.store.table import Contention
from tests.support.relay_door import talking, with_door
from tests.support.thorough import often
from tests.support.world import CALLEE

OUTCOMES = ("call.transfer.completed", "call.transfer.failed")
NO_ERRORS = (Refused, NotDialled, NotPlaced, UnknownCall, TooBusy, Contention)
ENDS = [("busy", 486), ("no-answer", None), ("failed", 603), ("failed", 500), ("completed", None)]
REPORTS = ["watch", "agent_hangup", "agent_lost", "no_agent", "media_lost", "max_duration"]


class Scene:
    """An active call and the acts that may happen to it, and to the calls of its transfers."""

    def __init__(self, world, chance: random.Random) -> None:
        self.world, self.chance = world, chance
        world.provider.refers = True
        self.account_id, _ = world.new_account()
        world.register_trunk(self.account_id)
        number = world.new_number(self.account_id)
        before, world.account_id, world.number = world.account_id, self.account_id, number
        try:
            self.call = talking(world, voice="own")
        finally:
            world.account_id = before

    @property
    def acts(self):
        return [
            self.hold, self.resume, self.start, self.start, self.complete, self.cancel,
            self.caller_hangs_up, self.third_party_answers, self.third_party_answers,
            self.third_party_rings, self.third_party_is_gone, self.relay_reports, self.leave,
            self.network_tells, self.network_is_silent,
        ]  # fmt: skip

    def legs(self):
        page = self.world.stores.calls.page(
            self.account_id, state=None, direction="outbound", limit=50, after=None
        )[0]
        return [each for each in page if each.kind == "transfer_leg"]

    def posted(self, act, *more):
        legs = [leg for leg in self.legs() if leg.provider_call_id]
        if legs:
            leg = self.chance.choice(legs)
            act(self.world.deps, "gateway", leg.call_id, leg.provider_call_id, *more)

    def hold(self):
        hold.hold(self.world.deps, self.account_id, self.call.call_id, self.chance.random() < 0.5)

    def resume(self):
        hold.resume(self.world.deps, self.account_id, self.call.call_id)

    def start(self):
        chance = self.chance
        wanted = TransferRequest(
            chance.choice([CALLEE, "+33199004321"]),
            chance.choice(["cold", "warm", "refer"]),
            on_failure=chance.choice(["resume", "resume", "hang_up"]),
        )
        transfer.start(self.world.deps, self.account_id, self.call.call_id, wanted)

    def complete(self):
        transfer.complete(self.world.deps, self.account_id, self.call.call_id)

    def cancel(self):
        transfer.cancel(self.world.deps, self.account_id, self.call.call_id)

    def caller_hangs_up(self):
        settle(self.world.deps, self.world.reread(self.call), Act.CALLER_HANGUP)

    def leave(self):
        which = self.chance.choice([self.call, *self.legs()])
        call_control.leave(self.world.deps, self.account_id, which.call_id)

    def third_party_rings(self):
        self.posted(outbound.handle_status, "ringing", None)

    def third_party_answers(self):
        self.posted(outbound.answered)

    def third_party_is_gone(self):
        self.posted(outbound.handle_status, *self.chance.choice(ENDS))

    def network_tells(self):
        code = self.chance.choice([180, 200, 202, 408, 486, 603])
        call = self.call
        transfer.referred(self.world.deps, call.call_id, call.provider_call_id or "", code)

    def network_is_silent(self):
        self.world.clock.advance(transfer.REFERRAL_MS / 1000)
        transfer.give_up_referral(self.world.deps, self.world.reread(self.call))

    def relay_reports(self):
        which = self.chance.choice([self.call, *self.legs()])
        kind = self.chance.choice(REPORTS)
        media.report(self.world.deps, "relay-1", which.call_id, kind)

    def events(self):
        cursor, found = None, []
        while True:
            page, cursor = inbox.read(self.world.deps, self.account_id, cursor, 0)
            if not page:
                return found
            found += page

    def check(self):
        """What holds whenever nothing is under way."""
        call, legs, events = self.world.reread(self.call), self.legs(), self.events()
        now = phase(call.media_line)
        under_way = now in (LinePhase.COLD, LinePhase.WARM, LinePhase.CONSULTING)
        wanted = call.media_line.transfer.call_id if call.media_line.transfer else None
        for leg in legs:
            alive = not call.state.final and leg.call_id == wanted
            alive = alive and (under_way or now is LinePhase.JOINED)
            assert alive or leg.state.final, (now, leg)
            assert leg.state.final or now is not LinePhase.COLD or leg.answered_at is None
        if now is LinePhase.JOINED and not call.state.final:
            (leg,) = [each for each in legs if each.call_id == wanted]
            assert leg.media_line.peer == call.call_id
            assert not leg.state.final
        live = {leg.call_id for leg in legs if not leg.state.final}
        assert self.world.stores.dialling.get(self.account_id).calls == live
        assert now not in (LinePhase.LEAVING, LinePhase.ENDING) or call.state.final
        under_way = under_way or now is LinePhase.REFER
        self.check_events(events, legs, under_way and not call.state.final)

    def check_events(self, events, legs, under_way):
        began = [e.data["transfer_id"] for e in events if e.type == "call.transfer.started"]
        over = [e.data["transfer_id"] for e in events if e.type in OUTCOMES]
        dialled = [e for e in events if e.type == "call.transfer.started" and _by_us(e)]
        assert len(set(began)) == len(began)
        assert len(dialled) == len(legs)
        assert len(set(over)) == len(over)
        assert set(began[:-1] if under_way else began) == set(over)
        held = [e.type.value for e in events if e.type in ("call.held", "call.unheld")]
        assert all(a != b for a, b in itertools.pairwise(held))
        finals = [e for e in events if e.type in ("call.ended", "call.failed", "call.declined")]
        assert len({e.call_id for e in finals}) == len(finals)


def _by_us(started):
    return started.data["mode"] != "refer"


@pytest.fixture
def door(world):
    return with_door(world)


def run(act):
    with contextlib.suppress(*NO_ERRORS):
        act()


@pytest.mark.parametrize("seed", range(often(40, 400)))
def test_no_order_of_acts_leaves_a_leg_alone(world, door, seed):
    chance = random.Random(seed)
    scene = Scene(world, chance)
    run(scene.start)
    for _ in range(chance.randint(1, 14)):
        world.clock.advance(chance.choice([0, 0.001, 1]))
        run(chance.choice(scene.acts))
        scene.check()


RACES = [
    ("caller_hangs_up", "third_party_answers"),
    ("caller_hangs_up", "start"),
    ("start", "start"),
    ("start", "hold"),
    ("third_party_answers", "cancel"),
    ("third_party_answers", "third_party_is_gone"),
    ("complete", "third_party_is_gone"),
    ("complete", "caller_hangs_up"),
    ("complete", "cancel"),
    ("leave", "third_party_answers"),
    ("relay_reports", "third_party_answers"),
    ("network_tells", "cancel"),
    ("network_tells", "network_is_silent"),
    ("network_tells", "relay_reports"),
]


@pytest.mark.deep
@pytest.mark.parametrize("names", RACES, ids="-".join)
@pytest.mark.parametrize("mode", ["cold", "warm", "answered", "refer", "none"])
def test_no_race_of_two_acts_leaves_a_leg_alone(world, door, names, mode):
    """Five races of each two acts at each step: some are won by one, some by the other."""
    for seed in range(often(5, 100)):
        scene = Scene(world, random.Random(seed))
        if mode != "none":
            wanted = TransferRequest(CALLEE, "warm" if mode == "answered" else mode)
            transfer.start(world.deps, scene.account_id, scene.call.call_id, wanted)
        if mode == "answered":
            scene.third_party_answers()
        barrier = threading.Barrier(2)

        def racing(name, scene=scene, barrier=barrier):
            barrier.wait()
            run(getattr(scene, name))

        other = threading.Thread(target=racing, args=(names[1],))
        other.start()
        racing(names[0])
        other.join()
        scene.check()
