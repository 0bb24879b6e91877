"""The bond between a parent and its processes: two pipes.

A process says on its standard output that it serves. Its standard input closes when the parent
ends, however that happens; then the process ends, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import os

READY = b"ready\n"
_IN, _OUT = 0, 1
_CHUNK = 64


def hold(stopping: asyncio.Event) -> None:
    """Say that this process serves, and set `stopping` when its parent is gone."""
    loop = asyncio.get_running_loop()

    def readable() -> None:
        if not os.read(_IN, _CHUNK):
            loop.remove_reader(_IN)
            stopping.set()

    loop.add_reader(_IN, readable)
    with contextlib.suppress(OSError):  # a parent that is gone is noticed by the other pipe
        os.write(_OUT, READY)
