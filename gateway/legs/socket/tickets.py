"""Tickets for browsers: each is issued by the application and places the call that it names, once.

Used tickets are known to this process only, and only for as long as a ticket can be valid.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable

from common import call_ticket
from common.call_ticket import LIFE_S, Ticket

MOST = 10_000
"""Limit of the used tickets that are remembered; with so many in two minutes, no more are
accepted."""

MOST_PER_NUMBER = 1000
"""Limit of those for one number, so that its owner cannot use up the tickets of others."""

_SKEW_S = 60
"""Seconds by which the application's clock may be ahead of ours."""


class BadTicket(Exception):
    """The ticket is not ours, or not valid any more."""


class Tickets:
    """The used tickets: accepts each ticket once."""

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._clock = clock
        self._used: OrderedDict[str, tuple[float, str]] = OrderedDict()
        """For each used ticket, the time until which it is remembered, and the number that it was
        for."""
        self._numbers: Counter[str] = Counter()

    def take(self, text: str) -> Ticket:
        """Return the content of the ticket, and note that it is used.

        Raises BadTicket if the ticket is forged, expired or used, or too many are remembered.
        """
        now = self._clock()
        ticket = call_ticket.read(self._secret, text, now)  # check the signature first
        if ticket is None or ticket.expires_s > now + LIFE_S + _SKEW_S:
            raise BadTicket("the ticket is forged or expired")
        self._forget(now)
        if text in self._used:
            raise BadTicket("the ticket has been used")
        if len(self._used) >= MOST or self._numbers[ticket.to] >= MOST_PER_NUMBER:
            raise BadTicket("too many tickets at once")
        self._used[text] = (now + LIFE_S + _SKEW_S, ticket.to)
        self._numbers[ticket.to] += 1
        return ticket

    def _forget(self, now: float) -> None:
        while self._used and next(iter(self._used.values()))[0] <= now:
            _, (_, number) = self._used.popitem(last=False)
            self._numbers[number] -= 1
            if not self._numbers[number]:
                del self._numbers[number]
