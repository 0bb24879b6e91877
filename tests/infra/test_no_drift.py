"""Tests that AWS and one machine cannot drift apart: the local engine makes the table, the stream's
mapping and the state machines of the *templates*, and a call is missed with them.
"""

from __future__ import annotations

import http.server
import json
import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.endpoint import NewEndpoint
from chalicelib.domain.new_call import new_inbound
from chalicelib.services.delivery import endpoints
from chalicelib.store.table import Table
from chalicelib.store.timers import RingTimer
from chalicelib.store.vault import KeyFileVault
from local import aws as local_aws
from local.credentials import Credentials, key_file
from local.environment import AWS_ACCOUNT, REGION, application
from local.layout import Layout
from tests.support.engine import client
from tests.support.world import World, with_settings

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once

ROLE = "arn:aws:iam::000000000000:role/local"
PATIENCE_S = 90
"""Three functions start their first process; on a machine that is busy with other tests each takes
its time. Nothing here measures."""
STACK = "from-the-templates"
ONLY_IN_AWS = {
    "AWS::DynamoDB::Table": {"SSESpecification"},
    "AWS::StepFunctions::StateMachine": {"LoggingConfiguration", "TracingConfiguration"},
    "AWS::Lambda::EventSourceMapping": {"DestinationConfig"},
}
"""Properties that need more of AWS than the engine is asked for; the other tests look at them."""


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def made(engine, installed, state_dir):
    """Logical id -> what the engine made of it: a name, an ARN."""
    functions = _functions(engine, installed, state_dir)
    template = {"Resources": dict(_from(installed, functions))}
    cloudformation = client(engine, "cloudformation")
    cloudformation.create_stack(StackName=STACK, TemplateBody=json.dumps(template))
    _await(
        lambda: _status(cloudformation) == "CREATE_COMPLETE", 30, lambda: _status(cloudformation)
    )
    _expiry(engine, installed)
    return {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for each in cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    }


@pytest.fixture
def world(engine, made, state_dir):
    """The application on that table, with the clock and the key that the functions have."""
    world = World(Table(client(engine, "dynamodb"), made["Table"]))
    world.deps = replace(
        world.deps,
        now=lambda: time.time_ns() // 1_000_000,
        vault=KeyFileVault(key_file(state_dir)),
    )
    world.deps = with_settings(world.deps, private_webhooks=True)
    return world


@pytest.fixture
def receiver():
    """An endpoint of an owner's: what was posted to it, and its URL."""
    posted: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield posted, f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()


def _functions(engine, installed, state_dir):
    """The functions of this checkout, told the names that the template gives; function -> ARN."""
    arn = f"arn:aws:states:{REGION}:{AWS_ACCOUNT}:stateMachine:chamade-prod"
    layout = Layout(20_000, state_dir)
    environment = {
        **application(layout, Credentials.load(state_dir)),
        "CHAMADE_TABLE": installed.only("AWS::DynamoDB::Table")["TableName"],
        "CHAMADE_RING_STATE_MACHINE": f"{arn}-ring-timeout",
        "CHAMADE_DELIVERY_STATE_MACHINE": f"{arn}-deliver-event",
        "AWS_ENDPOINT_URL": engine,
    }
    lambdas = client(engine, "lambda")
    return {
        name: lambdas.create_function(
            FunctionName=name.replace("_", "-"),
            Runtime="provided.al2023",
            Role=ROLE,
            Handler=f"app.{name}",
            Code={"ZipFile": local_aws._bootstrap()},
            Timeout=30,
            Environment={"Variables": environment},
        )["FunctionArn"]
        for name in ("expire_ring", "fan_out_events", "deliver_event")
    }


def _expiry(engine, installed):
    """The engine's CloudFormation passes over the expiry of items: its API does not."""
    table = installed.only("AWS::DynamoDB::Table")
    client(engine, "dynamodb").update_time_to_live(
        TableName=table["TableName"], TimeToLiveSpecification=table["TimeToLiveSpecification"]
    )


def _from(installed, functions):
    """The resources as the templates have them, with functions of this machine in their places."""
    arns = {"ExpireRing": "expire_ring", "DeliverEvent": "deliver_event"}
    for type_, left_out in ONLY_IN_AWS.items():
        for stack in ("data", "application"):
            for name, resource in installed.resources(stack).items():
                if resource["Type"] != type_:
                    continue
                properties = {
                    key: value for key, value in resource["Properties"].items()
                    if key not in left_out | {"Tags"}
                }  # fmt: skip
                if type_.endswith("StateMachine"):
                    properties["RoleArn"] = ROLE
                    properties["DefinitionSubstitutions"] = {
                        placeholder: functions[arns[to["Fn::GetAtt"][0]]]
                        for placeholder, to in properties["DefinitionSubstitutions"].items()
                    }
                if type_.endswith("EventSourceMapping"):
                    properties["FunctionName"] = functions["fan_out_events"]
                    properties["EventSourceArn"] = {"Fn::GetAtt": ["Table", "StreamArn"]}
                short = "Table" if type_.endswith("Table") else name
                yield short, {"Type": type_, "Properties": properties}


def _status(cloudformation):
    return cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"]


def _await(condition, seconds, otherwise=lambda: None):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(otherwise())
        time.sleep(0.1)


def _machine(made, name):
    (arn,) = [physical for physical in made.values() if physical.endswith(name)]
    return arn


def test_the_template_s_table_equals_the_local_stack_s(engine, made):
    dynamodb = client(engine, "dynamodb")
    local_aws._table(dynamodb)  # as `make run` does
    ours, theirs = (
        dynamodb.describe_table(TableName=name)["Table"] for name in (made["Table"], "chamade")
    )

    def shape(table: dict[str, Any]) -> dict[str, Any]:
        indexes = [
            {key: index[key] for key in ("IndexName", "KeySchema", "Projection")}
            for index in table["GlobalSecondaryIndexes"]
        ]
        by_name = sorted(table["AttributeDefinitions"], key=lambda each: each["AttributeName"])
        return {
            "keys": table["KeySchema"], "attributes": by_name, "indexes": indexes,
            "stream": table["StreamSpecification"],
            "billing": table["BillingModeSummary"]["BillingMode"],
        }  # fmt: skip

    assert shape(ours) == shape(theirs)
    expiries = [
        dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        for name in (made["Table"], "chamade")
    ]
    assert expiries[0] == expiries[1]


def test_a_call_is_missed_by_the_template_s_state_machine(engine, made, world):
    call, execution = _ring(engine, made, world, "CA" + "0" * 32)
    calls = world.stores.calls
    assert calls.get(call.call_id).state.value == "ringing"
    executions = client(engine, "stepfunctions")

    def story():
        return executions.get_execution_history(executionArn=execution)["events"][-3:]

    _await(lambda: calls.get(call.call_id).state.value == "missed", PATIENCE_S, story)

    def status():
        return executions.describe_execution(executionArn=execution)["status"]

    _await(lambda: status() != "RUNNING", PATIENCE_S)
    assert status() == "SUCCEEDED"
    entered = [
        event["stateEnteredEventDetails"]["name"]
        for event in executions.get_execution_history(executionArn=execution)["events"]
        if "stateEnteredEventDetails" in event
    ]
    assert entered == ["Ringing", "ExpireRing", "HowItEnded", "Missed"]


def test_the_owner_s_endpoint_is_notified_through_the_template_s_mapping(
    engine, made, world, receiver
):
    """Outbox, stream, filter, fan_out_events, the delivery machine, deliver_event, a POST."""
    posted, url = receiver
    endpoint = NewEndpoint.model_validate({"url": url, "events": ["call.*"]})
    endpoints.create(world.deps, world.account_id, endpoint)
    call, _ = _ring(engine, made, world, "CA" + "1" * 32)
    _await(lambda: len(posted) >= 2, PATIENCE_S, lambda: posted)
    call_ids = {each["type"]: each["data"]["call"]["call_id"] for each in posted}
    assert call_ids == {"call.ringing": call.call_id, "call.missed": call.call_id}


def _ring(engine, made, world, sid):
    """A call that rings for a second and a half, and the ARN of its execution."""
    now = world.deps.now()
    new_call = new_inbound(
        account_id=world.account_id, provider="gateway", provider_call_id=sid,
        from_="+33199005678", to=world.number, line=world.number, forwarded_from=None,
        auto_answer=False, now=now,
    )  # fmt: skip
    call = new_call.call.model_copy(update={"ring_deadline": now + 1500})
    world.stores.calls.create(replace(new_call, call=call))
    machine = _machine(made, "ring-timeout")
    RingTimer(client(engine, "stepfunctions"), machine).start(call)
    return call, f"{machine.replace(':stateMachine:', ':execution:')}:{call.call_id}"
