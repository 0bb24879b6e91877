"""The mapping of the table's stream to `fan_out_events`, with the filter of
`infra/fan_out_events.json`, and the sweep's schedule.
"""

from __future__ import annotations

import json
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from infra.data_stack import DataStack
from infra.lint import allow

MAPPING = Path(__file__).parent / "fan_out_events.json"

SWEEP_EVERY = "rate(5 minutes)"
"""The longest time until the sweep repairs what the stream or an execution lost
(docs/operations.md)."""


def event_delivery(
    stack: cdk.Stack, data: DataStack, function: cdk.CfnResource, role: iam.Role
) -> sqs.Queue:
    """Make the event source mapping. A batch that fails for good leaves a note in a queue, which an
    alarm watches; its events are still in the table, and the sweep hands them out.
    """
    lost = sqs.Queue(
        stack,
        "LostBatches",
        retention_period=cdk.Duration.days(14),
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
    )
    allow(lost, "it is where others put what they give up", "AwsSolutions-SQS3")
    lost.grant_send_messages(role)
    _reads_the_stream(role, data)
    spec = json.loads(MAPPING.read_text())
    mapping = lambda_.CfnEventSourceMapping(
        stack,
        "FanOutMapping",
        event_source_arn=data.table.table_stream_arn,
        function_name=function.ref,
        destination_config=lambda_.CfnEventSourceMapping.DestinationConfigProperty(
            on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(destination=lost.queue_arn)
        ),
    )
    for name, value in spec.items():
        mapping.add_property_override(name, value)
    # AWS tests the role when it makes the mapping, so the role's policy must exist by then.
    mapping.node.add_dependency(role)
    return lost


def _reads_the_stream(role: iam.Role, data: DataStack) -> None:
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
            resources=[data.table.table_stream_arn],
        )
    )
    # Lambda needs this permission to make the mapping. It cannot be limited to one stream, which
    # infra/roles.py allows.
    role.add_to_policy(iam.PolicyStatement(actions=["dynamodb:ListStreams"], resources=["*"]))


def sweep_schedule(stack: cdk.Stack, function: cdk.CfnResource, arn: str) -> None:
    """Schedule the sweep. It may run at any time, any number of times."""
    rule = events.CfnRule(
        stack,
        "SweepSchedule",
        description="Puts right what a lost message left behind (docs/operations.md, The sweep)",
        schedule_expression=SWEEP_EVERY,
        targets=[events.CfnRule.TargetProperty(arn=arn, id="sweep", input="{}")],
    )
    lambda_.CfnPermission(
        stack,
        "SweepPermission",
        action="lambda:InvokeFunction",
        function_name=function.ref,
        principal="events.amazonaws.com",
        source_arn=rule.attr_arn,
    )
