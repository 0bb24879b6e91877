"""The door for browsers: a ticket of the application's places the call that it names, once.

Which ones were used is known to this process only, and for as long as a ticket can live.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from wire import call_ticket
from wire.call_ticket import LIFE_S, Ticket

MOST = 10_000
"""Used tickets that are remembered: with so many in two minutes no more are taken."""

_SKEW_S = 60
"""How far the application's clock may be ahead of ours."""


class BadTicket(Exception):
    """Not a ticket of ours, or not good any more."""


class Tickets:
    """Takes each ticket once."""

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._clock = clock
        self._used: OrderedDict[str, float] = OrderedDict()

    def take(self, text: str) -> Ticket:
        """What the ticket says; from now on it is used. BadTicket."""
        now = self._clock()
        ticket = call_ticket.read(self._secret, text, now)  # the signature, before anything
        if ticket is None or ticket.expires_s > now + LIFE_S + _SKEW_S:
            raise BadTicket("the ticket is forged or expired")
        self._forget(now)
        if text in self._used:
            raise BadTicket("the ticket has been used")
        if len(self._used) >= MOST:
            raise BadTicket("too many tickets at once")
        self._used[text] = now + LIFE_S + _SKEW_S
        return ticket

    def _forget(self, now: float) -> None:
        while self._used and next(iter(self._used.values())) <= now:
            self._used.popitem(last=False)
