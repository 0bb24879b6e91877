"""Tests calls under any order of acts and posts: repeated, late, overtaken; inbound and outbound.

A hypothesis state machine drives the services on a truly atomic engine and checks after each step
that no call ever has two ends, that versions only rise, and that each transition has its one event.
"""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from chalicelib.domain.call import Refused
from chalicelib.domain.call_id import inbound_call_id
from chalicelib.domain.dial_rules import NotDialled
from chalicelib.domain.line import LineChanges
from chalicelib.services import inbox, sweep
from chalicelib.services.call import call_control, inbound, media, outbound
from chalicelib.services.call.dial import NotPlaced
from chalicelib.services.call.transition import UnknownCall
from chalicelib.services.line import numbers
from tests.support.thorough import often
from tests.support.world import World

STATUSES = ["initiated", "ringing", "in-progress", "busy", "no-answer", "failed", "canceled",
            "completed"]  # fmt: skip
SIP_CODES = [None, 200, 404, 486, 487, 500, 603]
MOST_DIALS = 5
REPORTS = ["watch", "agent_hangup", "agent_lost", "no_agent", "media_lost", "max_duration"]


class AnyOrder(RuleBasedStateMachine):
    """Calls of one account; `sids` are the provider's calls, announced or not yet; `dialled` are
    pairs of a call of ours and the provider's.
    """

    sids = Bundle("sids")
    dialled = Bundle("dialled")
    world: World  # set by the test: all examples share a table, each has an account of its own

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, int] = {}
        self.over: dict[str, object] = {}
        self.events: dict[str, list[str]] = {}
        self.cursor: str | None = None

    @initialize()
    def begin(self):
        self.account_id, _ = self.world.new_account()
        self.number = self.world.new_number(self.account_id)
        self.cursor = None
        self.world.register_trunk(self.account_id)

    @rule(
        target=dialled,
        number=st.sampled_from(["+33199001234", "+33199004321"]),
        before=st.lists(st.sampled_from([*STATUSES, "answered", "leave"]), max_size=2),
        lost=st.booleans(),
    )
    def dial_out(self, number, before, lost):
        """Some posts, or a hang-up, come before the provider's answer, which may be lost."""
        placed = []

        def meanwhile(order, sid):
            placed.append((order.call_id, sid))
            self.seen.setdefault(order.call_id, 0)
            for what in before:
                if what == "leave":
                    self.agent_acts_on(order.call_id, call_control.leave)
                elif what == "answered":
                    outbound.answered(self.world.deps, "gateway", order.call_id, sid)
                else:
                    outbound.handle_status(
                        self.world.deps, "gateway", order.call_id, sid, what, None
                    )

        self.world.provider.meanwhile, self.world.provider.down = meanwhile, lost
        with contextlib.suppress(NotDialled, NotPlaced):
            self.world.dial(number, self.account_id)
        self.world.provider.meanwhile, self.world.provider.down = None, False
        return multiple(*placed)

    @rule(pair=dialled)
    def called_party_answers(self, pair):
        outbound.answered(self.world.deps, "gateway", *pair)

    @rule(pair=dialled)
    def stream_of_a_dialled_call_ends(self, pair):
        outbound.resume(self.world.deps, "gateway", *pair)

    @rule(pair=dialled, status=st.sampled_from(STATUSES), code=st.sampled_from(SIP_CODES))
    def status_of_a_dialled_call(self, pair, status, code):
        outbound.handle_status(self.world.deps, "gateway", *pair, status, code)

    @rule(pair=dialled, other=st.sampled_from(["answered", "resume", "handle_status"]))
    def a_foreign_post(self, pair, other):
        call = self.world.stores.calls.get(pair[0])
        if call.provider_call_id is None:
            return
        more = ("busy", 486) if other == "handle_status" else ()
        with contextlib.suppress(UnknownCall):
            getattr(outbound, other)(self.world.deps, "gateway", pair[0], "CA-other", *more)
            raise AssertionError("a foreign post came through")
        assert self.world.stores.calls.get(pair[0]) == call

    @rule(
        pair=dialled,
        act=st.sampled_from([call_control.accept, call_control.decline, call_control.leave]),
    )
    def agent_acts_on_a_dialled_call(self, pair, act):
        self.agent_acts_on(pair[0], act)

    @rule(pair=dialled)
    def deadline_of_a_dialled_call(self, pair):
        with contextlib.suppress(call_control.StillRinging):
            call_control.expire(self.world.deps, pair[0])

    @rule(pair=dialled, kind=st.sampled_from(REPORTS))
    def relay_reports_a_dialled_call(self, pair, kind):
        media.report(self.world.deps, "relay-1", pair[0], kind)

    @rule(target=sids, count=st.integers(1, 2))
    def dial(self, count):
        made = [self.world.sid() for _ in range(count)]
        self.seen |= {inbound_call_id("gateway", sid): 0 for sid in made}
        return multiple(*made)

    @rule(sid=sids)
    def voice_post(self, sid):
        inbound.receive(self.world.deps, self._incoming(sid))

    @rule(sid=sids)
    def poll(self, sid):
        inbound.poll(self.world.deps, "gateway", sid)

    @rule(sid=sids)
    def after_stream_post(self, sid):
        inbound.resume(self.world.deps, "gateway", sid)

    @rule(sid=sids, failed=st.booleans())
    def status_post(self, sid, failed):
        inbound.caller_gone(self.world.deps, self._incoming(sid), failed=failed)

    @rule(
        sid=sids,
        act=st.sampled_from([call_control.accept, call_control.decline, call_control.leave]),
    )
    def agent_acts(self, sid, act):
        self.agent_acts_on(inbound_call_id("gateway", sid), act)

    def agent_acts_on(self, call_id, act):
        with contextlib.suppress(Refused, UnknownCall):
            act(self.world.deps, self.account_id, call_id)

    @rule(sid=sids)
    def deadline(self, sid):
        with contextlib.suppress(call_control.StillRinging, UnknownCall):
            call_control.expire(self.world.deps, inbound_call_id("gateway", sid))

    @rule(sid=sids, kind=st.sampled_from(REPORTS))
    def relay_reports(self, sid, kind):
        with contextlib.suppress(UnknownCall):
            media.report(self.world.deps, "relay-1", inbound_call_id("gateway", sid), kind)

    @rule(seconds=st.sampled_from([-2, 0.5, 20, 60]))
    def time_passes(self, seconds):
        self.world.clock.advance(seconds)

    @rule(on=st.booleans())
    def auto_answer(self, on):
        changes = LineChanges(auto_answer=on)
        numbers.change(self.world.deps, self.account_id, self.number, changes)

    @rule()
    def sweep_runs(self):
        sweep.sweep(self.world.deps)

    @invariant()
    def every_call_is_sound(self):
        if not hasattr(self, "account_id"):
            return
        page, self.cursor = inbox.read(self.world.deps, self.account_id, self.cursor, 0)
        for event in page:
            if event.call_id:
                self.events.setdefault(event.call_id, []).append(event.data["call"]["state"])
        for call_id, version in self.seen.items():
            call = self.world.stores.calls.get(call_id)
            if call is None:
                assert version == 0
                continue
            assert call.version >= version
            states = [entry.state for entry in call.history]
            assert sum(state.final for state in states) <= 1
            assert states[-1] is call.state
            assert [entry.version for entry in call.history] == list(range(1, call.version + 1))
            assert self.events[call_id] == [state.value for state in states]
            before = self.over.setdefault(call_id, call)
            assert before.provider_call_id in (None, call.provider_call_id)
            # Nothing changes after the end, but that the provider's id may come late.
            named = before.model_copy(update={"provider_call_id": call.provider_call_id})
            assert named == call or not before.state.final
            self.over[call_id] = call
            self.seen[call_id] = call.version
        live = {
            call.call_id
            for call in self.over.values()
            if call.direction == "outbound" and not call.state.final
        }
        assert self.world.stores.dialling.get(self.account_id).calls == live
        assert len(live) <= MOST_DIALS

    def _incoming(self, sid):
        return self.world.incoming(to=self.number, sid=sid)


@pytest.mark.deep
def test_no_order_of_acts_and_posts_breaks_a_call(world):
    AnyOrder.world = world
    run_state_machine_as_test(
        AnyOrder,
        settings=settings(
            max_examples=often(12, 200),
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
