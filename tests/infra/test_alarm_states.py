"""Tests that no alarm is raised on a healthy installation, and that each is raised by its fault."""

from __future__ import annotations

import pytest

from infra.alarms import ALARMS
from tests.infra.alarm_states import in_alarm
from tests.infra.templates import synthesised_variants

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once

RELAYS, GATEWAY, VOICES = "relaytargets", "gatewaytargets", "voicetargets"
"""Words in the names of the parameters that the dimensions refer to."""

HEALTHY = {
    f"HealthyHostCount of {RELAYS}": 2,
    f"HealthyHostCount of {GATEWAY}": 1,
    f"HealthyHostCount of {VOICES}": 2,
    "Invocations of functionsweep": 3,
    "DaysToExpiry": 200,
    "StatusCheckFailed": 0,
    "IteratorAge": 900,
    "TrunksRegistered": 40,
    "TrunksFailed": 1,
    "RelayCalls": 60,
    "RelayDrops": 10,
    "SipLag": 4,
    "WebhookLatency": 80,
    "ConcurrentExecutions": 1,
    "Errors": 0,
    "Throttles": 0,
    "5XXError": 0,
    "Count": 3000,
    "IncomingBytes": 5e7,
    "HTTPCode_Target_5XX_Count": 2,
}
"""An ordinary day, with one tenant whose password is wrong. Other metrics have no data: nothing of
their kind has happened."""

QUIET = {
    key: value for key, value in HEALTHY.items()
    if key.startswith(("HealthyHostCount", "Invocations", "DaysToExpiry", "StatusCheckFailed"))
}  # fmt: skip
"""The first night: no calls, no trunks."""

FAULTS = {
    "errors": {"Errors": 6},
    "function-errors": {"Errors": 1},
    "function-throttled": {"Throttles": 1},
    "executions-used": {"ConcurrentExecutions of functionapihandler": 250},
    "api-5xx": {"5XXError": 6},
    "webhooks-slow": {"WebhookLatency": 3500},
    "webhooks-unsigned": {"WebhooksUnsigned": 11},
    "table-unavailable": {"TableUnavailable": 1},
    "secrets": {"SecretsClosed": 1},
    "calls-failed": {"CallsFailed": 6},
    "dials-refused": {"DialsRefused": 51},
    "certificate": {"DaysToExpiry of mediacertificate": 20, "DaysToExpiry": 200},
    "ring-machine": {"ExecutionsFailed of ring-timeout": 1},
    "ring-timed-out": {"ExecutionsTimedOut of ring-timeout": 1},
    "sweep-stopped": {"Invocations of functionsweep": None},
    "delivery-machine": {"ExecutionsFailed of deliver-event": 1},
    "deliveries-failed": {"DeliveriesFailed": 21},
    "stream-lost": {"ApproximateNumberOfMessagesVisible": 1},
    "stream-late": {"IteratorAge": 130_000},
    "relay-down": {f"HealthyHostCount of {RELAYS}": 1},
    "relay-full": {"RelayCalls": 160},
    "relay-refuses": {"HTTPCode_ELB_503_Count": 30},
    "relay-drops": {"RelayDrops": 600},
    "relay-unanswered": {"RelayUnanswered": 6},
    "gateway-down": {f"HealthyHostCount of {GATEWAY}": None},
    "gateway-machine": {"StatusCheckFailed": 1},
    "trunks-failed": {"TrunksFailed": 40, "TrunksRegistered": 0},
    "sip-late": {"SipLag": 250},
    "voice-down": {f"HealthyHostCount of {VOICES}": 1},
    "voice-5xx": {f"HTTPCode_Target_5XX_Count of {VOICES}": 11},
    "voice-failed": {"VoiceUnheard": 4, "VoiceUnspoken": 2},
    "firewall-blocks": {"BlockedRequests": 9_000},
    "requests-surge": {"Count": 400_000},
    "deliveries-surge": {"ExecutionsStarted of deliver-event": 31_000},
    "log-volume": {"IncomingBytes": 6e9},
}
"""Alarm -> the metrics that its fault changes; None: no data. Each of both firewalls blocks."""


@pytest.fixture(scope="module")
def variants(tmp_path_factory):
    wanted = {"all": {"hosted_voice": True}, "two gateways": {"sizes": {"gateways": 2}}}
    return synthesised_variants(tmp_path_factory.mktemp("alarms"), wanted)


@pytest.fixture(scope="module")
def installed(variants):
    """Return an installation that has all alarms."""
    return variants["all"]


def alarms(installation):
    return {
        each["AlarmName"].removeprefix("chamade-prod-"): each
        for each in installation.properties("AWS::CloudWatch::Alarm")
        if each.get("AlarmName", "").startswith("chamade-")
    }


def raised(installation, data):
    given = {key: value for key, value in data.items() if value is not None}
    return {name for name, alarm in alarms(installation).items() if in_alarm(alarm, given)}


@pytest.mark.parametrize("data", [HEALTHY, QUIET], ids=["ordinary", "quiet"])
def test_no_alarm_is_raised_on_a_healthy_installation(installed, data):
    assert raised(installed, data) == set()


def test_every_alarm_has_a_fault_here():
    assert set(FAULTS) == {alarm.name for alarm in ALARMS}


@pytest.mark.parametrize("name", FAULTS)
def test_each_alarm_is_raised_by_its_fault(installed, name):
    # What the fault changes comes first: a part's own value is found before the general one.
    data = {**FAULTS[name], **{k: v for k, v in HEALTHY.items() if k not in FAULTS[name]}}
    assert name in raised(installed, data)


@pytest.mark.parametrize(
    ("failed", "registered", "expected"),
    [(2, 0, False), (3, 0, True), (3, 40, False), (30, 20, True), (1, 1, False)],
)
def test_trunks_raise_an_alarm_only_if_most_have_failed(installed, failed, registered, expected):
    data = {**HEALTHY, "TrunksFailed": failed, "TrunksRegistered": registered}
    assert ("trunks-failed" in raised(installed, data)) == expected


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({}, set()),
        ({"HealthyHostCount of gateway2targets": None}, {"gateway-2-down"}),
        ({"HealthyHostCount of gateway2targets": 0}, {"gateway-2-down"}),
        ({f"HealthyHostCount of {GATEWAY}": 0}, {"gateway-down"}),
        ({"StatusCheckFailed of gateway2instance": 1}, {"gateway-2-machine"}),
        ({"StatusCheckFailed of gatewayinstance": 1}, {"gateway-machine"}),
    ],
)  # fmt: skip
def test_each_of_several_gateways_raises_alarms_of_its_own(variants, fault, expected):
    second = {"HealthyHostCount of gateway2targets": 1}
    data = {**fault, **{k: v for k, v in {**second, **HEALTHY}.items() if k not in fault}}
    assert raised(variants["two gateways"], data) == expected
