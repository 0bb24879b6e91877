"""Checks of all resources by cdk-nag, with AWS's own list of rules for solutions. An exception is
written beside the resource, with its reason; a finding without an exception ends the synthesis.
"""

from __future__ import annotations

import aws_cdk as cdk
import cdk_nag
from constructs import IConstruct

WILDCARD, MANAGED_POLICY = "AwsSolutions-IAM5", "AwsSolutions-IAM4"


def check(app: cdk.App) -> None:
    """Make the synthesis fail if a rule is broken and no exception with a reason is given."""
    cdk.Validations.of(app).add_plugins(cdk_nag.AwsSolutionsChecks(app))


def allow(construct: IConstruct, reason: str, *rules: str) -> None:
    """Allow `construct`, and the constructs in it, to break these rules."""
    for rule in rules:
        cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=rule, reason=reason))


def resource(arn: str, stack: cdk.Stack) -> str:
    """Return the finding about an ARN with a `*` in a policy, as cdk-nag writes it."""
    for token, name in (
        (stack.partition, "Partition"),
        (stack.region, "Region"),
        (stack.account, "AccountId"),
    ):
        if cdk.Token.is_unresolved(token):
            arn = arn.replace(token, f"<AWS::{name}>")
    return f"{WILDCARD}[Resource::{arn}]"


def managed(policy: str) -> str:
    """Return the finding about a policy that AWS manages."""
    return f"{MANAGED_POLICY}[Policy::arn:<AWS::Partition>:iam::aws:policy/{policy}]"


ANY = f"{WILDCARD}[Resource::*]"
"""The finding about a policy for any resource."""
