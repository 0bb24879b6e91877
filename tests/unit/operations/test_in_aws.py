"""Tests of the doctor and the commands in AWS: settings of a Lambda function, and services that
only AWS has.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace

import boto3
import pytest
from moto import mock_aws

from chalicelib import bootstrap
from operations.admin import main
from operations.doctor import executions, machines, table
from operations.doctor.finding import Result
from operations.doctor.scene import Scene
from operations.installation import Installation, NoInstallation, find
from tests.support.engine import ROOT
from tests.unit.test_config import ENV

REGION = "eu-west-3"


@pytest.fixture(autouse=True)
def aws(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    for name in ("AWS_ENDPOINT_URL", "CHAMADE_TABLE", "CHAMADE_FUNCTION"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield


@pytest.fixture
def scene():
    from chalicelib.config import from_environment

    installation = Installation({**ENV, "AWS_DEFAULT_REGION": REGION})
    return Scene(installation, from_environment(ENV), None)


@pytest.fixture
def dynamodb():
    client = boto3.client("dynamodb")
    spec = json.loads((ROOT / "infra" / "table.json").read_text())
    ttl = {"Enabled": True, "AttributeName": spec.pop("TimeToLiveAttribute")}
    client.create_table(TableName="t", **spec)
    client.update_time_to_live(TableName="t", TimeToLiveSpecification=ttl)
    return client


def looked_at(check, scene):
    return {finding.name: finding for finding in check(scene)}


def test_a_table_of_the_template_lacks_recovery_only(scene, dynamodb):
    found = looked_at(table.as_made, scene)
    recovery = found.pop("table recovery")
    assert {each.result for each in found.values()} == {Result.OK}
    assert (recovery.result, "update-continuous-backups" in recovery.remedy) == (Result.WARN, True)
    dynamodb.update_continuous_backups(
        TableName="t", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    assert looked_at(table.as_made, scene)["table recovery"].result is Result.OK


def test_a_missing_table_is_reported_with_restore_as_the_remedy(scene):
    (missing,) = looked_at(table.as_made, scene).values()
    assert (missing.result, "restore it" in missing.remedy) == (Result.FAIL, True)


def test_a_stream_without_a_reader_is_found(scene, dynamodb):
    (mapping,) = looked_at(machines.stream, scene).values()
    assert (mapping.result, "fan_out_events" in mapping.remedy) == (Result.FAIL, True)


def test_a_missing_state_machine_is_found(scene):
    found = looked_at(machines.machines, scene)
    assert {each.result for each in found.values()} == {Result.FAIL}
    assert "infra/ring_timeout.asl.json" in found["ring timer"].remedy


def test_a_state_machine_matches_whatever_its_functions_arns(scene):
    definition = (ROOT / "infra" / "deliver_event.asl.json").read_text()
    arn = f"arn:aws:lambda:{REGION}:123456789012:function:x"
    made = boto3.client("stepfunctions").create_state_machine(
        name="delivery",
        definition=re.sub(r"\$\{\w+Arn\}", arn, definition),
        roleArn="arn:aws:iam::123456789012:role/x",
    )
    machine = machines._machine(
        scene, "delivery machine", made["stateMachineArn"], "deliver_event.asl.json"
    )
    assert machine.result is Result.OK


def test_the_installation_is_read_from_a_functions_settings(monkeypatch, tmp_path):
    role = boto3.client("iam").create_role(RoleName="x", AssumeRolePolicyDocument="{}")
    boto3.client("lambda").create_function(
        FunctionName="chamade-prod",
        Runtime="python3.11",
        Role=role["Role"]["Arn"],
        Handler="app.app",
        Code={"ZipFile": b"x"},
        Environment={"Variables": ENV},
    )
    assert find("chamade-prod", tmp_path / "none").env == ENV
    monkeypatch.setenv("CHAMADE_FUNCTION", "chamade-prod")
    assert find(None, tmp_path / "none").env == ENV
    assert not find(None, tmp_path / "none").local
    with pytest.raises(NoInstallation, match="function other cannot be read"):
        find("other", tmp_path / "none")


def test_commands_without_any_settings_find_no_installation(monkeypatch, tmp_path):
    with pytest.raises(NoInstallation, match="--function NAME"):
        find(None, tmp_path / "stack.json")
    monkeypatch.setenv("CHAMADE_TABLE", "t")
    assert find(None, tmp_path / "stack.json").env["CHAMADE_TABLE"] == "t"


def test_a_backup_of_many_pages_is_restored_into_a_new_table(
    dynamodb, monkeypatch, tmp_path, capsys
):
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    big = {"S": "x" * 100_000}
    things = [
        {"pk": {"S": f"P#{n}"}, "sk": {"S": "S"}, "n": {"N": str(n)}, "big": big,
         "set": {"SS": ["a", "b"]}}
        for n in range(30)
    ]  # fmt: skip
    for item in things:
        dynamodb.put_item(TableName="t", Item=item)
    file = str(tmp_path / "backup")
    try:
        assert main(["backup", file, "--json"]) == 0
        assert main(["restore", "--table", "other", file, "--json"]) == 0
        assert main(["restore", "--table", "other", file]) == 5
        assert main(["restore", "--table", "other", "--over", file]) == 0
    finally:
        bootstrap.config.cache_clear()
    reports = [json.loads(line) for line in capsys.readouterr().out.splitlines()[:2]]
    assert [each["items"] for each in reports] == [30, 30]
    pages = dynamodb.get_paginator("scan").paginate(TableName="other")
    found = sorted((i for p in pages for i in p["Items"]), key=lambda item: int(item["n"]["N"]))
    assert found == things
    ttl = dynamodb.describe_time_to_live(TableName="other")["TimeToLiveDescription"]
    assert ttl["TimeToLiveStatus"] == "ENABLED"


class Account:
    """Lambda's answer about an account."""

    def __init__(self, limit, unreserved):
        self.limits = {"ConcurrentExecutions": limit, "UnreservedConcurrentExecutions": unreserved}

    def get_account_settings(self):
        return {"AccountLimit": self.limits}


@pytest.mark.parametrize(
    ("limits", "result", "remedy"),
    [
        ((10, 10), Result.FAIL, "--quota-code L-B99A9384 --desired-value 1000"),
        ((400, 400), Result.WARN, "--quota-code L-B99A9384 --desired-value 1000"),
        ((1000, 1000), Result.WARN, "sizes.reserved_concurrency"),
        ((1000, 198), Result.OK, ""),
    ],
)
def test_the_account_s_executions_are_looked_at(scene, monkeypatch, limits, result, remedy):
    account = Account(*limits)
    monkeypatch.setattr(Installation, "client", lambda *_: account)
    (found,) = executions.executions(scene)
    assert (found.name, found.result) == ("executions", result)
    assert f"{limits[0]:,} at a time" in found.seen
    assert remedy in found.remedy


def test_executions_are_not_looked_at_on_one_machine(scene):
    local = Installation({**ENV, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    (found,) = executions.executions(replace(scene, installation=local))
    assert found.result is Result.SKIPPED
