"""The doctor and the commands where AWS is more than an engine: what a Lambda function is told, and
what only AWS has.
"""

from __future__ import annotations

import json
import re

import boto3
import pytest
from moto import mock_aws

from operations.doctor import machines, table
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


def test_a_table_as_it_was_made_wants_recovery_only(scene, dynamodb):
    found = looked_at(table.as_made, scene)
    recovery = found.pop("table recovery")
    assert {each.result for each in found.values()} == {Result.OK}
    assert (recovery.result, "update-continuous-backups" in recovery.remedy) == (Result.WARN, True)
    dynamodb.update_continuous_backups(
        TableName="t", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    assert looked_at(table.as_made, scene)["table recovery"].result is Result.OK


def test_a_table_that_is_not_there_is_to_be_restored(scene):
    (missing,) = looked_at(table.as_made, scene).values()
    assert (missing.result, "restore it" in missing.remedy) == (Result.FAIL, True)


def test_a_stream_that_nobody_reads_is_found(scene, dynamodb):
    (mapping,) = looked_at(machines.stream, scene).values()
    assert (mapping.result, "fan_out_events" in mapping.remedy) == (Result.FAIL, True)


def test_a_machine_that_was_never_deployed_is_found(scene):
    found = looked_at(machines.machines, scene)
    assert {each.result for each in found.values()} == {Result.FAIL}
    assert "infra/ring_timeout.asl.json" in found["ring timer"].remedy


def test_a_machine_is_known_whatever_its_functions_are_called(scene):
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


def test_a_functions_settings_are_the_installations(monkeypatch, tmp_path):
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


def test_without_any_word_of_one_there_is_no_installation(monkeypatch, tmp_path):
    with pytest.raises(NoInstallation, match="--function NAME"):
        find(None, tmp_path / "stack.json")
    monkeypatch.setenv("CHAMADE_TABLE", "t")
    assert find(None, tmp_path / "stack.json").env["CHAMADE_TABLE"] == "t"
