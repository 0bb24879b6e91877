"""The pace of a tenant's calls, and its comparison with the pace in quiet."""

from __future__ import annotations

import asyncio
import statistics
from dataclasses import fields

from tests.neighbours.tenant import Figures, Tenant
from tests.support.running import Live

FACTOR, SLACK_MS = 1.5, 150.0
"""The allowed slowdown: half as long again as in quiet, and a little more, since two cores that
also run the callers, the agents and the attack have pauses of their own."""


async def median(live: Live, calls: int, *, talk_s: float, wait_s: float = 0) -> Figures:
    """Measure calls one after the other; return the median of each figure."""
    await asyncio.sleep(wait_s)
    async with Tenant(live).listening() as tenant:
        figures = [await tenant.measure(talk_s) for _ in range(calls)]
    return Figures(
        **{
            field.name: statistics.median(getattr(each, field.name) for each in figures)
            for field in fields(Figures)
        }
    )


def slower(quiet: Figures, loud: Figures) -> dict[str, tuple[float, float]]:
    """Return the figures that are worse than in quiet by more than is allowed, in ms."""
    pairs = {
        field.name: (getattr(quiet, field.name), getattr(loud, field.name))
        for field in fields(Figures)
    }
    return {name: pair for name, pair in pairs.items() if pair[1] > FACTOR * pair[0] + SLACK_MS}
