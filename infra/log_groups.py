"""Log groups: one for each part and named after it, kept for as long as the operator says, and
encrypted with a key of the stack's own, since they hold callers' numbers.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.removal import KEPT
from infra.settings import Settings

_USES = ("Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "Describe")
"""Uses of the key that CloudWatch Logs makes (CloudWatch Logs user guide, "Encrypt log data using
KMS")."""


def log_key(stack: cdk.Stack, settings: Settings) -> kms.Key:
    """Make a key that CloudWatch Logs may use, for the groups of this installation only."""
    key = kms.Key(
        stack,
        "LogKey",
        description=f"Chamade {settings.stage}: the logs of {stack.stack_name}",
        enable_key_rotation=True,
        # Without the key the logs cannot be read.
        removal_policy=KEPT,
    )
    groups = f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:log-group:*"
    key.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
            actions=[f"kms:{each}*" for each in _USES],
            resources=["*"],  # in a key's own policy: this key
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        )
    )
    return key


def log_group(scope: Construct, part: str, settings: Settings, key: kms.IKey) -> logs.LogGroup:
    """Make the log group of a part."""
    return logs.LogGroup(
        scope,
        "".join(word.capitalize() for word in part.replace("-", "_").split("_")) + "Log",
        log_group_name=settings.log_group(part),
        retention=_retention(settings.sizes.log_days),
        encryption_key=key,
        removal_policy=KEPT,
    )


def _retention(days: int) -> logs.RetentionDays:
    """Return CloudWatch's name of a number of days. Raises ValueError if CloudWatch does not offer
    that number."""
    names = {1: "ONE_DAY", 3: "THREE_DAYS", 5: "FIVE_DAYS", 7: "ONE_WEEK", 14: "TWO_WEEKS"}
    months = {30: "ONE_MONTH", 60: "TWO_MONTHS", 90: "THREE_MONTHS", 180: "SIX_MONTHS"}
    known = {**names, **months, 365: "ONE_YEAR", 731: "TWO_YEARS"}
    if days not in known:
        raise ValueError(f"log_days must be one of {', '.join(map(str, known))}")
    return getattr(logs.RetentionDays, known[days])
