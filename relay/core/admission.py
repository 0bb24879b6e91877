"""Bounds of the sockets that wait for admission: of each kind of leg, call and source address.

Providers and agents have places of their own, so that agents cannot keep a caller's stream out.
Only sockets with a good token come here: strangers are refused before. The time is passed in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

from common.budget import Budgets
from common.media_token import Leg

PER_CALL = 4
"""Waiting sockets of one leg of one call."""
PIPED_PER_CALL = 4
"""Sockets of one call's agent that are piped to the relay that holds the call."""
CONNECTS = 10.0, 1.0
"""Sockets that one leg of a call may open: at once, and each second."""
CALLS_REMEMBERED = 4096
"""Legs whose openings are counted."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A socket that asks for admission: leg, call and source address."""

    leg: Leg
    call_id: str
    source: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The HTTP answer to a socket that may not even wait."""

    status: int
    code: str
    why: str


FULL = Refusal(503, "busy", "too many sockets wait to be let in")
CALL_FULL = Refusal(429, "busy_call", "too many sockets of this call wait to be let in")
ADDRESS_FULL = Refusal(429, "busy_address", "too many sockets of this address wait to be let in")
TOO_OFTEN = Refusal(429, "too_often", "this call's sockets are opened too often")


class Admission:
    """Counts of the sockets that wait for admission, and of those that are piped."""

    def __init__(self, *, agents: int, providers: int, agents_per_address: int) -> None:
        """Take the numbers of places for waiting sockets."""
        self._places: dict[Leg, int] = {"agent": agents, "provider": providers}
        self._per_address = agents_per_address
        self._waiting: Counter[Hashable] = Counter()
        self._piped: Counter[Hashable] = Counter()
        self._connects = Budgets(*CONNECTS, CALLS_REMEMBERED)

    def refusal(self, arrival: Arrival, now: float, *, here: bool) -> Refusal | None:
        """Return the reason why `arrival` may not wait, or None. `here`: this relay holds its call,
        so that it may come back even if others fill all places.
        """
        leg, waiting = arrival.leg, self._waiting
        if waiting[leg] >= self._places[leg] * (2 if here else 1):
            return FULL
        if waiting[leg, arrival.call_id] >= PER_CALL:
            return CALL_FULL
        # A provider has few addresses, and all its calls come from them.
        if leg == "agent" and not here and waiting[arrival.source] >= self._per_address:
            return ADDRESS_FULL
        return self.refusal_to_open(arrival, now)

    def refusal_to_open(self, arrival: Arrival, now: float) -> Refusal | None:
        """Return a refusal if the leg's sockets are opened too often, and count this one if not."""
        return None if self._connects.take((arrival.leg, arrival.call_id), now) else TOO_OFTEN

    def enter(self, arrival: Arrival) -> None:
        """Count a socket that begins to wait."""
        for key in _keys(arrival):
            self._waiting[key] += 1

    def leave(self, arrival: Arrival) -> None:
        """Stop counting a waiting socket: it was admitted or refused, or is gone."""
        for key in _keys(arrival):
            _decrease(self._waiting, key)

    def enter_pipe(self, call_id: str) -> bool:
        """Count an agent's socket that is piped. Return False, and do not count it, if too many of
        its call are.
        """
        if self._piped[call_id] >= PIPED_PER_CALL:
            return False
        self._piped[call_id] += 1
        return True

    def leave_pipe(self, call_id: str) -> None:
        """Stop counting a piped socket."""
        _decrease(self._piped, call_id)

    def waiting(self, leg: Leg) -> int:
        """Return how many sockets of `leg` wait."""
        return self._waiting[leg]


def _keys(arrival: Arrival) -> tuple[Hashable, ...]:
    leg, call_id = arrival.leg, arrival.call_id
    return (leg, (leg, call_id), arrival.source) if leg == "agent" else (leg, (leg, call_id))


def _decrease(counter: Counter[Hashable], key: Hashable) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
