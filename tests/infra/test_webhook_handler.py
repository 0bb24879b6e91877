"""Tests that API requests and long polls cannot take the executions that answer a call."""

from __future__ import annotations

import copy
import json

import pytest

from infra.settings import FUNCTIONS
from infra.webhook_handler import SIGNED_PATHS, split
from runtime import strangers

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once

RESERVED = "ReservedConcurrentExecutions"
QUOTA, UNRESERVED = 1000, 100
"""Executions that an AWS account has as a rule, and those that AWS wants left unreserved."""


def functions_of(api):
    """Path -> the functions that its methods invoke."""
    return {
        path: {
            json.dumps(method["x-amazon-apigateway-integration"]["uri"])
            for method in methods.values()
            if "x-amazon-apigateway-integration" in method
        }
        for path, methods in api["paths"].items()
    }


def test_exactly_the_signed_paths_invoke_the_webhook_function(installed):
    found = functions_of(installed.only("AWS::Serverless::Api")["DefinitionBody"])
    signed = {path for path in found if path.startswith(SIGNED_PATHS)}
    assert {path.split("/")[1] for path in signed} == {"webhooks", "media", "gateway", "voice"}
    for path, functions in found.items():
        (uri,) = functions
        assert ("${WebhookHandler.Arn}" in uri) == (path in signed), path
        assert ("${APIHandler.Arn}" in uri) == (path not in signed), path


def test_the_webhook_function_differs_from_the_api_s_in_its_own_settings_only(installed):
    own = {"Role", "LoggingConfig", RESERVED}
    api, webhooks = (
        {name: value for name, value in installed.function(each).items() if name not in own}
        for each in ("api_handler", "webhook_handler")
    )
    assert api == webhooks
    assert installed.function("webhook_handler")["Handler"] == "app.app"


@pytest.mark.parametrize("function", ["APIHandler", "WebhookHandler"])
def test_the_api_may_invoke_the_webhook_function(installed, function):
    permission = installed.only("AWS::Lambda::Permission", FunctionName={"Ref": function})
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert "${RestAPIId}" in json.dumps(permission["SourceArn"])


def test_polls_and_deliveries_cannot_take_the_executions_that_answer_calls(installed):
    # A reserved number is also the most that a function has, so none takes another's.
    reserved = {name: installed.function(name)[RESERVED] for name in FUNCTIONS}
    assert sum(reserved.values()) <= QUOTA - UNRESERVED


def test_executions_are_reserved_as_the_operator_sets_them(with_options):
    assert with_options.function("expire_ring")[RESERVED] == 20
    assert not any(
        RESERVED in with_options.function(name) for name in FUNCTIONS if name != "expire_ring"
    )


def test_an_api_without_signed_paths_is_refused():
    api = {"Properties": {"DefinitionBody": {"paths": {"/api/call": {}}}}}
    template = {"Resources": {"APIHandler": {}, "APIHandlerInvokePermission": {}, "RestAPI": api}}
    with pytest.raises(ValueError, match="/webhooks/"):
        split(copy.deepcopy(template))


def test_call_metrics_also_count_the_webhook_function_s_logs(installed):
    filters = installed.properties("AWS::Logs::MetricFilter")
    group = "/chamade/prod/webhook_handler"
    counted = {
        each["MetricTransformations"][0]["MetricName"]
        for each in filters if each["LogGroupName"] == group
    }  # fmt: skip
    assert {
        "CallsRinging", "CallsAnswered", "CallsMissed", "CallsFailed", "Errors", "TableUnavailable",
    } <= counted  # fmt: skip


def test_the_throttling_alarm_and_the_saved_query_cover_the_webhook_function(installed):
    alarm = installed.only("AWS::CloudWatch::Alarm", AlarmName="chamade-prod-function-throttled")
    assert "webhookhandler" in json.dumps(alarm).lower().replace("_", "")
    for query in installed.properties("AWS::Logs::QueryDefinition"):
        if query["Name"] == "chamade/prod/everything about a call":
            assert "/chamade/prod/webhook_handler" in query["LogGroupNames"]


def test_a_few_accounts_with_slow_endpoints_do_not_take_all_tries(installed):
    limits = installed.function("deliver_event")
    tries = int(limits["Environment"]["Variables"]["CHAMADE_TRIES_AT_ONCE"])
    assert 6 * (tries + tries // 2) <= limits[RESERVED]


def test_the_gateway_s_keep_alive_outlasts_the_balancer_s(installed):
    balancer = installed.only("AWS::ElasticLoadBalancingV2::LoadBalancer")
    attributes = {each["Key"]: each["Value"] for each in balancer["LoadBalancerAttributes"]}
    assert int(attributes["idle_timeout.timeout_seconds"]) < strangers.KEEPALIVE_S
