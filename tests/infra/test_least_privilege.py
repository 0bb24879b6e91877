"""Tests that functions and the gateway's host may do what they need, and no more."""

from __future__ import annotations

import json

import pytest

from chalicelib.domain.call_transitions import Act
from chalicelib.services.call import call_control
from chalicelib.services.call.transition import settle
from chalicelib.store.table import Table
from infra.settings import FUNCTIONS
from tests.infra.templates import actions, listed

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once


def readable(installed, name):
    """The secrets that a function's role may read, by their logical ids."""
    (read,) = [
        each for each in installed.statements(installed.function(name)["Role"])
        if "secretsmanager:GetSecretValue" in listed(each["Action"])
    ]  # fmt: skip
    return {json.dumps(each) for each in listed(read["Resource"])}


def named(installed, name):
    """The secrets that a function's environment names: its process fetches all of them."""
    variables = installed.function(name)["Environment"]["Variables"]
    return {
        json.dumps(value) for variable, value in variables.items()
        if (variable.endswith("_ARN") and "SECRET" in variable) or variable.endswith("_TOKEN_ARN")
    }  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_may_read_exactly_the_secrets_that_its_environment_names(installed, name):
    assert readable(installed, name) == named(installed, name)


@pytest.mark.parametrize(
    "name", ["expire_ring", "fan_out_events", "deliver_event", "compose_recording"]
)
def test_functions_that_answer_no_request_cannot_read_what_checks_requests(installed, name):
    text = "".join(readable(installed, name))
    assert "AgentTokenSecret" not in text
    assert "GatewayControlSecret" not in text
    assert "AgentTokenSecret" in "".join(readable(installed, "api_handler"))


def test_a_function_that_deletes_nothing_may_not(installed):
    def allowed(name):
        return actions(installed.statements(installed.function(name)["Role"]))

    assert "dynamodb:DeleteItem" not in allowed("expire_ring")
    assert "dynamodb:DeleteItem" in allowed("api_handler")


def test_the_end_of_a_ring_deletes_no_item(world, monkeypatch):
    """A missed call, one that was answered, and one that is gone."""
    verbs, write = [], Table.write

    def recorded(self, *writes):
        verbs.extend(each.verb for each in writes)
        return write(self, *writes)

    answered = settle(world.deps, world.ringing(), Act.ANSWER)
    declined = settle(world.deps, world.ringing(), Act.DECLINE)
    missed = world.ringing()
    world.clock.advance(60)
    monkeypatch.setattr(Table, "write", recorded)
    outcomes = [
        call_control.ring_outcome(call_control.expire(world.deps, each.call_id))
        for each in (missed, answered, declined, missed)
    ]
    assert outcomes == ["missed", "answered", "gone", "missed"]
    assert verbs
    assert "Delete" not in verbs


def test_the_gateway_s_host_has_no_policy_of_aws_s_and_works_in_its_cluster_only(installed):
    resources = installed.resources("media")
    (name,) = [
        each for each, about in resources.items()
        if each.startswith("GatewayHost") and about["Type"] == "AWS::IAM::Role"
    ]  # fmt: skip
    assert "ManagedPolicyArns" not in resources[name]["Properties"]
    statements = installed.statements({"Fn::GetAtt": [name, "Arn"]})
    assert not {each for each in actions(statements) if "*" in each}
    assert {each.partition(":")[0] for each in actions(statements)} == {"ecs", "ssm", "ssmmessages"}
    for each in statements:
        if "ecs:Poll" in listed(each["Action"]):
            assert "ecs:cluster" in each["Condition"]["ArnEquals"]
        if "ecs:RegisterContainerInstance" in listed(each["Action"]):
            assert "Cluster" in json.dumps(each["Resource"])
