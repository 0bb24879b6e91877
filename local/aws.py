"""Makes the AWS side on the local engine: the table with its stream, the Lambda functions, the
state machines. Each from the definition that the infrastructure uses, but for long waits
(short_waits.py).
"""

from __future__ import annotations

import concurrent.futures
import functools
import io
import json
import sys
import zipfile
from typing import Any

import boto3

from local.credentials import Credentials
from local.environment import (
    AWS_ACCOUNT,
    DELIVERY_MACHINE_ARN,
    REGION,
    STATE_MACHINE_ARN,
    TABLE,
    application,
    aws,
)
from local.layout import ROOT, Layout
from local.short_waits import short_waits_only

FUNCTIONS = {
    "expire_ring": "chamade-expire-ring",
    "sweep": "chamade-sweep",
    "fan_out_events": "chamade-fan-out-events",
    "deliver_event": "chamade-deliver-event",
}
"""Function of `app.py` -> name in Lambda."""

WORKERS = {"expire_ring": 3, "sweep": 1, "fan_out_events": 1, "deliver_event": 4}
"""Executions of a function at a time. The engine starts a process for each, and a hundred calls
missed in the same moment must not start a hundred; AWS has no such limit."""

LOST_AFTER_S = 60
"""A batch of the stream that fails is left to the sweep after this time: the engine would try it
for ever, and nothing behind it would come through."""

_ROLE = f"arn:aws:iam::{AWS_ACCOUNT}:role/local"


@functools.cache
def client(layout: Layout, service: str) -> Any:
    """A boto3 client of the local engine, for any thread."""
    settings = aws(layout)
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=settings["AWS_ENDPOINT_URL"],
        region_name=REGION,
        aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
    )


def provision(layout: Layout, credentials: Credentials) -> None:
    """Table, functions and state machines, as of this checkout."""
    dynamodb, lambdas = client(layout, "dynamodb"), client(layout, "lambda")
    _table(dynamodb)
    arns = _functions(lambdas, application(layout, credentials))
    executions = client(layout, "stepfunctions")
    _state_machine(
        executions,
        STATE_MACHINE_ARN,
        _definition("ring_timeout.asl.json", ExpireRingFunctionArn=arns["expire_ring"]),
    )
    _state_machine(
        executions,
        DELIVERY_MACHINE_ARN,
        short_waits_only(
            _definition("deliver_event.asl.json", DeliverEventFunctionArn=arns["deliver_event"]),
            "UntilTheNextTry",
        ),
    )
    _stream(dynamodb, lambdas)


def invoke(layout: Layout, function: str, payload: dict[str, Any]) -> Any:
    """Run a function of `app.py` in the local Lambda; its result, decoded."""
    answer = client(layout, "lambda").invoke(
        FunctionName=FUNCTIONS[function], Payload=json.dumps(payload).encode()
    )
    return json.loads(answer["Payload"].read() or b"null")


_NOTHING_TO_DO: dict[str, dict[str, Any]] = {
    "expire_ring": {"call_id": "call_nobody"},
    "sweep": {"calls": False},
    "fan_out_events": {"Records": []},
    "deliver_event": {"account_id": "", "endpoint_id": "", "delivery_id": "", "run": 0},
}


def warm_up(layout: Layout, *functions: str) -> None:
    """Start workers of these functions, one for each time that it is named: what happens should
    not wait for Python. Says nothing if one does not start: what does happen will.
    """
    with concurrent.futures.ThreadPoolExecutor(len(functions)) as pool:
        for function in functions:
            pool.submit(invoke, layout, function, _NOTHING_TO_DO[function])


def _table(dynamodb: Any) -> None:
    spec = json.loads((ROOT / "infra" / "table.json").read_text())
    ttl = spec.pop("TimeToLiveAttribute")
    if TABLE in dynamodb.list_tables()["TableNames"]:
        there = dynamodb.describe_table(TableName=TABLE)["Table"]
        if "StreamSpecification" not in there:  # of a stack that had no webhooks
            stream = spec["StreamSpecification"]
            dynamodb.update_table(TableName=TABLE, StreamSpecification=stream)
        return
    dynamodb.create_table(TableName=TABLE, **spec)
    dynamodb.get_waiter("table_exists").wait(
        TableName=TABLE, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )
    dynamodb.update_time_to_live(
        TableName=TABLE, TimeToLiveSpecification={"Enabled": True, "AttributeName": ttl}
    )


def _stream(dynamodb: Any, lambdas: Any) -> None:
    """What the table writes from now on comes to `fan_out_events`.

    The mapping is made anew each start: the engine keeps its place in the stream over a restart,
    but not the stream. What was not handed out before that the sweep finds.
    """
    function = FUNCTIONS["fan_out_events"]
    for mapping in lambdas.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]:
        lambdas.delete_event_source_mapping(UUID=mapping["UUID"])
    spec = json.loads((ROOT / "infra" / "fan_out_events.json").read_text())
    lambdas.create_event_source_mapping(
        EventSourceArn=dynamodb.describe_table(TableName=TABLE)["Table"]["LatestStreamArn"],
        FunctionName=function,
        **{**spec, "MaximumRecordAgeInSeconds": LOST_AFTER_S},
    )


def _functions(lambdas: Any, settings: dict[str, str]) -> dict[str, str]:
    there = {function["FunctionName"] for function in lambdas.list_functions()["Functions"]}
    arns = {}
    for handler, name in FUNCTIONS.items():
        if name in there:
            # The code is this checkout's, but a worker may hold yesterday's: made anew each start.
            lambdas.delete_function(FunctionName=name)
        made = lambdas.create_function(
            FunctionName=name,
            Runtime="provided.al2023",
            Role=_ROLE,
            Handler=f"app.{handler}",
            Code={"ZipFile": _bootstrap()},
            Timeout=30,
            Environment={"Variables": settings},
        )
        lambdas.put_function_concurrency(
            FunctionName=name, ReservedConcurrentExecutions=WORKERS[handler]
        )
        arns[handler] = made["FunctionArn"]
    return arns


def _bootstrap() -> bytes:
    """A Lambda package of one file: AWS's own runtime client, in our Python, on this checkout."""
    # In AWS they have processors of their own; here they must not take them from the calls.
    command = f'exec nice -n 10 "{sys.executable}" -m awslambdaric "$_HANDLER"'
    script = f'#!/bin/sh\ncd "{ROOT}"\n{command}\n'
    entry = zipfile.ZipInfo("bootstrap")
    entry.external_attr = 0o755 << 16
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr(entry, script)
    return package.getvalue()


def _definition(file: str, **arns: str) -> str:
    """A state machine of `infra/`, with the functions that it names."""
    definition = (ROOT / "infra" / file).read_text()
    for name, arn in arns.items():
        definition = definition.replace(f"${{{name}}}", arn)
    return definition


def _state_machine(stepfunctions: Any, arn: str, definition: str) -> None:
    machines = stepfunctions.list_state_machines()["stateMachines"]
    if any(machine["stateMachineArn"] == arn for machine in machines):
        stepfunctions.update_state_machine(
            stateMachineArn=arn, definition=definition, roleArn=_ROLE
        )
        return
    name = arn.rpartition(":")[2]
    stepfunctions.create_state_machine(name=name, definition=definition, roleArn=_ROLE)
