"""Compare the clocks of the parts with ours: signatures contain the time."""

from __future__ import annotations

from common import control
from operations.doctor.finding import Finding, fail, ok, warn
from operations.doctor.web import HttpAnswer

FRESH_S, TOLERATED_S = 5, 30
"""Seconds by which two clocks may differ: without a warning, and at most. The latter is half of
what signatures tolerate."""


def compared(name: str, whose: str, answer: HttpAnswer) -> Finding:
    """Compare a clock with ours, by the Date of an answer that has just come."""
    ahead = answer.clock_ahead_s
    if ahead is None:
        return warn(name, f"{whose} says no Date", "Look whether a proxy takes the header out.")
    text = (
        f"the clock of {whose} is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} ours"
    )
    remedy = (
        "Let both machines follow NTP (chrony): signatures of control requests are refused from "
        f"{control.TOLERANCE_S} s on."
    )
    if abs(ahead) > TOLERATED_S:
        return fail(name, text, remedy)
    return warn(name, text, remedy) if abs(ahead) > FRESH_S else ok(name, text)
