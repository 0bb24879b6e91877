"""The limits of one SIP child: its trunks and calls, and the share of each trunk. No I/O.

The library has 1,023 handles for user agents and calls together, and audio for 256 calls. A trunk
takes one agent; one whose settings have changed keeps the old agent until its calls are over, so
there are never more agents than trunks and calls.
"""

from __future__ import annotations

from collections import Counter

TRUNKS_PER_CHILD = 520
CALLS_PER_CHILD = 240

STRANGERS_PER_CHILD = CALLS_PER_CHILD * 3 // 4
"""Limit of calls without a trunk on one child: some places are reserved for those with a trunk."""


class Placement:
    """The assignment of trunks to children.

    A new trunk gets the child with the most room, and keeps it as long as the trunk exists.
    """

    def __init__(self, children: int, trunks_each: int = TRUNKS_PER_CHILD) -> None:
        self._on: list[set[str]] = [set() for _ in range(children)]
        self._child_of: dict[str, int] = {}
        self._most = trunks_each

    def place(self, trunk_id: str) -> int | None:
        """Return the child of a trunk, and assign one if it has none; None if there is no room."""
        if trunk_id in self._child_of:
            return self._child_of[trunk_id]
        index = min(range(len(self._on)), key=lambda index: len(self._on[index]))
        if len(self._on[index]) >= self._most:
            return None
        self._on[index].add(trunk_id)
        self._child_of[trunk_id] = index
        return index

    def remove(self, trunk_id: str) -> int | None:
        """Free a trunk's place; return the child that it had."""
        index = self._child_of.pop(trunk_id, None)
        if index is not None:
            self._on[index].discard(trunk_id)
        return index

    def child_of(self, trunk_id: str) -> int | None:
        """Return the child of a trunk; None if it has no place."""
        return self._child_of.get(trunk_id)

    def trunks_on(self, index: int) -> list[str]:
        """Return the trunks of a child."""
        return sorted(self._on[index])


class CallPlaces:
    """The number of calls of each child, and of each trunk on it.

    A trunk may have as many calls as its limit allows, and no more than there are free places:
    however many trunks take all that they can, the next one finds room (dynamic thresholds:
    Choudhury and Hahne, 1998).
    """

    def __init__(self, per_trunk: int) -> None:
        self._per_trunk = per_trunk
        self._calls: Counter[int] = Counter()
        self._of_trunk: Counter[tuple[int, str | None]] = Counter()

    def take(self, child: int, trunk_id: str | None) -> bool:
        """Take a place for one more call; return False if there is none.

        The trunk None stands for the calls that belong to no trunk.
        """
        held, free = self._of_trunk[child, trunk_id], CALLS_PER_CHILD - self._calls[child]
        most = STRANGERS_PER_CHILD if trunk_id is None else min(self._per_trunk, free)
        if free <= 0 or held >= most:
            return False
        self._calls[child] += 1
        self._of_trunk[child, trunk_id] += 1
        return True

    def give_back(self, child: int, trunk_id: str | None) -> None:
        """Free the place of a call."""
        self._calls[child] -= 1
        self._of_trunk[child, trunk_id] -= 1
        if not self._of_trunk[child, trunk_id]:
            del self._of_trunk[child, trunk_id]
