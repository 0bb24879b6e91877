"""Tests that costs which strangers can cause raise alarms, and that the budget notifies the
owner.
"""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once


@pytest.mark.parametrize(
    ("name", "namespace", "metric"),
    [
        ("firewall-blocks", "AWS/WAFV2", "BlockedRequests"),
        ("requests-surge", "AWS/ApiGateway", "Count"),
        ("deliveries-surge", "AWS/States", "ExecutionsStarted"),
        ("log-volume", "AWS/Logs", "IncomingBytes"),
    ],
)
def test_each_resource_billed_by_the_request_has_an_alarm(installed, name, namespace, metric):
    alarm = json.dumps(installed.only("AWS::CloudWatch::Alarm", AlarmName=f"chamade-prod-{name}"))
    assert f'"Namespace": "{namespace}"' in alarm
    assert f'"MetricName": "{metric}"' in alarm


def test_the_request_alarm_counts_both_firewalls(installed):
    alarm = installed.only("AWS::CloudWatch::Alarm", AlarmName="chamade-prod-firewall-blocks")
    named = {each["Name"] for each in installed.properties("AWS::WAFv2::WebACL")}
    counted = {
        dimension["Value"]
        for metric in alarm["Metrics"] if "MetricStat" in metric
        for dimension in metric["MetricStat"]["Metric"]["Dimensions"]
        if dimension["Name"] == "WebACL"
    }  # fmt: skip
    assert counted == named


def test_the_log_volume_alarm_counts_the_whole_account(installed):
    alarm = installed.only("AWS::CloudWatch::Alarm", AlarmName="chamade-prod-log-volume")
    assert "Dimensions" not in alarm


def test_the_owner_is_told_before_the_month_costs_more_than_the_budget(installed, with_options):
    assert installed.properties("AWS::Budgets::Budget") == []
    (budget,) = with_options.properties("AWS::Budgets::Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 500, "Unit": "USD"}
    notifications = [
        (each["Notification"]["NotificationType"], each["Notification"]["Threshold"])
        for each in budget["NotificationsWithSubscribers"]
    ]
    assert notifications == [("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)]
    for each in budget["NotificationsWithSubscribers"]:
        assert each["Subscribers"] == [{"Address": "ops@example.net", "SubscriptionType": "EMAIL"}]


def test_every_log_group_has_a_retention(installed):
    for group in installed.properties("AWS::Logs::LogGroup"):
        assert group["RetentionInDays"] <= 30
