"""Tests that the table, the keys and the secrets cannot be lost."""

from __future__ import annotations

import json

import pytest

from tests.support.engine import ROOT

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once


def test_the_table_is_that_of_the_file_which_the_local_stack_uses(installed):
    spec = json.loads((ROOT / "infra" / "table.json").read_text())
    table = installed.only("AWS::DynamoDB::Table")
    assert table["KeySchema"] == spec["KeySchema"]
    assert table["GlobalSecondaryIndexes"] == spec["GlobalSecondaryIndexes"]
    assert table["BillingMode"] == spec["BillingMode"]

    def by_name(attributes):
        return sorted(attributes, key=lambda each: each["AttributeName"])

    assert by_name(table["AttributeDefinitions"]) == by_name(spec["AttributeDefinitions"])
    stream = spec["StreamSpecification"]["StreamViewType"]
    assert table["StreamSpecification"] == {"StreamViewType": stream}
    ttl = {"AttributeName": spec["TimeToLiveAttribute"], "Enabled": True}
    assert table["TimeToLiveSpecification"] == ttl


def test_the_table_has_point_in_time_recovery_and_is_retained(installed):
    (table,) = installed.all("AWS::DynamoDB::Table")
    properties = table["Properties"]
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["DeletionProtectionEnabled"] is True
    assert properties["SSESpecification"]["SSEType"] == "KMS"
    assert "KMSMasterKeyId" in properties["SSESpecification"]
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_keys_and_secrets_are_retained_when_their_stack_is_deleted(installed):
    kept = installed.all("AWS::KMS::Key") + installed.all("AWS::SecretsManager::Secret")
    assert {each["DeletionPolicy"] for each in kept} == {"Retain"}
    assert all(each["EnableKeyRotation"] for each in installed.properties("AWS::KMS::Key"))


def test_the_data_stack_is_protected_from_deletion(installed):
    manifest = json.loads((installed.folder / "manifest.json").read_text())
    stack = manifest["artifacts"][f"chamade-{installed.stage}-data"]["properties"]
    assert stack["terminationProtection"] is True


def test_secrets_are_generated_by_aws_and_stand_in_no_template(installed):
    secrets = installed.properties("AWS::SecretsManager::Secret")
    assert {each["Name"] for each in secrets} == {
        "chamade/prod/token-secret",
        "chamade/prod/agent-token-secret",
        "chamade/prod/control-secret",
        "chamade/prod/gateway-auth-token",
        "chamade/prod/gateway-control-secret",
    }
    for each in secrets:
        assert "SecretString" not in each
        assert each["GenerateSecretString"]["PasswordLength"] >= 43  # 256 bits in base 62


def test_an_installation_without_a_gateway_has_twilio_s_secret_and_none_of_the_gateway_s(
    with_options,
):
    names = {each["Name"] for each in with_options.properties("AWS::SecretsManager::Secret")}
    assert names == {
        "chamade/test/token-secret",
        "chamade/test/agent-token-secret",
        "chamade/test/control-secret",
        "chamade/test/twilio-auth-token",
    }
