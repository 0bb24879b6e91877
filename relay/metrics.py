"""Counters of one relay process, and their Prometheus text.

Plain integers bumped in place: the hot path adds one and nothing else. Labels are few and fixed;
nothing here names a call.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """What is counted since the process began, and (`calls`, `legs`) what there is just now."""

    to_agent: int = 0
    to_caller: int = 0
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(direction, why) -> chunks of audio thrown away."""
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(leg, code) -> sockets that were not let in."""
    unreached: Counter[str] = field(default_factory=Counter)
    """why -> attempts to dial an agent that were in vain."""
    unanswered: int = 0
    """Control posts given up after their retries."""
    calls: int = 0
    legs: Counter[str] = field(default_factory=Counter)
    draining: bool = False


def exposition(counters: Counters) -> bytes:
    """Prometheus text format, version 0.0.4."""
    lines = []

    def family(name: str, kind: str, values: dict[str, int]) -> None:
        lines.append(f"# TYPE chamade_relay_{name} {kind}")
        lines.extend(f"chamade_relay_{name}{labels} {n}" for labels, n in sorted(values.items()))

    family("calls", "gauge", {"": counters.calls})
    family(
        "legs",
        "gauge",
        {f'{{leg="{leg}"}}': counters.legs[leg] for leg in ("agent", "provider")},
    )
    family("draining", "gauge", {"": int(counters.draining)})
    family(
        "frames_total",
        "counter",
        {
            '{direction="to_agent"}': counters.to_agent,
            '{direction="to_caller"}': counters.to_caller,
        },
    )
    family(
        "dropped_frames_total",
        "counter",
        {
            f'{{direction="{direction}",why="{why}"}}': n
            for (direction, why), n in counters.dropped.items()
        },
    )
    family(
        "attach_failures_total",
        "counter",
        {f'{{leg="{leg}",code="{code}"}}': n for (leg, code), n in counters.refused.items()},
    )
    family(
        "dial_failures_total",
        "counter",
        {f'{{why="{why}"}}': n for why, n in counters.unreached.items()},
    )
    family("control_unanswered_total", "counter", {"": counters.unanswered})
    return ("\n".join(lines) + "\n").encode()
