"""Tests that two installations fit into one account and region: nothing of them has one name."""

from __future__ import annotations

import json

import pytest

from tests.infra.templates import STACKS, synthesised_variants

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once

NO_NAME = {
    ("AWS::IAM::Policy", "PolicyName"),  # within its role
    ("AWS::CloudWatch::Alarm", "MetricName"),  # its namespace or dimensions have the stage
    ("AWS::Serverless::Api", "StageName"),  # within its API
    ("AWS::EC2::VPCEndpoint", "ServiceName"),  # AWS's
}
"""Properties that end with `Name` and name no resource of an account and region."""

INDIRECT = {
    ("AWS::ApplicationAutoScaling::ScalingPolicy", "PolicyName"),
    ("AWS::KMS::Alias", "AliasName"),
}


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    variants = {
        stage: {"stage": stage, "domain": f"{stage}.example.com", "hosted_zone_id": "Z1"}
        for stage in ("prod", "test")
    }
    return synthesised_variants(tmp_path_factory.mktemp("two"), variants)


def named(installation):
    """(type, property, name) of every name that is written in the templates."""
    found = set()
    for stack in STACKS:
        for resource in installation.resources(stack).values():
            type_ = resource["Type"]
            for key, value in resource.get("Properties", {}).items():
                is_name = key.endswith("Name") and (type_, key) not in NO_NAME
                if is_name and not (isinstance(value, dict) and _refers(value)):
                    found.add((type_, key, json.dumps(value)))
    return found


def _refers(value):
    """Whether a name is another resource's: that one's own name is looked at."""
    return bool({"Ref", "Fn::GetAtt", "Fn::ImportValue", "Fn::Select"} & set(value))


def test_no_resource_of_two_installations_has_the_same_name(two):
    prod, test = named(two["prod"]), named(two["test"])
    assert {("AWS::DynamoDB::Table", "TableName", '"chamade-prod-calls"')} <= prod
    assert {(type_, key) for type_, key, _ in prod} >= INDIRECT
    assert prod & test == set()


def test_two_installations_export_nothing_under_the_same_name(two):
    exports = [
        {
            json.dumps(output["Export"]["Name"])
            for stack in STACKS
            for output in two[stage].template(stack).get("Outputs", {}).values()
            if "Export" in output
        }
        for stage in two
    ]
    assert exports[0] & exports[1] == set()


def test_two_installations_log_and_measure_apart(two):
    for type_, key in (
        ("AWS::Logs::LogGroup", "LogGroupName"),
        ("AWS::Logs::MetricFilter", "LogGroupName"),
    ):
        names = [{each[key] for each in two[stage].properties(type_)} for stage in two]
        assert names[0] & names[1] == set()
    namespaces = [
        {each["MetricTransformations"][0]["MetricNamespace"]
         for each in two[stage].properties("AWS::Logs::MetricFilter")}
        for stage in two
    ]  # fmt: skip
    assert namespaces == [{"Chamade/prod"}, {"Chamade/test"}]
