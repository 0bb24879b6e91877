"""Roles of the functions: one for each, which allows only the actions that its code calls.

`store/table.py` reads with GetItem and Query. It writes single items or transactions, which need
the permissions of the single writes in them. No function scans.
"""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra import recordings
from infra.data_stack import DataStack, used_secrets
from infra.lint import ANY, allow, resource
from infra.settings import FUNCTIONS
from infra.table import index_names

_READ = ("dynamodb:GetItem", "dynamodb:Query")
_WRITE = (
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "dynamodb:ConditionCheckItem",
)

_DELETES_NOTHING = ("expire_ring",)
"""Functions whose code deletes no item (tests/infra/test_least_privilege.py plays it). All others
number events, or hand out deliveries that wait, which moves items."""

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
"""Actions that DynamoDB takes with a table's key on behalf of a function that reads or writes."""

_SEALS = ("api_handler",)
"""Functions that seal secrets: trunks' passwords and endpoints' secrets are set over the API."""
_OPENS = ("webhook_handler", "api_handler", "deliver_event")
"""Functions that open sealed secrets: the gateway fetches trunks' passwords, a dial may include
one, and a delivery is signed with its endpoint's secret."""
_RINGS = ("webhook_handler", "api_handler", "sweep")
"""Functions that start the ring timer; the sweep also checks that one still runs."""
_DELIVERS = ("api_handler", "deliver_event", "fan_out_events", "sweep")
"""Functions that start deliveries: of a replay, of a delivery that waited for a place, of an event
of the stream, of an overdue delivery."""


def roles(
    scope: Construct,
    data: DataStack,
    groups: Mapping[str, logs.ILogGroup],
    machines: Mapping[str, str],
) -> dict[str, iam.Role]:
    """Make the roles; return function -> its role. `machines`: ring and delivery -> ARN."""
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
        _table(role, data, function)
        _secrets(role, data, function)
        _vault(role, data.vault_key, function)
        recordings.rights(role, data.settings, function)
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


def _table(role: iam.Role, data: DataStack, function: str) -> None:
    writes = _WRITE if function in _DELETES_NOTHING else (*_WRITE, "dynamodb:DeleteItem")
    arn = data.table.table_arn
    indexes = [f"{arn}/index/{name}" for name in index_names()]
    role.add_to_policy(iam.PolicyStatement(actions=[*_READ, *writes], resources=[arn, *indexes]))
    # Only through the services that encrypt with the key, never by using the key directly.
    services = [f"{each}.{role.stack.region}.amazonaws.com" for each in _ENCRYPTED]
    role.add_to_policy(
        iam.PolicyStatement(
            actions=list(_THROUGH_THE_KEY),
            resources=[data.data_key.key_arn],
            conditions={"StringEquals": {"kms:ViaService": services}},
        )
    )


def _secrets(role: iam.Role, data: DataStack, function: str) -> None:
    arns = [data.secrets[name].secret_arn for name in used_secrets(data.settings, function)]
    role.add_to_policy(
        iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=arns)
    )
    # Reads all secrets in one call. It allows no more than GetSecretValue does, but AWS cannot
    # limit it to a resource.
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
