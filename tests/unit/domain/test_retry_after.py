"""Tests of `Retry-After` as servers write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.retry_after import seconds

NOW = 1_790_000_000_000  # Mon, 21 Sep 2026 14:13:20 GMT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("120", 120), (" 0 ", 0), ("9" * 40, 999_999_999), (None, None), ("", None), ("-5", None),
        ("1.5", None), ("soon", None), ("\u0663", None),
        ("Mon, 21 Sep 2026 14:14:20 GMT", 60), ("Mon, 21 Sep 2026 14:12:00 GMT", 0),
    ],
)  # fmt: skip
def test_seconds_and_dates_are_read_and_nothing_else(text, expected):
    assert seconds(text, NOW) == expected


@given(st.text())
def test_no_text_raises(text):
    found = seconds(text, NOW)
    assert found is None or found >= 0
