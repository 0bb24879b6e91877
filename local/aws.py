"""Make the AWS side on the local engine: the table with its stream, the Lambda functions, the
state machines. Each follows the definition that the infrastructure uses, except for long waits
(short_waits.py).
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import shlex
import sys
import threading
import zipfile
from datetime import datetime, timedelta
from typing import Any

import boto3

from chalicelib.config import RECORDING_DAYS
from local.credentials import Credentials
from local.environment import (
    AWS_ACCOUNT,
    DELIVERY_MACHINE_ARN,
    RECORDING_BUCKET,
    RECORDING_FUNCTION,
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
    "compose_recording": RECORDING_FUNCTION,
}
"""Function of `app.py` -> name in Lambda."""

WORKERS = {
    "expire_ring": 3, "sweep": 1, "fan_out_events": 1, "deliver_event": 12, "compose_recording": 2,
}  # fmt: skip
"""Executions of a function at a time. The engine starts a process for each, so a hundred calls that
are missed at the same moment must not start a hundred; AWS has no such limit. Deliveries wait for
endpoints and not for a processor, and one account has at most six at a time."""

RECORDS_AT_ONCE = 1000
"""Records of the stream in a batch. The engine counts them before its filter, AWS after it, and
only few of a hundred writes are events."""

LONG_S = 900
"""Seconds that a recording may take to be composed."""

LOST_AFTER_S = 60
"""Seconds after which a failing batch of the stream is left to the sweep: the engine would retry it
for ever, and the batches behind it would wait."""

_ROLE = f"arn:aws:iam::{AWS_ACCOUNT}:role/local"


@functools.cache
def client(layout: Layout, service: str) -> Any:
    """Return a boto3 client of the local engine, which any thread may use."""
    settings = aws(layout)
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=settings["AWS_ENDPOINT_URL"],
        region_name=REGION,
        aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
    )


def provision(layout: Layout, credentials: Credentials) -> None:
    """Make table, functions and state machines, as this checkout defines them."""
    dynamodb, lambdas = client(layout, "dynamodb"), client(layout, "lambda")
    _table(dynamodb)
    _bucket(client(layout, "s3"))
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
    """Run a function of `app.py` in the local Lambda; return its decoded result."""
    answer = client(layout, "lambda").invoke(
        FunctionName=FUNCTIONS[function], Payload=json.dumps(payload).encode()
    )
    return json.loads(answer["Payload"].read() or b"null")


_NOTHING_TO_DO: dict[str, dict[str, Any]] = {
    "expire_ring": {"call_id": "call_nobody"},
    "sweep": {"calls": False},
    "fan_out_events": {"Records": []},
    "compose_recording": {"recording_id": "rec_nobody"},
    "deliver_event": {"account_id": "", "endpoint_id": "", "delivery_id": "", "run": 0},
}


def warm_up(layout: Layout, *functions: str) -> None:
    """Start workers of these functions, one for each time that a function is named, so that the
    first real execution does not wait for Python to start. Ignores a worker that does not start:
    the real execution will report it.
    """

    def start(function: str) -> None:
        with contextlib.suppress(Exception):
            invoke(layout, function, _NOTHING_TO_DO[function])

    # Not a pool: Python waits for its threads at exit, and these retry while the engine is stopped.
    starting = [threading.Thread(target=start, args=[each], daemon=True) for each in functions]
    for each in starting:
        each.start()
    for each in starting:
        each.join()


def _table(dynamodb: Any) -> None:
    spec = json.loads((ROOT / "infra" / "table.json").read_text())
    ttl = spec.pop("TimeToLiveAttribute")
    if TABLE in dynamodb.list_tables()["TableNames"]:
        existing = dynamodb.describe_table(TableName=TABLE)["Table"]
        if "StreamSpecification" not in existing:  # a table made before there were webhooks
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


def _bucket(s3: Any) -> None:
    """Make the bucket of recordings, whose objects `expire_recordings` deletes: the engine follows
    no rules of a bucket.
    """
    if RECORDING_BUCKET not in {each["Name"] for each in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=RECORDING_BUCKET)


def expire_recordings(layout: Layout, now: datetime) -> int:
    """Delete the recordings that are older than they are kept; return how many."""
    s3, oldest = client(layout, "s3"), now - timedelta(days=RECORDING_DAYS)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=RECORDING_BUCKET)
    old = [
        {"Key": each["Key"]}
        for page in pages
        for each in page.get("Contents", ())
        if each["LastModified"] < oldest
    ]
    for at in range(0, len(old), 1000):
        s3.delete_objects(Bucket=RECORDING_BUCKET, Delete={"Objects": old[at : at + 1000]})
    return len(old)


def _stream(dynamodb: Any, lambdas: Any) -> None:
    """Connect the table's stream to `fan_out_events`.

    Each start makes a new mapping: over a restart the engine keeps its position in the stream, but
    not the stream. The sweep finds the events that were not handed out before.
    """
    function = FUNCTIONS["fan_out_events"]
    for mapping in lambdas.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]:
        lambdas.delete_event_source_mapping(UUID=mapping["UUID"])
    spec = json.loads((ROOT / "infra" / "fan_out_events.json").read_text())
    lambdas.create_event_source_mapping(
        EventSourceArn=dynamodb.describe_table(TableName=TABLE)["Table"]["LatestStreamArn"],
        FunctionName=function,
        **{**spec, "BatchSize": RECORDS_AT_ONCE, "MaximumRecordAgeInSeconds": LOST_AFTER_S},
    )


def _functions(lambdas: Any, settings: dict[str, str]) -> dict[str, str]:
    existing = {function["FunctionName"] for function in lambdas.list_functions()["Functions"]}
    arns = {}
    for handler, name in FUNCTIONS.items():
        if name in existing:
            # A worker may still run older code of this checkout: so make the function again.
            lambdas.delete_function(FunctionName=name)
        made = lambdas.create_function(
            FunctionName=name,
            Runtime="provided.al2023",
            Role=_ROLE,
            Handler=f"app.{handler}",
            Code={"ZipFile": _bootstrap()},
            Timeout=LONG_S if handler == "compose_recording" else 30,
            Environment={"Variables": settings},
        )
        lambdas.put_function_concurrency(
            FunctionName=name, ReservedConcurrentExecutions=WORKERS[handler]
        )
        arns[handler] = made["FunctionArn"]
    return arns


def _bootstrap() -> bytes:
    """Return a Lambda package of one file, which runs AWS's own runtime client in our Python, on
    this checkout."""
    # In AWS functions have processors of their own; here calls must come first.
    python = shlex.quote(sys.executable)
    command = f'exec nice -n 10 {python} -m awslambdaric "$_HANDLER"'
    script = f"#!/bin/sh\ncd {shlex.quote(str(ROOT))}\n{command}\n"
    entry = zipfile.ZipInfo("bootstrap")
    entry.external_attr = 0o755 << 16
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr(entry, script)
    return package.getvalue()


def _definition(file: str, **arns: str) -> str:
    """Return a state machine of `infra/`, with the ARNs of its functions filled in."""
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
