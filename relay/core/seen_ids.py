"""Ids of the messages that came in the last minutes, so that none is carried out twice.

Bounded: once it is full, new ids are refused, as forgetting an old one would let a replay in. The
time is passed in.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

REMEMBERED_S = 2 * 60.0
"""As long as a signature is accepted: a minute before its time, and a minute after."""
MAX_IDS = 65_536
"""Ids that are remembered."""


class SeenIds:
    """The ids of one door."""

    def __init__(self, most: int = MAX_IDS) -> None:
        self._most = most
        self._until: OrderedDict[str, float] = OrderedDict()

    def add(self, id_: str, now: float) -> Literal["new", "seen", "full"]:
        """Remember an id, unless it has been seen or there is no room."""
        until = self._until
        while until and next(iter(until.values())) <= now:
            until.popitem(last=False)
        if id_ in until:
            return "seen"
        if len(until) >= self._most:
            return "full"
        until[id_] = now + REMEMBERED_S
        return "new"
