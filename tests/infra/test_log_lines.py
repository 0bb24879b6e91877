"""Tests that metric filters and saved queries find what they are for in log lines as they are
written: by API Gateway, and by our formatter.
"""

from __future__ import annotations

import json
import logging
import re

import pytest

from common.log_lines import JsonFormatter
from infra.metrics import METRICS
from tests.infra.log_lines import REQUESTS, SERVED, matches, rendered, value

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once

OF_CODE = [metric for metric in METRICS if metric.parts != ("access",)]


def access_line(installed, **changed):
    format_ = installed.only("AWS::Serverless::Api")["AccessLogSetting"]["Format"]
    variables = {**SERVED, **{name.replace("__", "."): text for name, text in changed.items()}}
    return rendered(format_, variables)


def filters(installed, name):
    return [
        each for each in installed.properties("AWS::Logs::MetricFilter")
        if each["MetricTransformations"][0]["MetricName"] == name
    ]  # fmt: skip


def counted(installed, name, line):
    """The number that a metric of the access log gets of this line, or None."""
    (one,) = filters(installed, name)
    if not matches(one["FilterPattern"], line):
        return None
    return value(one["MetricTransformations"][0]["MetricValue"], line)


@pytest.mark.parametrize("kind", REQUESTS)
def test_every_access_log_line_is_json_with_numbers_where_metrics_need_them(installed, kind):
    format_ = installed.only("AWS::Serverless::Api")["AccessLogSetting"]["Format"]
    line = json.loads(rendered(format_, REQUESTS[kind]))
    assert line["status"] == int(REQUESTS[kind]["status"])
    assert line["latency_ms"] == 48
    assert line["route"] == REQUESTS[kind]["resourcePath"]
    assert line["error"] == REQUESTS[kind].get("error.responseType", "-")


def test_the_latency_of_a_served_webhook_is_measured(installed):
    assert counted(installed, "WebhookLatency", access_line(installed)) == 48
    other = access_line(installed, resourcePath="/api/events")
    assert counted(installed, "WebhookLatency", other) is None


@pytest.mark.parametrize(
    ("route", "status", "counts"),
    [
        ("/api/call", "429", True), ("/api/call", "403", True), ("/api/call", "201", False),
        ("/api/calls", "429", False),
    ],
)  # fmt: skip
def test_refused_dials_are_counted(installed, route, status, counts):
    line = access_line(installed, resourcePath=route, status=status)
    assert counted(installed, "DialsRefused", line) == (1 if counts else None)


@pytest.mark.parametrize(
    ("route", "status", "counts"),
    [
        ("/webhooks/twilio/voice", "403", True), ("/media/{call_id}/attach", "401", True),
        ("/gateway/trunks", "401", True), ("/voice/report", "401", True),
        ("/voice/report", "204", False), ("/webhooks/twilio/voice", "200", False),
        ("/api/call", "403", False),
    ],
)  # fmt: skip
def test_unsigned_requests_are_counted(installed, route, status, counts):
    line = access_line(installed, resourcePath=route, status=status)
    assert counted(installed, "WebhooksUnsigned", line) == (1 if counts else None)


def test_a_filter_that_publishes_a_field_requires_the_field(installed):
    """CloudWatch publishes a field of the line only if the pattern names it (CDK reference,
    MetricFilterOptions.metric_value)."""
    for each in installed.properties("AWS::Logs::MetricFilter"):
        (published,) = [one["MetricValue"] for one in each["MetricTransformations"]]
        assert published == "1" or published in each["FilterPattern"]


def written(metric):
    """A line of our formatter's with the message and the fields that a metric is made of."""
    fields = dict(re.findall(r'\$\.(\w+) = "([^"]+)"', metric.pattern))
    fields = {name: text.replace("*", "example") for name, text in fields.items()}
    if metric.value != "1":
        fields[metric.value[2:]] = 12
    level = logging.getLevelNamesMapping()[fields.pop("level", "info").upper()]
    logger, message = fields.pop("logger", "a.logger"), fields.pop("message", "a message")
    record = logging.makeLogRecord(
        {"name": logger, "levelno": level, "levelname": logging.getLevelName(level),
         "msg": message, **fields}
    )  # fmt: skip
    return JsonFormatter().format(record)


@pytest.mark.parametrize("metric", OF_CODE, ids=lambda metric: metric.name)
def test_a_line_of_our_formatter_is_counted_and_another_is_not(metric):
    line = written(metric)
    assert matches(metric.pattern, line)
    assert value(metric.value, line) == (1 if metric.value == "1" else 12)
    assert not matches(metric.pattern, '{"level":"info","logger":"x","message":"another"}')


@pytest.mark.parametrize("query", ["slowest routes", "who is refused"])
def test_saved_queries_of_the_access_log_use_fields_of_its_lines(installed, query):
    line = json.loads(access_line(installed))
    (one,) = installed.properties("AWS::Logs::QueryDefinition", Name=f"chamade/prod/{query}")
    assert one["LogGroupNames"] == ["/chamade/prod/access"]
    words = set(re.findall(r"[a-z_0-9]+", one["QueryString"]))
    known = words & {"latency_ms", "route", "method", "status", "source_ip"}
    assert len(known) >= 3
    assert known <= set(line)
    assert all(isinstance(line[each], int) for each in known & {"latency_ms", "status"})
