"""The network of `network`, but one that loses, repeats and reorders what is sent."""

from __future__ import annotations

import heapq
import itertools
import random

from gateway.sip.transaction.flow import Flow
from tests.unit.sip.mutations import Mutator
from tests.unit.sip.network import Network, Party


class RoughNetwork(Network):
    """Each datagram is lost, or comes once or twice, each time after a delay of its own.

    A part of them is spoiled on its way, as a hostile far end would write them.
    """

    def __init__(self, seed: int, *, lost: float = 0.2, spoiled: float = 0.0) -> None:
        super().__init__()
        self._random = random.Random(seed)
        self._lost, self._spoiled = lost, spoiled
        self._mutator = Mutator(self._random)
        self._under_way: list[tuple[float, int, Party, bytes, Flow]] = []
        self._numbers = itertools.count()

    def _deliver(self, sender: Party, flow: Flow, data: bytes) -> None:
        copies = 0 if self._random.random() < self._lost else 1
        copies += self._random.random() < 0.2
        receiver = next((party for party in self.parties if party.address == flow.remote), None)
        if receiver is None:
            return  # a spoiled Via names another port
        for _ in range(copies):
            at = self.now + self._random.choice((0.0, 0.0, 0.05, 0.3, 1.5))
            back = receiver.flow_to(sender.address)
            if self._random.random() < self._spoiled:
                data = self._mutator.message(data)
            heapq.heappush(self._under_way, (at, next(self._numbers), receiver, data, back))

    def wait(self, seconds: float) -> None:
        """Let time pass: deliver what arrives, and wake both parties when a timer is due."""
        self.settle()
        end = self.now + seconds
        while True:
            timers = [party.agent.next_timer() for party in self.parties]
            due = min((at for at in timers if at is not None), default=end + 1)
            arrival = self._under_way[0][0] if self._under_way else end + 1
            if min(due, arrival) > end:
                break
            self.now = max(self.now, min(due, arrival))
            if arrival <= due:
                _, _, receiver, data, back = heapq.heappop(self._under_way)
                receiver.agent.receive(data, back, self.now)
            else:
                for party in self.parties:
                    party.agent.fire(self.now)
            self.settle()
        self.now = end
