"""Tests that a first deployment that failed can be tried again, and that what a removed
installation left behind does not stand in the way of the next one.

Sources: CloudFormation template reference, "DeletionPolicy attribute" (RetainExceptOnCreate deletes
what a rolled back operation has created; Retain keeps it, and its name is taken then);
CloudFormation user guide, "Import AWS resources into a stack automatically".
"""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from infra.kept import LOOKED_UP, mapping
from tests.infra.templates import STACKS
from tests.infra.test_two_installations import NO_NAME
from tests.support.engine import ROOT, client

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once

KEPT = {"RetainExceptOnCreate", "Retain"}


def resources(installation):
    return {
        (stack, name): each
        for stack in STACKS
        for name, each in installation.resources(stack).items()
    }


def has_a_name(resource):
    return any(
        key.endswith("Name") and (resource["Type"], key) not in NO_NAME and isinstance(value, str)
        for key, value in resource.get("Properties", {}).items()
    )


def test_what_a_failed_deployment_has_made_under_a_name_is_removed_again(installed):
    named = [each for each in resources(installed).values() if has_a_name(each)]
    assert len(named) > 30
    for each in named:
        assert each.get("DeletionPolicy") != "Retain", each


def test_what_is_kept_is_kept_when_it_is_replaced_too(installed):
    for each in resources(installed).values():
        if each.get("DeletionPolicy") in KEPT:
            assert each["UpdateReplacePolicy"] == "Retain"


def test_nothing_that_is_protected_from_deletion_is_made_before_something_can_fail(installed):
    """CloudFormation could not remove it when it rolls back. So the table is the last of its
    stack."""
    data = installed.resources("data")
    (table,) = [name for name, each in data.items() if each["Type"] == "AWS::DynamoDB::Table"]
    assert data[table]["Properties"]["DeletionProtectionEnabled"] is True
    assert set(data[table]["DependsOn"]) == set(data) - {table}
    for balancer in installed.properties("AWS::ElasticLoadBalancingV2::LoadBalancer"):
        attributes = {each["Key"]: each["Value"] for each in balancer["LoadBalancerAttributes"]}
        assert attributes.get("deletion_protection.enabled", "false") == "false"
    for instance in installed.properties("AWS::EC2::Instance"):
        assert not instance.get("DisableApiTermination")


def test_each_kept_resource_with_a_name_can_be_taken_over_by_the_next_installation(installed):
    """By CloudFormation itself if its name identifies it, else by `make adopt`."""
    by_name = {"AWS::DynamoDB::Table", "AWS::Logs::LogGroup"}
    for (stack, _), each in resources(installed).items():
        if each.get("DeletionPolicy") in KEPT and has_a_name(each):
            assert each["Type"] in by_name or (stack == "data" and each["Type"] in LOOKED_UP)


def test_everything_that_the_data_stack_keeps_is_imported_together(installed):
    """An import may refer to nothing that is not imported."""
    kept = {
        name for name, each in installed.resources("data").items()
        if each.get("DeletionPolicy") in KEPT
    }  # fmt: skip
    assert kept == set(installed.resources("data"))


@pytest.fixture
def left_behind(engine, installed):
    """The data stack's table, keys and secrets, as a removed installation leaves them: logical id
    -> physical id."""
    template = {"Resources": {}}
    for name, each in installed.resources("data").items():
        properties = {
            key: value for key, value in each["Properties"].items() if key != "SSESpecification"
        }
        template["Resources"][name] = {"Type": each["Type"], "Properties": properties}
    cloudformation = client(engine, "cloudformation")
    cloudformation.create_stack(StackName="left-behind", TemplateBody=json.dumps(template))
    found = cloudformation.describe_stack_resources(StackName="left-behind")["StackResources"]
    yield {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}
    for each in found:
        if each["ResourceType"] == "AWS::DynamoDB::Table":
            dynamodb, name = client(engine, "dynamodb"), each["PhysicalResourceId"]
            dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
    cloudformation.delete_stack(StackName="left-behind")


def test_the_kept_data_is_found_again_by_name_and_description(engine, installed, left_behind):
    template = installed.template("data")
    found = mapping(template, lambda service: client(engine, service))
    kept = {
        name for name, each in template["Resources"].items() if each.get("DeletionPolicy") in KEPT
    }
    assert set(found) == kept
    for name, identifier in found.items():
        (value,) = identifier.values()
        made = left_behind[name].rpartition("secret:")[2]
        if template["Resources"][name]["Type"] == "AWS::S3::BucketPolicy":
            # In AWS its bucket's name identifies it; the engine has a name of its own.
            made = made.removesuffix("-policy")
        assert re.fullmatch(rf"(arn:.+[:/])?{re.escape(made)}(-\w{{6}})?", value)


def test_an_installation_that_left_nothing_is_not_taken_over(engine, installed):
    template = json.loads(
        json.dumps(installed.template("data")).replace("chamade-prod", "chamade-other")
        .replace("chamade/prod", "chamade/other").replace("Chamade prod", "Chamade other")
    )  # fmt: skip
    with pytest.raises(LookupError, match="chamade-other-calls"):
        mapping(template, lambda service: client(engine, service))


def test_make_adopt_imports_the_data_before_it_deploys():
    said = subprocess.run(
        ["make", "-n", "-o", ".venv/.infra", "-o", ".venv/.cdk", "adopt"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert said.index("cdk import") < said.index("cdk deploy", said.index("cdk import"))
    assert "--resource-mapping" in said
    assert "--import-existing-resources" in said
