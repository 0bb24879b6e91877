"""The clips that callers on hold hear, fetched from the application once and kept for a while."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any

KEPT = 16
"""Clips that are kept, 5 MB at most; the one that was used longest ago is forgotten."""


class Clips:
    """The clips of one relay, by id. A clip's audio never changes."""

    def __init__(self, fetch: Callable[[str, str], Coroutine[Any, Any, bytes]]) -> None:
        """`fetch(call_id, clip_id)` asks the application."""
        self._fetch = fetch
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[bytes]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    async def get(self, call_id: str, clip_id: str) -> bytes:
        """Return the mu-law of a clip. The errors of `fetch`."""
        ulaw = self._kept.get(clip_id)
        if ulaw is None:
            ulaw = await asyncio.shield(self._asked_for(call_id, clip_id))
        self._kept[clip_id] = ulaw
        self._kept.move_to_end(clip_id)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return ulaw

    def _asked_for(self, call_id: str, clip_id: str) -> asyncio.Task[bytes]:
        """Ask, unless another call has asked and waits: many may be put on hold at once."""
        task = self._under_way.get(clip_id)
        if task is None:
            task = asyncio.ensure_future(self._fetch(call_id, clip_id))
            self._under_way[clip_id] = task
            task.add_done_callback(lambda _: self._under_way.pop(clip_id))
        return task
