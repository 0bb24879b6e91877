"""cdk-nag over everything that is made: AWS's own list of what a solution must heed. An exception
is made in place, with its reason; a finding without one ends the synthesis.
"""

from __future__ import annotations

import aws_cdk as cdk
import cdk_nag
from constructs import IConstruct

WILDCARD, MANAGED_POLICY = "AwsSolutions-IAM5", "AwsSolutions-IAM4"


def check(app: cdk.App) -> None:
    """Let the synthesis fail where a rule is broken and no reason given."""
    cdk.Validations.of(app).add_plugins(cdk_nag.AwsSolutionsChecks(app))


def allow(construct: IConstruct, reason: str, *rules: str) -> None:
    """`construct`, and what is in it, may break these rules."""
    for rule in rules:
        cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=rule, reason=reason))


def resource(arn: str, stack: cdk.Stack) -> str:
    """The finding about an ARN with a `*` in a policy, as cdk-nag writes it."""
    for told, name in (
        (stack.partition, "Partition"),
        (stack.region, "Region"),
        (stack.account, "AccountId"),
    ):
        if cdk.Token.is_unresolved(told):
            arn = arn.replace(told, f"<AWS::{name}>")
    return f"{WILDCARD}[Resource::{arn}]"


def managed(policy: str) -> str:
    """The finding about a policy of AWS's."""
    return f"{MANAGED_POLICY}[Policy::arn:<AWS::Partition>:iam::aws:policy/{policy}]"


ANY = f"{WILDCARD}[Resource::*]"
"""The finding about a policy for any resource."""
