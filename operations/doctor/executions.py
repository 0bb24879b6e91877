"""The check of how many executions Lambda gives the account, and whether they are divided.

Sources: Lambda developer guide, "Lambda quotas" (a new account may have fewer than 1,000) and
"Configuring reserved concurrency" (100 always stay unreserved).
"""

from __future__ import annotations

from collections.abc import Iterator

from operations.doctor.finding import Finding, fail, ok, skipped, warn
from operations.doctor.scene import Scene

WANTED = 1000
"""Executions at a time that an installation as deployed is made for (docs/aws.md, Executions)."""
FEW = 100
"""Fewer than these: a handful of agents that wait for events keep calls from being answered."""

_ASK = (
    "Ask for {wanted:,}: aws service-quotas request-service-quota-increase --service-code lambda "
    "--quota-code L-B99A9384 --desired-value {wanted}. "
)
_RESERVE = "Deploy with sizes.reserved_concurrency as infra/cdk.json has it."


def executions(scene: Scene) -> Iterator[Finding]:
    """Check the account's concurrent executions, and that some are reserved."""
    from botocore.exceptions import BotoCoreError, ClientError

    name = "executions"
    if scene.installation.local:
        yield skipped(name, "the local engine has no limit of them")
        return
    try:
        limits = scene.installation.client("lambda").get_account_settings()["AccountLimit"]
    except (BotoCoreError, ClientError) as error:
        yield fail(name, str(error), "Allow the operator lambda:GetAccountSettings.")
        return
    limit, free = limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]
    seen = f"{limit:,} at a time in this account and region, {limit - free:,} of them reserved"
    if limit < FEW:
        yield fail(name, seen, _ASK.format(wanted=WANTED) + _RESERVE)
    elif limit < WANTED:
        yield warn(name, seen, _ASK.format(wanted=WANTED) + _RESERVE)
    elif free == limit:
        yield warn(name, seen, f"Long polls can keep webhooks from being answered. {_RESERVE}")
    else:
        yield ok(name, seen)
