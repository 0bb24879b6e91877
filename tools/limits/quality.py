"""Limits of what is measured and kept of a call's audio."""

from __future__ import annotations

from tools.limits.limit import Limit

_QUALITY = "tests/unit/relay/test_quality.py::test_"
_REPORTS = "tests/unit/relay/test_facts_reports.py::test_"
_FACTS = "tests/unit/services/test_facts.py::test_"
_POSTS = "tests/unit/handlers/test_call_facts.py::test_"

RELAY: tuple[Limit, ...] = (
    Limit(
        "levels of one direction (100 ms each)", "common.call_facts:MAX_STEPS", "", "call",
        "what comes later has none", f"{_QUALITY}a_call_keeps_no_more_than_its_bounds",
    ),
    Limit(
        "levels of one direction in a report", "common.call_facts:MAX_PIECE", "", "call",
        "the oldest are left out", f"{_QUALITY}a_call_keeps_no_more_than_its_bounds",
    ),
    Limit(
        "marks in a report (gaps, keys, barge-ins …)", "common.call_facts:MAX_MARKS", "", "call",
        "further ones are left out", f"{_QUALITY}a_call_keeps_no_more_than_its_bounds",
    ),
    Limit(
        "reports of quality that wait for an answer", "relay.network.facts_reports:MAX_KEPT", "",
        "call", "the oldest is dropped",
        f"{_REPORTS}reports_without_an_answer_are_kept_and_sent_in_order_but_not_all",
    ),
)  # fmt: skip

APPLICATION: tuple[Limit, ...] = (
    Limit(
        "reports of one relay about the quality of a call", "common.call_facts:MAX_REPORTS", "",
        "call", "400", f"{_POSTS}a_report_beyond_the_bounds_is_refused",
    ),
    Limit(
        "time after the end of a call for reports about its quality",
        "chalicelib.domain.call_facts:LATE_MS", "ms", "call", "nothing is kept",
        f"{_FACTS}a_report_about_no_call_or_another_time_is_not_kept",
    ),
    Limit(
        "events `call.quality`", "chalicelib.domain.call_facts:MAX_QUALITY_EVENTS", "", "call",
        "later changes are not told", f"{_FACTS}events_about_quality_are_bounded_in_a_call",
    ),
)  # fmt: skip
