"""A leaky bucket: so much at once, and so much each second. The time is passed in."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

MAX_WAIT_S = 5.0


class Budget:
    """A leaky bucket: limits what one client uses."""

    def __init__(self, at_once: float, a_second: float) -> None:
        self._at_once, self._a_second = at_once, a_second
        self._used = 0.0
        self._when = 0.0

    def spend(self, amount: float, now: float) -> float:
        """Use `amount` in any case. Return the seconds until the bucket no longer overflows, 0 if
        it does not.
        """
        used = self._still_used(now) + amount
        wait = (used - self._at_once) / self._a_second
        if wait > MAX_WAIT_S:
            # Without this bound one excess would slow the client down long after it has ended.
            wait, used = MAX_WAIT_S, self._at_once + MAX_WAIT_S * self._a_second
        self._used, self._when = used, now
        return wait if wait > 0 else 0.0

    def take(self, amount: float, now: float) -> bool:
        """Use `amount` if there is that much. Return False, and use nothing, if there is not."""
        used = self._still_used(now) + amount
        if used > self._at_once:
            return False
        self._used, self._when = used, now
        return True

    def _still_used(self, now: float) -> float:
        used = self._used - (now - self._when) * self._a_second
        return used if used > 0 else 0.0


class Budgets:
    """A leaky bucket for each client, for the `kept` clients that were seen last."""

    def __init__(self, at_once: float, a_second: float, kept: int) -> None:
        self._sizes = at_once, a_second
        self._kept = kept
        self._budgets: OrderedDict[Hashable, Budget] = OrderedDict()

    def take(self, client: Hashable, now: float) -> bool:
        """Use one of the client's budget. Return False if nothing is left of it."""
        budget = self._budgets.pop(client, None) or Budget(*self._sizes)
        self._budgets[client] = budget
        if len(self._budgets) > self._kept:
            self._budgets.popitem(last=False)
        return budget.take(1, now)
