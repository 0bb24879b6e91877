"""Makes the AWS side on the local engine: the table, the Lambda functions, the state machine. Each
from the definition that the infrastructure uses, each only if it is not there yet.
"""

from __future__ import annotations

import concurrent.futures
import io
import json
import sys
import zipfile
from typing import Any

import boto3

from local.credentials import Credentials
from local.environment import (
    AWS_ACCOUNT,
    REGION,
    STATE_MACHINE,
    STATE_MACHINE_ARN,
    TABLE,
    application,
    aws,
)
from local.layout import ROOT, Layout

FUNCTIONS = {"expire_ring": "chamade-expire-ring", "sweep": "chamade-sweep"}
"""Function of `app.py` -> name in Lambda."""

WORKERS = 3
"""Executions of a function at a time. The engine starts a process for each, and a hundred calls
missed in the same moment must not start a hundred; AWS has no such limit."""

_ROLE = f"arn:aws:iam::{AWS_ACCOUNT}:role/local"


def client(layout: Layout, service: str) -> Any:
    """A boto3 client of the local engine."""
    settings = aws(layout)
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=settings["AWS_ENDPOINT_URL"],
        region_name=REGION,
        aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
    )


def provision(layout: Layout, credentials: Credentials) -> None:
    """Table, functions and state machine, as of this checkout."""
    _table(client(layout, "dynamodb"))
    arns = _functions(client(layout, "lambda"), application(layout, credentials))
    _state_machine(client(layout, "stepfunctions"), arns["expire_ring"])


def invoke(layout: Layout, function: str, payload: dict[str, Any]) -> Any:
    """Run a function of `app.py` in the local Lambda; its result, decoded."""
    answer = client(layout, "lambda").invoke(
        FunctionName=FUNCTIONS[function], Payload=json.dumps(payload).encode()
    )
    return json.loads(answer["Payload"].read() or b"null")


def warm_up(layout: Layout) -> None:
    """Start the function's workers now: sixty calls missed at once should not wait for Python."""
    nobody = {"call_id": "call_nobody"}
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for _ in range(WORKERS):
            pool.submit(invoke, layout, "expire_ring", nobody)


def _table(dynamodb: Any) -> None:
    spec = json.loads((ROOT / "infra" / "table.json").read_text())
    ttl = spec.pop("TimeToLiveAttribute")
    if TABLE in dynamodb.list_tables()["TableNames"]:
        return
    dynamodb.create_table(TableName=TABLE, **spec)
    dynamodb.get_waiter("table_exists").wait(
        TableName=TABLE, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )
    dynamodb.update_time_to_live(
        TableName=TABLE, TimeToLiveSpecification={"Enabled": True, "AttributeName": ttl}
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
        lambdas.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=WORKERS)
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


def _state_machine(stepfunctions: Any, expire_ring_arn: str) -> None:
    definition = (ROOT / "infra" / "ring_timeout.asl.json").read_text()
    definition = definition.replace("${ExpireRingFunctionArn}", expire_ring_arn)
    machines = stepfunctions.list_state_machines()["stateMachines"]
    if any(machine["name"] == STATE_MACHINE for machine in machines):
        stepfunctions.update_state_machine(
            stateMachineArn=STATE_MACHINE_ARN, definition=definition, roleArn=_ROLE
        )
        return
    stepfunctions.create_state_machine(name=STATE_MACHINE, definition=definition, roleArn=_ROLE)
