"""Tests of the gateway's line of counts and of its page for Prometheus."""

from __future__ import annotations

from gateway.telemetry.metrics import Metrics

CALLS = {"ringing": 1, "in-progress": 2}
TRUNKS = {"registered": 2, "ready": 1, "failed": 1, "registering": 1}


def test_the_line_has_present_values_and_counts_since_the_start():
    metrics = Metrics(refused=4, streams_failed=1, sip_lag_ms=1.26)
    metrics.webhook_errors["voice"] += 1
    gauges, counters = metrics.sample(CALLS, TRUNKS)
    assert gauges == {"calls": 3, "trunks_registered": 3, "trunks_failed": 1, "sip_lag_ms": 1.3}
    assert counters == {"refused": 4, "webhook_errors": 1, "streams_failed": 1}


def test_the_page_has_every_count_with_its_type():
    metrics = Metrics(streams=7)
    metrics.ended["busy"] += 2
    page = metrics.render(CALLS, TRUNKS).decode().splitlines()
    assert 'gateway_calls{status="in-progress"} 2.0' in page
    assert "# TYPE gateway_calls_ended_total counter" in page
    assert 'gateway_calls_ended_total{status="busy"} 2.0' in page
    assert "gateway_streams_total 7.0" in page
