"""How far the clocks of the parts are from ours: signatures say when they were made."""

from __future__ import annotations

from operations.doctor.finding import Finding, fail, ok, warn
from operations.doctor.web import Seen
from wire import control

FRESH_S, TOLERATED_S = 5, 30
"""Seconds that two clocks may differ without a word, and at all: half of what signatures bear."""


def compared(name: str, whose: str, seen: Seen) -> Finding:
    """By the answer that somebody has just given."""
    ahead = seen.clock_ahead_s
    if ahead is None:
        return warn(name, f"{whose} says no Date", "Look whether a proxy takes the header out.")
    said = (
        f"the clock of {whose} is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} ours"
    )
    remedy = (
        "Let both machines follow NTP (chrony): signatures of control requests are refused from "
        f"{control.TOLERANCE_S} s on."
    )
    if abs(ahead) > TOLERATED_S:
        return fail(name, said, remedy)
    return warn(name, said, remedy) if abs(ahead) > FRESH_S else ok(name, said)
