"""The limits of calls: of all, and the share of each trunk. No I/O."""

from __future__ import annotations

from collections import Counter

MAX_CALLS = 480
"""Calls of one gateway process."""

MAX_STRANGERS = MAX_CALLS * 3 // 4
"""Limit of calls without a trunk: some places are reserved for those with a trunk."""


class CallPlaces:
    """The number of all calls, and of each trunk's.

    A trunk may have as many calls as its limit allows, and no more than there are free places:
    however many trunks take all that they can, the next one finds room (dynamic thresholds:
    Choudhury and Hahne, 1998).
    """

    def __init__(self, per_trunk: int) -> None:
        self._per_trunk = per_trunk
        self._calls = 0
        self._of_trunk: Counter[str | None] = Counter()

    def take(self, trunk_id: str | None) -> bool:
        """Take a place for one more call; return False if there is none.

        The trunk None stands for the calls that belong to no trunk.
        """
        if not self.has_room(trunk_id):
            return False
        self._calls += 1
        self._of_trunk[trunk_id] += 1
        return True

    def has_room(self, trunk_id: str | None) -> bool:
        """Return whether there is a place for one more call."""
        held, free = self._of_trunk[trunk_id], MAX_CALLS - self._calls
        most = MAX_STRANGERS if trunk_id is None else min(self._per_trunk, free)
        return free > 0 and held < most

    def give_back(self, trunk_id: str | None) -> None:
        """Free the place of a call."""
        self._calls -= 1
        self._of_trunk[trunk_id] -= 1
        if not self._of_trunk[trunk_id]:
            del self._of_trunk[trunk_id]
