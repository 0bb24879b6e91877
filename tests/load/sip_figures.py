"""The table of the `sip` bench, and its figures with their targets."""

from __future__ import annotations

from typing import Any

from tests.load.report import Figure, Row
from tests.load.stack import quantile

CPU_PERCENT, AT = 40.0, 200
LOST_PERCENT = {200: 0.1, 400: 0.5}
KB_A_CALL = 100.0
ECHO_MS = 60.0
LAG_MS = 20.0


def row(run: Row) -> Row:
    """Return a run's line of the table."""
    sent, intact = sum(run["sent"]), sum(run["intact"])
    up = sum(1 for count in run["intact"] if count)
    return {
        "calls": run["asked"],
        "subject": run["subject"],
        "up": up,
        "core_%": run["own_percent"],
        "rss_mb": run["rss_mb"],
        "kb_a_call": 1000 * (run["rss_mb"] - run["idle_mb"]) / up if up else None,
        "lost_%": round(100 * (1 - intact / sent), 3) if sent else None,
        "p50_ms": run["p50_ms"],
        "p95_ms": run["p95_ms"],
        "p99_ms": run["p99_ms"],
        "rtp_gaps": sum(run["gaps"]),
        "longest_gap_ms": run["longest_gap_ms"],
        "lag_p50_ms": quantile(run["lags_ms"], 0.5) if run["lags_ms"] else None,
        "lag_max_ms": max(run["lags_ms"], default=None),
        "turn_p50_ms": quantile(run["turns_ms"], 0.5) if run["turns_ms"] else None,
        "turn_p99_ms": quantile(run["turns_ms"], 0.99) if run["turns_ms"] else None,
        "late_ms": run["late_p99_ms"],
        "load_%": run["load_percent"],
        "echo_%": run["helpers_percent"] or None,
        "others_%": run["others_percent"],
    }


def line(run: dict[str, Any]) -> str:
    """Return a run in short, for the person who waits."""
    one = row(run)
    return (
        f"{run['subject']:8} {one['up']:3}/{run['asked']} calls, core {one['core_%']:.0f} %, "
        f"{one['rss_mb']:.0f} MB, lost {one['lost_%']} %, "
        f"p50 {one['p50_ms']:.0f} p99 {one['p99_ms']:.0f} ms, longest gap "
        f"{one['longest_gap_ms']:.0f} ms, lag {one['lag_max_ms']} ms, "
        f"load {one['load_%']:.0f} %, echo {one['echo_%'] or 0:.0f} %, "
        f"others {one['others_%']:.0f} %"
    )


def figures(rows: list[Row]) -> list[Figure]:
    """Return the gateway's figures, and its ratios to the other subjects."""
    found = [figure for one in rows if one["subject"] == "gateway" for figure in _own(one)]
    for one in rows:
        beside = _at(rows, "gateway", one["calls"])
        if one["subject"] != "gateway" and beside is not None and one["core_%"]:
            name = f"CPU, {one['calls']} calls, gateway / {one['subject']}"
            found.append(Figure(name, f"{beside['core_%'] / one['core_%']:.2f}"))
    return found


def _own(one: Row) -> list[Figure]:
    calls = one["calls"]
    lost = 100.0 if one["lost_%"] is None else one["lost_%"]
    allowed = LOST_PERCENT.get(calls)
    found = [
        Figure(
            f"calls up, and frames lost, {calls} calls",
            f"{one['up']} of {calls}, {lost:.3f} %",
            f"{calls}, < {allowed} %" if allowed else "",
            one["up"] == calls and lost < allowed if allowed else None,
        )
    ]
    if calls == AT:
        found += [
            _below(f"CPU, {calls} calls", one["core_%"], CPU_PERCENT, "%"),
            _below(f"echo, {calls} calls, p50", one["p50_ms"], ECHO_MS, "ms"),
            _below(f"memory of a call, {calls} calls", one["kb_a_call"], KB_A_CALL, "kB"),
            _below(
                f"lag of the audio clock, {calls} calls, worst", one["lag_max_ms"], LAG_MS, "ms"
            ),
        ]
    return found


def _below(what: str, measured: float | None, most: float, unit: str) -> Figure:
    if measured is None:
        return Figure(what, "-", f"< {most:g} {unit}", False)
    return Figure(what, f"{measured:.1f} {unit}", f"< {most:g} {unit}", measured < most)


def _at(rows: list[Row], subject: str, calls: int) -> Row | None:
    return next((r for r in rows if (r["subject"], r["calls"]) == (subject, calls)), None)
