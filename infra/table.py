"""The table of `infra/table.json`, which the local stack makes as well, with the features that only
AWS has: recovery to any second, encryption with a key of ours, protection against deletion.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.removal import KEPT

SPEC = Path(__file__).parent / "table.json"
_TYPES = {"S": dynamodb.AttributeType.STRING, "N": dynamodb.AttributeType.NUMBER}


def index_names() -> list[str]:
    """Return the names of the table's indexes."""
    spec = json.loads(SPEC.read_text())
    return [index["IndexName"] for index in spec["GlobalSecondaryIndexes"]]


def table(scope: Construct, id_: str, name: str, key: kms.IKey) -> dynamodb.Table:
    """Make the table, with its indexes and its stream."""
    spec = json.loads(SPEC.read_text())
    types = {each["AttributeName"]: each["AttributeType"] for each in spec["AttributeDefinitions"]}
    made = dynamodb.Table(
        scope,
        id_,
        table_name=name,
        **_keys(spec["KeySchema"], types),
        billing_mode=dynamodb.BillingMode(spec["BillingMode"]),
        stream=dynamodb.StreamViewType(spec["StreamSpecification"]["StreamViewType"]),
        time_to_live_attribute=spec["TimeToLiveAttribute"],
        encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
        encryption_key=key,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        deletion_protection=True,
        removal_policy=KEPT,
    )
    for index in spec["GlobalSecondaryIndexes"]:
        made.add_global_secondary_index(
            index_name=index["IndexName"],
            **_keys(index["KeySchema"], types),
            projection_type=dynamodb.ProjectionType(index["Projection"]["ProjectionType"]),
        )
    return made


def _keys(schema: list[dict[str, str]], types: dict[str, str]) -> dict[str, Any]:
    """Return a key schema as the CDK's two arguments."""
    arguments = {"HASH": "partition_key", "RANGE": "sort_key"}
    return {
        arguments[each["KeyType"]]: dynamodb.Attribute(
            name=each["AttributeName"], type=_TYPES[types[each["AttributeName"]]]
        )
        for each in schema
    }
