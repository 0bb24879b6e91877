"""Whatever happens in whatever order: posts twice, late, overtaken; agents, relays, deadlines.

A hypothesis state machine drives the services on a truly atomic engine and checks after each step
that no call ever has two ends, that versions only rise, and that each transition has its one event.
"""

from __future__ import annotations

import contextlib

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

from chalicelib.domain.call import Refused, inbound_call_id
from chalicelib.domain.line import LineChanges
from chalicelib.services import answer, decline, inbox, leave, media, miss, numbers, ring, sweep
from chalicelib.services.transition import UnknownCall
from tests.support.engine import make_table
from tests.support.world import World

REPORTS = ["watch", "agent_hangup", "agent_lost", "no_agent", "media_lost", "max_duration"]


class AnyOrder(RuleBasedStateMachine):
    """Calls of one account; `sids` are the provider's calls, announced or not yet."""

    sids = Bundle("sids")
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

    @rule(target=sids, count=st.integers(1, 2))
    def dial(self, count):
        made = [self.world.sid() for _ in range(count)]
        self.seen |= {inbound_call_id("gateway", sid): 0 for sid in made}
        return multiple(*made)

    @rule(sid=sids)
    def voice_post(self, sid):
        ring.receive(self.world.ports, self._incoming(sid))

    @rule(sid=sids)
    def poll(self, sid):
        ring.poll(self.world.ports, "gateway", sid)

    @rule(sid=sids)
    def after_stream_post(self, sid):
        ring.resume(self.world.ports, "gateway", sid)

    @rule(sid=sids, failed=st.booleans())
    def status_post(self, sid, failed):
        ring.caller_gone(self.world.ports, self._incoming(sid), failed=failed)

    @rule(sid=sids, act=st.sampled_from([answer.accept, decline.refuse, leave.leave]))
    def agent_acts(self, sid, act):
        with contextlib.suppress(Refused, UnknownCall):
            act(self.world.ports, self.account_id, inbound_call_id("gateway", sid))

    @rule(sid=sids)
    def deadline(self, sid):
        with contextlib.suppress(miss.StillRinging, UnknownCall):
            miss.expire(self.world.ports, inbound_call_id("gateway", sid))

    @rule(sid=sids, kind=st.sampled_from(REPORTS))
    def relay_reports(self, sid, kind):
        with contextlib.suppress(UnknownCall):
            media.report(self.world.ports, "relay-1", inbound_call_id("gateway", sid), kind)

    @rule(seconds=st.sampled_from([-2, 0.5, 20, 60]))
    def time_passes(self, seconds):
        self.world.clock.advance(seconds)

    @rule(on=st.booleans())
    def auto_answer(self, on):
        changes = LineChanges(auto_answer=on)
        numbers.change(self.world.ports, self.account_id, self.number, changes)

    @rule()
    def sweep_runs(self):
        sweep.sweep(self.world.ports)

    @invariant()
    def every_call_is_sound(self):
        if not hasattr(self, "account_id"):
            return
        page, self.cursor = inbox.read(self.world.ports, self.account_id, self.cursor, 0)
        for event in page:
            if event.call_id:
                self.events.setdefault(event.call_id, []).append(event.data["call"]["state"])
        for call_id, version in self.seen.items():
            call = self.world.ports.calls.get(call_id)
            if call is None:
                assert version == 0
                continue
            assert call.version >= version
            states = [entry.state for entry in call.history]
            assert sum(state.final for state in states) <= 1
            assert states[-1] is call.state
            assert [entry.version for entry in call.history] == list(range(1, call.version + 1))
            assert self.events[call_id] == [state.value for state in states]
            assert self.over.setdefault(call_id, call) == call or not self.over[call_id].state.final
            self.over[call_id] = call
            self.seen[call_id] = call.version

    def _incoming(self, sid):
        return self.world.incoming(to=self.number, sid=sid)


def test_no_order_of_things_breaks_a_call(engine):
    AnyOrder.world = World(make_table(engine, "any-order"))
    run_state_machine_as_test(
        AnyOrder,
        settings=settings(
            max_examples=60,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
