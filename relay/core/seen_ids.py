"""Ids of the messages that came in the last minutes, so that none is carried out twice.

Bounded, in all and for each call: beyond that new ids are refused, as forgetting an old one would
let a replay in. The time is passed in.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Literal, NamedTuple

REMEMBERED_S = 2 * 60.0
"""As long as a signature is accepted: a minute before its time, and a minute after."""
MAX_IDS = 65_536
"""Ids that are remembered."""
MAX_IDS_PER_CALL = 600
"""Those of one call, five a second: an account, with all its calls, takes a part of them only."""


class _Seen(NamedTuple):
    call_id: str
    until: float


class SeenIds:
    """The ids of one door."""

    def __init__(self, most: int = MAX_IDS, most_per_call: int = MAX_IDS_PER_CALL) -> None:
        self._most, self._most_per_call = most, most_per_call
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._of_call: Counter[str] = Counter()

    def add(
        self, id_: str, call_id: str, now: float
    ) -> Literal["new", "seen", "full", "call_full"]:
        """Remember an id of a call, unless it has been seen or there is no room."""
        seen = self._seen
        while seen and next(iter(seen.values())).until <= now:
            self._forget_oldest()
        if id_ in seen:
            return "seen"
        if self._of_call[call_id] >= self._most_per_call:
            return "call_full"
        if len(seen) >= self._most:
            return "full"
        seen[id_] = _Seen(call_id, now + REMEMBERED_S)
        self._of_call[call_id] += 1
        return "new"

    def _forget_oldest(self) -> None:
        _, oldest = self._seen.popitem(last=False)
        self._of_call[oldest.call_id] -= 1
        if not self._of_call[oldest.call_id]:
            del self._of_call[oldest.call_id]
