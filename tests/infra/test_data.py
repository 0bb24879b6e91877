"""Tests that the table, the keys and the secrets cannot be lost."""

from __future__ import annotations

import json

import pytest

from tests.support.engine import ROOT

KEPT = ("RetainExceptOnCreate", "Retain")

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
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == KEPT


def test_keys_and_secrets_are_retained_when_their_stack_is_deleted(installed):
    kept = installed.all("AWS::KMS::Key") + installed.all("AWS::SecretsManager::Secret")
    assert {(each["DeletionPolicy"], each["UpdateReplacePolicy"]) for each in kept} == {KEPT}
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
        "chamade/prod/twilio-auth-token",
        "chamade/prod/gateway-auth-token",
        "chamade/prod/gateway-control-secret",
        "chamade/prod/voice-secret",
    }
    for each in secrets:
        assert "SecretString" not in each
        assert each["GenerateSecretString"]["PasswordLength"] >= 43  # 256 bits in base 62


def test_the_secrets_are_the_same_with_and_without_each_provider(installed, with_options):
    """A secret that came and went could not be made again: its name is kept, and with it the old
    one."""
    names = [
        {one["Name"].rpartition("/")[2] for one in each.properties("AWS::SecretsManager::Secret")}
        for each in (installed, with_options)
    ]
    assert names[0] == names[1]


def test_the_application_is_told_the_secrets_of_its_providers_only(installed, with_options):
    def told(installation):
        variables = installation.function("api_handler")["Environment"]["Variables"]
        return {name for name in variables if name.endswith("_ARN")}

    of_gateway = {"CHAMADE_GATEWAY_AUTH_TOKEN_ARN", "CHAMADE_GATEWAY_CONTROL_SECRET_ARN"}
    of_twilio = {"CHAMADE_TWILIO_AUTH_TOKEN_ARN"}
    assert told(installed) & (of_gateway | of_twilio) == of_gateway
    assert told(with_options) & (of_gateway | of_twilio) == of_twilio


def test_recordings_are_encrypted_private_over_tls_only_and_expire(installed):
    data = installed.resources("data").values()
    (bucket,) = [each for each in data if each["Type"] == "AWS::S3::Bucket"]
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == KEPT
    properties = bucket["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    rules = properties["LifecycleConfiguration"]["Rules"]
    days = {each["Prefix"]: each["ExpirationInDays"] for each in rules}
    assert days == {"recordings/": 30, "segments/": 3}
    (policy,) = [each for each in data if each["Type"] == "AWS::S3::BucketPolicy"]
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    (denied,) = [each for each in statements if each["Effect"] == "Deny"]
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert denied["Action"] == "s3:*"


def of_recordings(installed, name):
    """The actions with recordings that a function's role may take, each with its keys."""
    found = set()
    for each in installed.statements(installed.function(name)["Role"]):
        listed = each["Action"] if isinstance(each["Action"], list) else [each["Action"]]
        keys = json.dumps(each["Resource"]).rpartition("/")[0].rpartition("/")[2]
        found |= {(action, keys) for action in listed if action.startswith("s3:")}
    return found


def test_each_function_may_do_with_recordings_what_its_code_does(installed):
    def allowed(name):
        return of_recordings(installed, name)

    assert {each for each, _ in allowed("webhook_handler")} == {"s3:PutObject"}
    assert {each for each, _ in allowed("api_handler")} == {
        "s3:GetObject", "s3:DeleteObject", "s3:ListBucket",
    }  # fmt: skip
    assert {each for each, _ in allowed("compose_recording")} == {
        "s3:GetObject", "s3:DeleteObject", "s3:ListBucket", "s3:PutObject",
        "s3:AbortMultipartUpload",
    }  # fmt: skip
    for name in ("expire_ring", "sweep", "fan_out_events", "deliver_event"):
        assert not of_recordings(installed, name)


def test_relays_have_no_rights_to_the_storage(installed):
    assert "-recordings-" not in json.dumps(installed.resources("media"))
