"""Mutated messages by the thousand through the layer, whose users answer by chance.

`make fuzz` tries a million, and prints what a message takes.
"""

from __future__ import annotations

import random
import time

from gateway.sip.syntax.message import respond
from gateway.sip.transaction.flow import Outbox
from gateway.sip.transaction.layer import TransactionLayer
from gateway.sip.transaction.timers import Timers
from tests.support.thorough import often
from tests.unit.sip.mutations import MESSAGES, Mutator
from tests.unit.sip.transaction.scene import FLOWS, request

MESSAGES_TRIED = often(20_000, 1_000_000)
_STATUSES = [100, 180, 183, 200, 202, 302, 404, 486, 503, 603]


class Chancer:
    """A core that answers by chance: at once, later, or not before the end."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.timers, self.outbox = Timers(), Outbox()
        self.layer = TransactionLayer(self.timers, self.outbox, self)
        self.open = []
        self.calls = 0

    def on_request(self, transaction, now):
        transaction.user = self
        self.open.append(transaction)
        self.answer(now)

    def on_ack(self, ack, now):
        assert ack.method == "ACK"

    def on_stray(self, response, flow, now):
        assert 200 <= response.status < 300

    def on_cancel(self, transaction, now):
        assert transaction.status < 200
        transaction.respond(respond(transaction.request, 487, tag="x"), now)

    def on_no_ack(self, transaction, now):
        assert transaction.status >= 300

    def on_response(self, transaction, response, now):
        assert transaction.status == response.status

    def on_failure(self, transaction, failure, now):
        assert transaction.status < 200

    def answer(self, now, status=None):
        """Answer one of the open requests."""
        transaction = self.open.pop(self.chance.randrange(len(self.open)))
        status = status or self.chance.choice(_STATUSES)
        transaction.respond(respond(transaction.request, status, tag="x"), now)
        if status < 200:
            self.open.append(transaction)

    def call(self, now):
        """Send a request. Return the response of a peer."""
        self.calls += 1
        method = self.chance.choice(["INVITE", "OPTIONS", "CANCEL"])
        sent = request(method, f"z9hG4bK-{self.calls}")
        self.layer.send(sent, self.chance.choice(FLOWS), self, now)
        return bytes(respond(sent, self.chance.choice(_STATUSES), tag="x"))

    def end(self, now):
        """Answer and await whatever is open. Return when all is over."""
        while self.open:
            self.answer(now, 486)
        for transaction in list(self.layer.clients.values()):
            transaction.expect_end(now)
        while (at := self.timers.next_at()) is not None:
            now = max(now, at)
            self.timers.fire(now)
        return now


def test_no_mutated_message_breaks_the_layer_or_stays_in_it():
    side = Chancer(4475)
    mutator = Mutator(side.chance)
    now = took = slowest = 0.0
    for _ in range(MESSAGES_TRIED):
        seed = side.call(now) if side.chance.random() < 0.2 else side.chance.choice(MESSAGES)
        data, flow = mutator.message(seed), side.chance.choice(FLOWS)
        begin = time.process_time()
        side.layer.receive(data, flow, now)
        took += (lasted := time.process_time() - begin)
        slowest = max(slowest, lasted)
        now += side.chance.choice([0, 0.001, 0.1])
        side.timers.fire(now)
        side.outbox.take()
        if len(side.open) > 100:
            side.answer(now)
        if side.chance.random() < 0.001:
            side.layer.lose_flow(side.chance.choice(FLOWS), now)
    end = side.end(now)
    assert not side.layer.clients
    assert not side.layer.servers
    assert len(side.timers) == 0
    assert end - now <= 64
    print(
        f"\n{MESSAGES_TRIED} mutated messages: {took / MESSAGES_TRIED * 1e6:.0f} µs each, "
        f"{slowest * 1e3:.1f} ms the slowest; {dict(side.layer.counts)}"
    )
