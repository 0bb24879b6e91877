"""Metrics, taken from the parts' log lines by filters: nothing in the product knows CloudWatch."""

from __future__ import annotations

RELAY_CALLS = "RelayCalls"
