"""The state machines, from the files that the local stack runs, traced and logged in full.

Their logs hold execution data: ids, deadlines and states, but no data of callers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_stepfunctions as sfn

from infra.lint import ANY, allow
from infra.log_groups import log_group
from infra.settings import Settings


@dataclass(frozen=True)
class Machine:
    """A state machine: its file, the function that it runs, the function's name in the file."""

    file: str
    name: str
    function: str
    placeholder: str


MACHINES = {
    "ring": Machine(
        "ring_timeout.asl.json", "ring-timeout", "expire_ring", "ExpireRingFunctionArn"
    ),
    "delivery": Machine(
        "deliver_event.asl.json", "deliver-event", "deliver_event", "DeliverEventFunctionArn"
    ),
}


def machine_arn(stack: cdk.Stack, settings: Settings, name: str) -> str:
    """Return the ARN that the machine will have."""
    return stack.format_arn(
        service="states",
        resource="stateMachine",
        resource_name=settings.name(MACHINES[name].name),
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )


def state_machine(
    stack: cdk.Stack, name: str, settings: Settings, function_arn: str, key: kms.IKey
) -> sfn.StateMachine:
    """Make one of `MACHINES`. The application names each execution after its call or delivery."""
    machine = MACHINES[name]
    definition = (Path(__file__).parent / machine.file).read_text()
    made = sfn.StateMachine(
        stack,
        f"{name.capitalize()}Machine",
        state_machine_name=settings.name(machine.name),
        # Standard, the default: runs exactly once, for up to a year, with a readable history.
        definition_body=sfn.DefinitionBody.from_string(definition),
        definition_substitutions={machine.placeholder: function_arn},
        tracing_enabled=True,
        logs=sfn.LogOptions(
            destination=log_group(stack, f"{name}-machine", settings, key),
            level=sfn.LogLevel.ALL,
            include_execution_data=True,
        ),
    )
    made.add_to_role_policy(
        iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[function_arn])
    )
    allow(made, "deliveries of logs and X-Ray have no resources that could be named", ANY)
    return made
