"""Tests that the answers of several processes become one."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from gateway.front import merge
from gateway.telemetry.metrics import Metrics
from runtime.metrics import merged, page

UP = {"answers": True, "code": None}
DOWN = {"answers": False, "code": "timeout"}


def document(calls, trunks, application):
    return {"calls": calls, "trunks": trunks, "application": application}


def test_calls_and_trunks_of_all_processes_add_up():
    found = merge.totals(
        [
            document({"ringing": 1, "in-progress": 2}, {"registered": 3}, UP),
            document({"in-progress": 4}, {"registered": 1, "failed": 1}, UP),
        ]
    )
    assert found["calls"] == {"ringing": 1, "in-progress": 6}
    assert found["trunks"] == {"registered": 4, "failed": 1}
    assert found["application"] == UP


def test_an_application_that_one_process_does_not_reach_is_shown():
    documents = [document({}, {}, UP), document({}, {}, DOWN), document({}, {}, UP)]
    assert merge.totals(documents)["application"] == DOWN
    assert merge.totals([document({}, {}, None)])["application"] is None


def test_the_page_for_prometheus_is_valid_and_has_each_process():
    metrics = {name: Metrics(streams=number) for number, name in enumerate("12", 1)}
    metrics["2"].ended["busy"] += 3
    pages = {name: each.render({"ringing": 1}, {}).decode() for name, each in metrics.items()}
    text = page(merged(pages)).decode()
    assert 'gateway_calls{process="2",status="ringing"} 1.0' in text
    assert 'gateway_streams_total{process="1"} 1.0' in text
    assert 'gateway_calls_ended_total{process="2",status="busy"} 3.0' in text
    families = [family.name for family in text_string_to_metric_families(text)]
    assert len(families) == len(set(families))


def test_gauges_add_up_and_the_worst_lag_counts():
    samples = {
        0: (1, ({"calls": 2, "sip_lag_ms": 1.5}, {})),
        1: (1, ({"calls": 3, "sip_lag_ms": 0.5}, {})),
    }
    gauges, _ = merge.Totals().add(samples)
    assert (gauges["calls"], gauges["sip_lag_ms"]) == (5, 1.5)


def test_counters_of_a_process_that_was_started_again_go_on_from_where_they_were():
    totals = merge.Totals()
    totals.add({0: (1, ({}, {"refused": 5})), 1: (1, ({}, {"refused": 1}))})
    totals.add({1: (1, ({}, {"refused": 2}))})
    _, counters = totals.add({0: (2, ({}, {"refused": 1})), 1: (1, ({}, {"refused": 2}))})
    assert counters == {"refused": 8}


def test_the_trunks_of_a_process_that_does_not_answer_have_failed():
    totals = merge.Totals()
    both = {number: (1, ({"trunks_registered": 4, "trunks_failed": 1}, {})) for number in range(2)}
    gauges, _ = totals.add(both)
    assert (gauges["trunks_registered"], gauges["trunks_failed"]) == (8, 2)
    gauges, _ = totals.add({1: both[1]})
    assert (gauges["trunks_registered"], gauges["trunks_failed"]) == (4, 6)
