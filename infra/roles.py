"""What each function may do: a role of its own, with what its code calls and nothing else.

`store/table.py` reads with GetItem and Query, and writes items alone or in transactions, which
count as the single writes that they are made of. Nothing ever scans.
"""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.data_stack import DataStack
from infra.lint import ANY, allow, resource
from infra.settings import FUNCTIONS
from infra.table import index_names

_READ = ("dynamodb:GetItem", "dynamodb:Query")
_WRITE = (
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "dynamodb:DeleteItem",
    "dynamodb:ConditionCheckItem",
)

_ENCRYPTED = ("dynamodb", "secretsmanager")
_THROUGH_THE_KEY = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
"""What DynamoDB does with a table's key in the name of who reads and writes."""

_SEALS = ("api_handler",)
"""Trunks' passwords and endpoints' secrets are set over the API."""
_OPENS = ("api_handler", "deliver_event")
"""The gateway fetches trunks' passwords over the API; a delivery is signed with its secret."""
_RINGS = ("api_handler", "sweep")
"""They start the ring timer; the sweep also looks whether one still runs."""
_DELIVERS = ("api_handler", "fan_out_events", "sweep")
"""They start deliveries: a replay, an event of the stream, what was overdue."""


def roles(
    scope: Construct,
    data: DataStack,
    groups: Mapping[str, logs.ILogGroup],
    machines: Mapping[str, str],
) -> dict[str, iam.Role]:
    """Function -> its role. `machines`: ring and delivery -> ARN."""
    made = {}
    for function in FUNCTIONS:
        role = iam.Role(
            scope,
            f"{_words(function)}Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"Chamade: the function {function}",
        )
        groups[function].grant_write(role)
        _traces(role)
        _table(role, data)
        _secrets(role, data)
        _vault(role, data.vault_key, function)
        if function in _RINGS:
            _starts(role, machines["ring"])
        if function in _DELIVERS:
            _starts(role, machines["delivery"])
        if function == "sweep":
            _looks_at(role, machines["ring"])
        made[function] = role
    return made


def _words(function: str) -> str:
    return "".join(part.capitalize() for part in function.split("_"))


def _traces(role: iam.Role) -> None:
    actions = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    role.add_to_policy(iam.PolicyStatement(actions=actions, resources=["*"]))
    allow(
        role,
        "X-Ray, BatchGetSecretValue and ListStreams have no resources that could be named",
        ANY,
    )


def _table(role: iam.Role, data: DataStack) -> None:
    arn = data.table.table_arn
    indexes = [f"{arn}/index/{name}" for name in index_names()]
    role.add_to_policy(iam.PolicyStatement(actions=[*_READ, *_WRITE], resources=[arn, *indexes]))
    # By way of the services that encrypt with it, never with the key itself.
    services = [f"{each}.{role.stack.region}.amazonaws.com" for each in _ENCRYPTED]
    role.add_to_policy(
        iam.PolicyStatement(
            actions=list(_THROUGH_THE_KEY),
            resources=[data.data_key.key_arn],
            conditions={"StringEquals": {"kms:ViaService": services}},
        )
    )


def _secrets(role: iam.Role, data: DataStack) -> None:
    arns = [secret.secret_arn for secret in data.secrets.values()]
    role.add_to_policy(
        iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=arns)
    )
    # All of them in one call. It gives nothing that GetSecretValue does not, but AWS checks it
    # against no resource.
    role.add_to_policy(
        iam.PolicyStatement(actions=["secretsmanager:BatchGetSecretValue"], resources=["*"])
    )


def _vault(role: iam.Role, key: kms.Key, function: str) -> None:
    if function in _SEALS:
        key.grant(role, "kms:GenerateDataKey")
    if function in _OPENS:
        key.grant(role, "kms:Decrypt")


def _starts(role: iam.Role, machine: str) -> None:
    role.add_to_policy(iam.PolicyStatement(actions=["states:StartExecution"], resources=[machine]))


def _looks_at(role: iam.Role, machine: str) -> None:
    executions = machine.replace(":stateMachine:", ":execution:") + ":*"
    role.add_to_policy(
        iam.PolicyStatement(actions=["states:DescribeExecution"], resources=[executions])
    )
    allow(role, "executions of this one machine", resource(executions, role.stack))
