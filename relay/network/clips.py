"""The clips that callers on hold hear, fetched from the application once and kept for a while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable

KEPT = 16
"""Clips that are kept, 5 MB at most; the one that was used longest ago is forgotten."""


class Clips:
    """The clips of one relay, by id. A clip's audio never changes."""

    def __init__(self, fetch: Callable[[str, str], Awaitable[bytes]]) -> None:
        """`fetch(call_id, clip_id)` asks the application."""
        self._fetch = fetch
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    async def get(self, call_id: str, clip_id: str) -> bytes:
        """Return the mu-law of a clip. The errors of `fetch`."""
        ulaw = self._kept.pop(clip_id, None)
        if ulaw is None:
            ulaw = await self._fetch(call_id, clip_id)
        self._kept[clip_id] = ulaw
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return ulaw
