"""Samples of the gateway's process, and the verdict on them. No I/O but the request for counts."""

from __future__ import annotations

import asyncio
import json
from typing import Any

LEFT_BEHIND = ("calls", "streams", "legs", "dialogs", "transactions", "sip_timers", "rtp_ports")
"""Counts that are 0 when all calls are over."""
AS_BEFORE = ("fds", "tasks", "loop_timers", "connections")
"""Counts that are then as they were before the first call."""
SLACK = {"fds": 2, "tasks": 2, "loop_timers": 4}
"""A kept HTTP connection, or a trunk that reports its state just now, is no leak."""
GROWTH_PERCENT_AN_HOUR = 1.0
GROWTH_MB = 2.0

Counts = dict[str, Any]


async def look(port: int) -> Counts:
    """Ask the watched gateway for its counts."""
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            return dict(json.loads(await reader.readline()))
        finally:
            writer.close()


def left_behind(before: Counts, after: Counts) -> dict[str, tuple[int, int]]:
    """Return the counts that are not as they must be: (allowed, found)."""
    wrong = {name: (0, after[name]) for name in LEFT_BEHIND if after[name]}
    for name in AS_BEFORE:
        allowed = before[name] + SLACK.get(name, 0)
        if after[name] > allowed:
            wrong[name] = (allowed, after[name])
    return wrong


def growth(samples: list[tuple[float, float]]) -> tuple[float, float]:
    """Return how memory grew, by the straight line through samples of (seconds, MB).

    (MB in the whole time, per cent an hour.)
    """
    if len(samples) < 2:
        return 0.0, 0.0
    mean_at = sum(at for at, _ in samples) / len(samples)
    mean = sum(mb for _, mb in samples) / len(samples)
    spread = sum((at - mean_at) ** 2 for at, _ in samples)
    slope = sum((at - mean_at) * (mb - mean) for at, mb in samples) / spread if spread else 0.0
    lasted = samples[-1][0] - samples[0][0]
    return slope * lasted, slope * 3600 / mean * 100


def grows(mb: float, percent_an_hour: float) -> bool:
    """Return whether memory grows beyond what is allowed."""
    return mb >= GROWTH_MB and percent_an_hour >= GROWTH_PERCENT_AN_HOUR
