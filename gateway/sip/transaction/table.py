"""A transaction of RFC 3261 17 as a table: what the four kinds share.

A row is read: in this state, on this event, go to that state and do these things. An event without
a row is absorbed. Time is passed in; timers are named as in the RFC.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Any, ClassVar

from gateway.sip.syntax.message import Request
from gateway.sip.transaction.flow import Flow, Outbox
from gateway.sip.transaction.timers import Timers

T1 = 0.5
"""Seconds of a round trip, as estimated by RFC 3261 17.1.1.1."""
T2 = 4.0
"""The longest wait before something is sent again."""
T4 = 5.0
"""Seconds for which a message may stay in the network."""
TRYING_AFTER = 0.2
"""Seconds after which an INVITE that has no answer yet is answered 100 (RFC 3261 17.2.1)."""
LIFE = 64 * T1
"""Seconds after which a peer that does not answer is given up."""


class State(Enum):
    """States of all four transactions."""

    CALLING = auto()
    TRYING = auto()
    PROCEEDING = auto()
    ACCEPTED = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    TERMINATED = auto()


class Failure(Enum):
    """Reasons why a transaction ended without what it waited for."""

    TIMEOUT = "no answer"
    FLOW_LOST = "the connection broke"


Action = Callable[[Any, float], None]
Table = dict[tuple[State, str], tuple[State, tuple[Action, ...]]]


def _nothing() -> None:
    """Do nothing."""


class Transaction:
    """A state, a table, timers and a flow, which the four have in common."""

    table: ClassVar[Table]
    timers_of: ClassVar[dict[State, tuple[str, ...]]]
    """The timers that run in a state; entering it starts them, leaving it stops them."""

    def __init__(self, timers: Timers, outbox: Outbox, request: Request, flow: Flow) -> None:
        self.request = request
        self.flow = flow
        self.state = State.TERMINATED
        self.on_end: Callable[[], None] = _nothing
        """Called once, when the transaction is over."""
        self._timers = timers
        self._outbox = outbox
        self._waits: dict[str, float] = {}

    def on_timer(self, name: str, now: float) -> None:
        """Handle a timer that has run out."""
        self._step(f"timer {name}", now)

    def lose_flow(self, now: float) -> None:
        """Note that nothing comes or goes by the flow any more."""
        self._step("flow lost", now)

    def _step(self, event: str, now: float) -> None:
        row = self.table.get((self.state, event))
        if row is None:
            return
        state, actions = row
        self._enter(state, now)
        for action in actions:
            action(self, now)
        if state is State.TERMINATED:
            on_end, self.on_end = self.on_end, _nothing
            on_end()
            self._let_go()

    def _let_go(self) -> None:
        """Forget whoever is told of events: none follows. What is over is then freed at once.

        Else it would wait for a collection of garbage, which holds up all audio.
        """

    def _enter(self, state: State, now: float) -> None:
        if state is self.state:
            return
        self._timers.stop(self)
        self.state = state
        for name in self.timers_of.get(state, ()):
            wait = self._first_wait(name)
            if wait is not None:
                self._waits[name] = wait
                self._timers.start(self, name, now + wait)

    def _first_wait(self, name: str) -> float | None:
        """Return the seconds of a timer; None: not with this transport."""
        reliable = self.flow.reliable
        match name:
            case "100":
                return TRYING_AFTER
            case "A" | "E" | "G":
                return None if reliable else T1
            case "D":
                return 0.0 if reliable else LIFE
            case "I" | "K":
                return 0.0 if reliable else T4
            case "J":
                return 0.0 if reliable else LIFE
            case _:
                return LIFE

    def _wait_again(self, name: str, now: float, wait: float) -> None:
        self._waits[name] = wait
        self._timers.start(self, name, now + wait)
