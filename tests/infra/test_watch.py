"""Tests of metrics, alarms, dashboard and saved queries: they match the log lines of the code and
the runbooks.
"""

from __future__ import annotations

import json
import re

import pytest

from infra.alarms import ALARMS, OF_SIP, OF_VOICE, RUNBOOKS
from infra.metrics import METRICS
from infra.queries import QUALITY
from tests.support.engine import ROOT

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once

FOLDERS = {
    "application": ("chalicelib",),
    "relay": ("relay", "runtime"),
    "gateway": ("gateway", "runtime"),
    "voice": ("voice", "runtime"),
}
CODE = {
    part: "".join(path.read_text() for each in folders for path in (ROOT / each).rglob("*.py"))
    for part, folders in FOLDERS.items()
}


def code_of(metric):
    (part,) = {each if each in CODE else "application" for each in metric.parts}
    return CODE[part]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_each_metric_filter_matches_a_line_that_the_code_logs(metric):
    code = code_of(metric)
    if metric.parts == ("access",):
        code = (ROOT / "infra" / "api_front.py").read_text() + CODE["application"]
    for message in re.findall(r'\$\.message = "([^"]+)"', metric.pattern):
        start = message.rstrip("*")
        assert f'"{start}' in code or f'"{start.rpartition(" ")[0]} %s"' in code
    for logger in re.findall(r'\$\.logger = "([^"]+)"', metric.pattern):
        assert "getLogger(__name__)" in (ROOT / f"{logger.replace('.', '/')}.py").read_text()
    if field := metric.value.removeprefix("$."):
        assert field == "1" or re.search(rf'"{field}"|\b{field}=', code)


def test_the_counted_states_are_call_states():
    from chalicelib.domain.call_transitions import CallState
    from chalicelib.domain.delivery import DeliveryState

    counted = {
        state for each in METRICS for state in re.findall(r'\$\.state = "(\w+)"', each.pattern)
    }
    assert counted <= {state.value for state in CallState}
    delivered = {
        word for each in METRICS for word in re.findall(r'"delivery (\w+)"', each.pattern)
    }  # fmt: skip
    assert delivered <= {state.value for state in DeliveryState}


def test_every_metric_filter_reads_an_existing_log_group(installed):
    groups = {each["LogGroupName"] for each in installed.properties("AWS::Logs::LogGroup")}
    filters = installed.properties("AWS::Logs::MetricFilter")
    assert {each["LogGroupName"] for each in filters} <= groups
    assert {each["MetricTransformations"][0]["MetricNamespace"] for each in filters} == {
        "Chamade/prod"
    }


def test_every_alarm_names_its_section_of_the_runbooks(installed, with_options):
    descriptions = {
        each["AlarmName"].split("-", 2)[2]: each["AlarmDescription"]
        for installation in (installed, with_options)
        for each in installation.properties("AWS::CloudWatch::Alarm")
        if each.get("AlarmName", "").startswith("chamade-")
    }
    assert set(descriptions) == {alarm.name for alarm in ALARMS}
    for alarm in ALARMS:
        assert descriptions[alarm.name].endswith(f"What to do: {RUNBOOKS}#{alarm.anchor}")


@pytest.mark.skipif(not (ROOT / RUNBOOKS).exists(), reason="the page is not there yet")
def test_every_runbook_section_that_an_alarm_names_exists():
    headings = re.findall(r"^#+ (.+)$", (ROOT / RUNBOOKS).read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", each).strip().lower().replace(" ", "-") for each in headings}
    anchors |= set(re.findall(r'<a (?:id|name)="([\w-]+)"', (ROOT / RUNBOOKS).read_text()))
    assert {alarm.anchor for alarm in ALARMS} <= anchors


def test_every_log_alarm_watches_an_existing_metric():
    names = {metric.name for metric in METRICS}
    assert {alarm.metric for alarm in ALARMS if alarm.source == "log"} <= names


def test_every_alarm_notifies_the_operator(installed, with_options):
    topic = with_options.only("AWS::SNS::Subscription")
    assert (topic["Protocol"], topic["Endpoint"]) == ("email", "ops@example.net")
    assert installed.properties("AWS::SNS::Subscription") == []
    for alarm in installed.properties("AWS::CloudWatch::Alarm"):
        if alarm.get("AlarmName", "").startswith("chamade-"):
            assert alarm["AlarmActions"]
            assert alarm["AlarmActions"] == alarm["OKActions"]


def test_no_healthy_target_raises_an_alarm_even_without_data(installed, with_options):
    for installation, name in (
        (installed, "relay-down"), (installed, "gateway-down"), (with_options, "voice-down"),
    ):  # fmt: skip
        wanted = f"chamade-{installation.stage}-{name}"
        alarm = installation.only("AWS::CloudWatch::Alarm", AlarmName=wanted)
        assert alarm["TreatMissingData"] == "breaching"
        assert "LoadBalancer" in json.dumps(alarm)


def test_alarm_thresholds_follow_from_the_configured_sizes(with_options):
    thresholds = {
        each["AlarmName"]: each["Threshold"]
        for each in with_options.properties("AWS::CloudWatch::Alarm")
        if each.get("AlarmName", "").startswith("chamade-")
    }
    assert thresholds["chamade-test-relay-down"] == 3
    assert thresholds["chamade-test-relay-full"] == 1.25 * 120
    assert thresholds["chamade-test-voice-down"] == 2


@pytest.mark.parametrize(
    "metric",
    [
        "CallsRinging", "CallsMissed", "RelayCalls", "RelayDrops", "WebhookLatency",
        "TrunksRegistered", "TrunksFailed", "DeliveriesFailed",
    ],
)  # fmt: skip
def test_the_dashboard_shows_each_metric(installed, metric):
    body = json.dumps(installed.only("AWS::CloudWatch::Dashboard")["DashboardBody"])
    assert f'\\"{metric}\\"' in body or f'\\\\\\"{metric}\\\\\\"' in body


def test_the_dashboard_shows_every_alarm(installed):
    body = json.dumps(installed.only("AWS::CloudWatch::Dashboard")["DashboardBody"])
    names = {each for each in installed.resources("watch") if f'["{each}", "Arn"]' in body}
    assert len(names) == len(ALARMS) - len(OF_VOICE)


def test_one_saved_query_finds_all_log_lines_of_a_call(installed):
    queries = {each["Name"]: each for each in installed.properties("AWS::Logs::QueryDefinition")}
    one = queries["chamade/prod/everything about a call"]
    parts = {each.rpartition("/")[2] for each in one["LogGroupNames"]}
    assert {"api_handler", "expire_ring", "ring-machine", "relay", "gateway"} <= parts
    groups = {each["LogGroupName"] for each in installed.properties("AWS::Logs::LogGroup")}
    assert all(set(each["LogGroupNames"]) <= groups for each in queries.values())


def test_a_saved_query_lists_the_worst_calls_by_their_quality(installed):
    (one,) = installed.properties(
        "AWS::Logs::QueryDefinition", Name="chamade/prod/worst calls of the hour"
    )
    assert 'message = "call quality"' in one["QueryString"]
    assert all(name in one["QueryString"] for name in QUALITY)
    assert "/chamade/prod/api_handler" in one["LogGroupNames"]


def test_an_installation_without_a_gateway_has_no_gateway_alarms(with_options):
    names = {
        each.get("AlarmName", "") for each in with_options.properties("AWS::CloudWatch::Alarm")
    }
    assert not {f"chamade-test-{each}" for each in OF_SIP} & names
    groups = {each["LogGroupName"] for each in with_options.properties("AWS::Logs::MetricFilter")}
    assert "/chamade/test/gateway" not in groups


def test_only_an_installation_with_voice_hosts_has_their_alarms(installed, with_options):
    def alarms(installation):
        named = installation.properties("AWS::CloudWatch::Alarm")
        return {each.get("AlarmName", "").partition(f"{installation.stage}-")[2] for each in named}

    assert not OF_VOICE & alarms(installed)
    assert alarms(with_options) >= OF_VOICE
    (failed,) = with_options.properties(
        "AWS::CloudWatch::Alarm", AlarmName="chamade-test-voice-failed"
    )
    counted = {
        each["MetricStat"]["Metric"]["MetricName"]
        for each in failed["Metrics"] if "MetricStat" in each
    }  # fmt: skip
    assert counted == {"VoiceUnspoken", "VoiceUnheard"}


def test_every_resource_is_tagged_with_application_and_stage(installed):
    for type_ in ("AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::ECS::Service", "AWS::SQS::Queue"):
        for each in installed.properties(type_):
            tags = {tag["Key"]: tag["Value"] for tag in each["Tags"]}
            assert (tags["application"], tags["stage"]) == ("chamade", "prod")
