"""Tests of the firewalls: every request counts against one limit of its address, however its path
is spelled.
"""

from __future__ import annotations

import json
import re

import pytest

from app import app
from infra.firewall_rules import (
    AGENT_SOCKETS,
    API_REQUESTS,
    API_SIGNED_REQUESTS,
    COUNTED,
    MEDIA_SIGNED_REQUESTS,
)
from infra.webhook_handler import SIGNED_PATHS

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once

TWILIO_CALLS, TWILIO_ADDRESSES = 200, 6
"""Calls that ring at once, and the addresses that Twilio posts from."""
RELAYS, CALLS_A_RELAY = 10, 120


def limits(installed, acl):
    """(limit, window, what it applies to), in the order in which they are tried."""
    rules = installed.only("AWS::WAFv2::WebACL", Name=f"chamade-prod-{acl}")["Rules"]
    rules = sorted(rules, key=lambda each: each["Priority"])
    found = [each for each in rules if "RateBasedStatement" in each["Statement"]]
    assert rules[: len(found)] == found, "limits come before the rule groups"
    assert all(each["Action"] == {"Block": {}} for each in found)
    statements = [each["Statement"]["RateBasedStatement"] for each in found]
    assert all(each["AggregateKeyType"] == "IP" for each in statements)
    return [
        (each["Limit"], each["EvaluationWindowSec"], each["ScopeDownStatement"])
        for each in statements
    ]


def applies(statement, path):
    """As AWS WAF evaluates the two kinds of statement that the limits are made of."""
    if "NotStatement" in statement:
        return not applies(statement["NotStatement"]["Statement"], path)
    match = statement["RegexMatchStatement"]
    assert match["FieldToMatch"] == {"UriPath": {}}
    # The path as the client sent it: no other spelling may count as one of the patterns.
    assert [each["Type"] for each in match["TextTransformations"]] == ["NONE"]
    return re.search(match["RegexString"], path) is not None


def limit_of(installed, acl, path):
    """The one limit that counts requests for this path."""
    (found,) = [
        (limit, window) for limit, window, scope in limits(installed, acl) if applies(scope, path)
    ]
    return found


def rate(limit):
    return limit.requests, limit.window_s


def filled(route):
    """A path of a route of the application."""
    return re.sub(r"\{\w+\}", "x1-y_Z", route)


def test_the_firewall_stands_before_the_api_and_before_the_balancer(installed):
    protected = [
        each["ResourceArn"] for each in installed.properties("AWS::WAFv2::WebACLAssociation")
    ]
    assert "${RestAPI.Stage}" in json.dumps(protected)
    assert any(each.get("Ref", "").startswith("BalancerAlb") for each in protected)
    assert len(protected) == 2


def stage(installed):
    return installed.only("AWS::Serverless::Api")["StageName"]


@pytest.mark.parametrize("with_stage", [False, True])
@pytest.mark.parametrize("route", [each for each in app.routes if each.startswith(SIGNED_PATHS)])
def test_signed_requests_have_a_higher_limit_of_their_own(installed, route, with_stage):
    before = f"/{stage(installed)}" if with_stage else ""
    assert limit_of(installed, "api", before + filled(route)) == rate(API_SIGNED_REQUESTS)


@pytest.mark.parametrize("with_stage", [False, True])
@pytest.mark.parametrize(
    "route", [each for each in app.routes if not each.startswith(SIGNED_PATHS)]
)
def test_every_other_route_counts_against_the_limit_of_its_address(installed, route, with_stage):
    before = f"/{stage(installed)}" if with_stage else ""
    assert limit_of(installed, "api", before + filled(route)) == rate(API_REQUESTS)


def test_no_route_begins_with_the_stage_s_name(installed):
    """Or a path with the stage could be another route's without it."""
    assert not [route for route in app.routes if route.startswith(f"/{stage(installed)}")]


@pytest.mark.parametrize(
    "path",
    [
        "//webhooks/twilio/voice", "/webhooks//twilio/voice", "/Webhooks/twilio/voice",
        "/WEBHOOKS/twilio/voice", "/%77ebhooks/twilio/voice", "/webhooks%2ftwilio/voice",
        "/webhooks/../api/call", "/webhooks/%2e%2e/api/call", "/webhooks/./twilio/voice",
        "/live/live/webhooks/twilio/voice", "/live//webhooks/twilio/voice", "/LIVE/webhooks/x",
        "/webhooks/twilio/voice/", "/webhooks/", "/webhooks", "/webhooks;x/twilio/voice",
        "/media/", "/media/..%2fapi/call", "/gateway/trunks/list%00", "/x/webhooks/twilio/voice",
        "\\webhooks\\twilio\\voice", "/webhooks/twilio/voice%0a", "", "/", "*",
    ],
)  # fmt: skip
def test_no_other_spelling_of_a_path_escapes_the_lower_limit(installed, path):
    assert limit_of(installed, "api", path) == rate(API_REQUESTS)


def test_a_provider_of_ringing_calls_stays_below_its_limit_and_a_flood_exceeds_it(installed):
    limit, window = limit_of(installed, "api", "/webhooks/twilio/ringing")
    polls = TWILIO_CALLS * window
    others = TWILIO_CALLS * 6 * window / 60  # voice, answered, status …: in a minute each once
    from_one_address = polls + others  # as if all came from one of them
    assert from_one_address < limit
    throttle = installed.only("AWS::Serverless::Api")["MethodSettings"][0]["ThrottlingRateLimit"]
    assert throttle * window < limit * TWILIO_ADDRESSES, "API Gateway would refuse them first"
    assert throttle * window > limit * 3, "one stranger may not have the throttle for himself"


@pytest.mark.parametrize(
    "path",
    [
        "/media/agent/call_x", "/media/agent/", "/media/%61gent/call_x", "//media/agent/call_x",
        "/media/provider/../agent/call_x", "/Media/Provider/x", "/legs/call", "/status", "/nothing",
    ],
)  # fmt: skip
def test_every_other_path_of_the_balancer_has_the_limit_of_agents_sockets(installed, path):
    assert limit_of(installed, "media", path) == rate(AGENT_SOCKETS)


@pytest.mark.parametrize(
    "path",
    [
        "/media/provider/eyJ.a-b_c~=", "/media/provider/x/", "/trunks", "/trunks/trunk_1/changed",
        "/2010-04-01/Accounts/AC12/Calls.json", "/2010-04-01/Accounts/AC12/Calls/CA34.json",
    ],
)  # fmt: skip
def test_streams_and_calls_rest_have_a_limit_apart_from_agents(installed, path):
    assert limit_of(installed, "media", path) == rate(MEDIA_SIGNED_REQUESTS)


def test_a_customer_whose_agents_share_one_address_stays_below_the_limit(installed):
    limit, window = limit_of(installed, "media", "/media/agent/call_x")
    sockets = RELAYS * CALLS_A_RELAY  # all of the installation, each anew every minute
    assert sockets * window / 60 <= limit
    assert limit / window < 50, "a relay takes a handshake in 20 ms, and has others"


def test_the_limits_are_in_the_range_aws_accepts(installed):
    for acl in ("api", "media"):
        for limit, window, _ in limits(installed, acl):
            assert window in (60, 120, 300, 600)
            assert 10 <= limit <= 2_000_000_000


def test_managed_rules_that_would_refuse_valid_bodies_only_count(installed):
    """8 KiB is the common rules' limit, ours is 256; and endpoints' URLs may name an address."""
    acl = installed.only("AWS::WAFv2::WebACL", Name="chamade-prod-api")
    groups = [each["Statement"].get("ManagedRuleGroupStatement", {}) for each in acl["Rules"]]
    (common,) = [each for each in groups if each.get("Name") == "AWSManagedRulesCommonRuleSet"]
    counted = {each["Name"] for each in common["RuleActionOverrides"]}
    assert counted == set(COUNTED)
    assert all(each["ActionToUse"] == {"Count": {}} for each in common["RuleActionOverrides"])


def test_the_firewall_s_log_holds_no_credentials(installed):
    for logging in installed.properties("AWS::WAFv2::LoggingConfiguration"):
        hidden = json.dumps(logging["RedactedFields"])
        assert all(
            each in hidden for each in ("x-api-key", "authorization", "cookie", "QueryString")
        )


def test_requests_refused_by_a_rate_limit_are_not_logged(installed):
    for acl in installed.properties("AWS::WAFv2::WebACL"):
        labels = {
            label["Name"] for rule in acl["Rules"] for label in rule.get("RuleLabels", [])
            if "RateBasedStatement" in rule["Statement"]
        }  # fmt: skip
        (label,) = labels
        (logging,) = [
            each for each in installed.properties("AWS::WAFv2::LoggingConfiguration")
            if f":webacl:{acl['Name']}:{label}" in json.dumps(each["LoggingFilter"])
        ]  # fmt: skip
        dropped, kept = logging["LoggingFilter"]["Filters"]
        assert dropped["Behavior"] == "DROP"
        assert "LabelNameCondition" in dropped["Conditions"][0]
        assert kept["Conditions"] == [{"ActionCondition": {"Action": "BLOCK"}}]
        assert logging["LoggingFilter"]["DefaultBehavior"] == "DROP"
