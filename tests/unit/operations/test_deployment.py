"""Tests of `doctor --aws`: what was deployed, looked at on the local engine."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from chalicelib.config import from_environment
from operations.doctor.deployment import STACKS, deployment
from operations.doctor.finding import Result
from operations.doctor.scene import Scene
from operations.installation import Installation
from tests.support.engine import client
from tests.unit.test_config import ENV

MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:chamade-{}-ring-timeout"
TEMPLATE = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})


@pytest.fixture
def aws(engine, monkeypatch):
    """The engine in AWS's place."""
    monkeypatch.setattr(Installation, "client", lambda _, service: client(engine, service))
    return lambda service: client(engine, service)


def scene(stage):
    env = {**ENV, "CHAMADE_RING_STATE_MACHINE": MACHINE.format(stage)}
    return Scene(Installation(env), from_environment(env), None)


def looked_at(scene):
    return {each.name: each for each in deployment(scene)}


def deploy(aws, name):
    """Everything that the checks look at."""
    cloudformation = aws("cloudformation")
    for stack in STACKS:
        cloudformation.create_stack(StackName=f"{name}-{stack}", TemplateBody=TEMPLATE)
    ecs = aws("ecs")
    ecs.create_cluster(clusterName=f"{name}-media")
    ecs.register_task_definition(
        family="relay", containerDefinitions=[{"name": "relay", "image": "relay", "memory": 512}]
    )
    ecs.create_service(
        cluster=f"{name}-media", serviceName=f"{name}-relay", taskDefinition="relay",
        desiredCount=2,
    )  # fmt: skip
    aws("cloudwatch").put_metric_alarm(
        AlarmName=f"{name}-errors", MetricName="Errors", Namespace="Chamade/test",
        Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    sns = aws("sns")
    topic = sns.create_topic(Name=f"{name}-alarms")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.net")


def test_an_account_without_the_installation_has_each_lack_named_with_its_remedy(aws):
    found = looked_at(scene("nothing"))
    assert found["aws account"].result is Result.OK
    for stack in STACKS:
        assert found[f"aws stack {stack}"].seen == "not deployed"
        assert "make deploy" in found[f"aws stack {stack}"].remedy
    assert found["aws services"].result is Result.FAIL
    assert found["aws alarms"].result is Result.FAIL
    assert found["aws alarm recipients"].result is Result.WARN


def test_what_was_deployed_is_looked_at(aws):
    deploy(aws, "chamade-whole")
    found = looked_at(scene("whole"))
    assert {found[f"aws stack {stack}"].seen for stack in STACKS} == {"CREATE_COMPLETE"}
    assert found["aws alarms"].result is Result.OK
    assert "ops@example.net" in found["aws alarm recipients"].seen
    assert found["aws service relay"].seen == "2 of 2 tasks run"
    assert {each.result for each in found.values()} <= {Result.OK, Result.WARN}


def test_a_service_whose_tasks_do_not_run_is_found(aws, monkeypatch):
    deploy(aws, "chamade-lame")
    ecs = aws("ecs")
    described = ecs.describe_services(
        cluster="chamade-lame-media", services=ecs.list_services(cluster="chamade-lame-media")[
            "serviceArns"
        ],
    )  # fmt: skip
    described["services"][0]["runningCount"] = 0
    monkeypatch.setattr(ecs, "describe_services", lambda **_: described, raising=False)
    monkeypatch.setattr(
        Installation, "client", lambda _, service: ecs if service == "ecs" else aws(service)
    )
    service = looked_at(scene("lame"))["aws service relay"]
    assert (service.result, service.seen) == (Result.FAIL, "0 of 2 tasks run")
    assert "services[0].events" in service.remedy


def test_a_stack_that_is_gone_and_an_alarm_are_found(aws):
    name = "chamade-ill"
    deploy(aws, name)
    aws("cloudwatch").set_alarm_state(
        AlarmName=f"{name}-errors", StateValue="ALARM", StateReason="x"
    )
    found = looked_at(scene("ill"))
    assert (found["aws alarms"].result, found["aws alarms"].seen) == (
        Result.WARN, "chamade-ill-errors",
    )  # fmt: skip
    aws("cloudformation").delete_stack(StackName=f"{name}-media")
    assert looked_at(scene("ill"))["aws stack media"].result is Result.FAIL


def test_an_installation_on_one_machine_is_told_what_to_name():
    local = Installation({**ENV, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    (found,) = deployment(replace(scene("any"), installation=local))
    assert (found.result, "SettingsOfFunction" in found.remedy) == (Result.FAIL, True)
