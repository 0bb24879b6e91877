"""Two sides and a network that loses, doubles and reorders: both come to an end."""

from __future__ import annotations

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.sip.transaction.client import InviteClient
from gateway.sip.transaction.flow import Flow
from gateway.sip.transaction.table import State
from tests.support.thorough import often
from tests.unit.sip.transaction.scene import Scene, request

THERE = Flow("UDP", ("192.0.2.2", 5060), ("192.0.2.1", 5060))
BACK = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.2", 5060))
NTH = st.integers(0, 1000)
STATUSES = st.sampled_from([100, 180, 200, 302, 486, 603])


class Caller(Scene):
    """The side that sends requests, and notes how each ended."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: dict[object, list[object]] = {}

    def on_response(self, transaction, response, now):
        if response.final:
            self.ends.setdefault(transaction, []).append(response.status)

    def on_failure(self, transaction, failure, now):
        self.ends.setdefault(transaction, []).append(failure)


class Network(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.caller, self.callee = Caller(), Scene()
        self.network: list[tuple[Scene, bytes, Flow]] = []
        """What is on its way: to whom, what, and by which flow."""
        self.transactions = []
        self.now = 0.0

    @rule(method=st.sampled_from(["INVITE", "INVITE", "OPTIONS", "BYE"]))
    def call(self, method):
        via = f"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-{len(self.transactions)}"
        sent = request(method, via=via)
        self.transactions.append(self.caller.send(sent, THERE))

    @rule(nth=NTH)
    def cancel(self, nth):
        ringing = [
            one
            for one in self.transactions
            if isinstance(one, InviteClient)
            and one.state is State.PROCEEDING
            and ("CANCEL", one.request.via.branch) not in self.cancelled()
        ]
        if ringing:
            invite = ringing[nth % len(ringing)]
            sent = request("CANCEL", via=str(invite.request.via))
            self.transactions.append(self.caller.send(sent, THERE))
            invite.expect_end(self.now)

    def cancelled(self):
        return [(one.request.method, one.request.via.branch) for one in self.transactions]

    @rule(nth=NTH, status=STATUSES)
    def answer(self, nth, status):
        waiting = [one for one in self.callee.requests if one.state is not State.TERMINATED]
        if waiting:
            self.callee.answer(waiting[nth % len(waiting)], status)

    @rule(nth=NTH)
    def deliver(self, nth):
        self.collect()
        if self.network:
            side, data, flow = self.network.pop(nth % len(self.network))
            side.receive(data, flow)

    @rule()
    def deliver_all(self):
        self.collect()
        waiting, self.network = self.network, []
        for side, data, flow in waiting:
            side.receive(data, flow)

    @rule(nth=NTH)
    def lose(self, nth):
        self.collect()
        if self.network:
            del self.network[nth % len(self.network)]

    @rule(nth=NTH)
    def double(self, nth):
        self.collect()
        if self.network:
            self.network.append(self.network[nth % len(self.network)])

    @rule(seconds=st.sampled_from([0.01, 0.3, 0.5, 1, 5, 33]))
    def wait(self, seconds):
        self.now += seconds
        self.caller.run_to(self.now)
        self.callee.run_to(self.now)

    @rule()
    def lose_the_flow(self):
        self.caller.layer.lose_flow(THERE, self.now)

    def collect(self):
        for side, other, flow in (
            (self.caller, self.callee, BACK),
            (self.callee, self.caller, THERE),
        ):
            self.network += [(other, bytes(message), flow) for _, _, message in side.sent]
            side.sent.clear()

    @invariant()
    def each_request_ends_once(self):
        for transaction, ends in self.caller.ends.items():
            accepted = isinstance(transaction, InviteClient) and ends[0] == 200
            assert len(ends) == 1 or (accepted and set(ends) == {200})

    @invariant()
    def what_has_ended_is_not_held(self):
        for side in (self.caller, self.callee):
            held = [*side.layer.clients.values(), *side.layer.servers.values()]
            assert all(one.state is not State.TERMINATED for one in held)

    def teardown(self):
        for one in self.callee.requests:
            self.callee.answer(one, 486)
        for one in self.transactions:
            one.expect_end(self.now)
        self.wait(100)
        assert self.caller.empty
        assert self.callee.empty
        assert all(one.state is State.TERMINATED for one in self.transactions)
        assert set(self.caller.ends) == set(self.transactions)


Network.TestCase.settings = settings(
    max_examples=often(60, 1000), stateful_step_count=often(30, 60), deadline=None
)
TestNetwork = Network.TestCase


@pytest.mark.parametrize("seed", range(20))
def test_where_every_second_message_is_lost_a_refusal_arrives_and_nothing_stays(seed):
    chance = random.Random(seed)
    caller, callee = Caller(), Scene()
    invite = caller.send(request(via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"), THERE)
    while not (caller.empty and callee.empty and not caller.sent and not callee.sent):
        for side, other, flow in ((caller, callee, BACK), (callee, caller, THERE)):
            waiting, side.sent = side.sent, []
            for _, _, message in waiting:
                if chance.random() < 0.5:
                    other.receive(message, flow)
        for transaction in callee.requests:
            callee.answer(transaction, 486)
        if not caller.sent and not callee.sent:
            at = min(side.timers.next_at() or 1e9 for side in (caller, callee))
            caller.run_to(at)
            callee.run_to(at)
    assert caller.ends == {invite: [486]}
    assert callee.told[0] == "request INVITE"
