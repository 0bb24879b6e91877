"""Log lines: so many of each call or trunk, and of all that belong to none."""

from __future__ import annotations

import logging

from runtime.logs import LINES, LineBudget


def record(call_id: str | None) -> logging.LogRecord:
    made = logging.LogRecord("relay", logging.INFO, "f", 1, "close", None, None)
    made.call_id = call_id
    return made


def test_a_noisy_call_logs_a_bounded_number_of_lines_and_takes_none_from_others() -> None:
    now = 1000.0
    budget = LineBudget("call_id", clock=lambda: now)
    at_once = int(LINES[0])
    written = [budget.filter(record("call_1")) for _ in range(at_once + 50)]
    assert written == [True] * at_once + [False] * 50
    other = record("call_2")
    assert budget.filter(other)
    assert other.left_out == 50  # type: ignore[attr-defined]
    now += 1
    again = [budget.filter(record("call_1")) for _ in range(50)]
    assert again.count(True) == int(LINES[1])


def test_lines_of_no_call_share_one_budget() -> None:
    budget = LineBudget("call_id", clock=lambda: 0.0)
    assert [budget.filter(record(None)) for _ in range(1000)].count(True) == int(LINES[0])


def test_a_line_without_a_call_counts_for_its_trunk() -> None:
    budget = LineBudget("call_sid", "trunk_id", clock=lambda: 0.0)
    at_once = int(LINES[0])

    def of_trunk(trunk_id: str) -> logging.LogRecord:
        made = logging.LogRecord("gateway", logging.INFO, "f", 1, "registered", None, None)
        made.trunk_id = trunk_id
        return made

    written = [budget.filter(of_trunk(f"trunk_{n}")) for n in range(at_once + 50)]
    assert all(written)
    assert [budget.filter(of_trunk("trunk_0")) for _ in range(at_once)].count(False) == 1
