"""Checks of what was deployed in AWS, for `doctor --aws`: the stacks, the services that run, the
alarms, and whether anybody gets them.

They need the operator's own rights to look (ReadOnlyAccess will do), so they are made only if asked
for. The stage is read off the ring timer's name (infra/state_machines.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from operations.doctor.finding import Finding, fail, ok, warn
from operations.doctor.scene import Scene

STACKS = ("data", "application", "media", "watch")
_MACHINE = re.compile(r":stateMachine:(chamade-[a-z][a-z0-9]*)-ring-timeout$")


def deployment(scene: Scene) -> Iterator[Finding]:
    """Check the account, the stacks, the services, the alarms and their recipients."""
    found = _MACHINE.search(scene.config.ring_state_machine)
    if scene.installation.local or found is None:
        yield fail(
            "aws",
            "this installation is not in AWS",
            "Name the function in the output SettingsOfFunction: --function or CHAMADE_FUNCTION.",
        )
        return
    name = found[1]
    for check in (_account, _stacks, _services, _alarms, _recipients):
        yield from _asked(check, scene, name)


def _asked(
    check: Callable[[Scene, str], Iterator[Finding]], scene: Scene, name: str
) -> Iterator[Finding]:
    """Yield the findings of a check, or why AWS refuses it."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield from check(scene, name)
    except (BotoCoreError, ClientError) as error:
        what = check.__name__.removeprefix("_")
        yield fail(f"aws {what}", str(error), "Correct the credentials, or allow ReadOnlyAccess.")


def _account(scene: Scene, _name: str) -> Iterator[Finding]:
    who = scene.installation.client("sts").get_caller_identity()
    yield ok("aws account", f"{who['Account']}, as {who['Arn'].rpartition('/')[2]}")


def _stacks(scene: Scene, name: str) -> Iterator[Finding]:
    pages = scene.installation.client("cloudformation").get_paginator("describe_stacks")
    states = {
        each["StackName"]: each["StackStatus"]
        for page in pages.paginate()
        for each in page["Stacks"]
    }
    for stack in STACKS:
        full = f"{name}-{stack}"
        state = states.get(full, "not deployed")
        # A roll-back of an update is over, and its stack is what it was before.
        if state in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"):
            yield ok(f"aws stack {stack}", state)
        else:
            yield fail(
                f"aws stack {stack}",
                state,
                f"See why: aws cloudformation describe-stack-events --stack-name {full}. Correct "
                "it, and run make deploy again.",
            )


def _services(scene: Scene, name: str) -> Iterator[Finding]:
    ecs, cluster = scene.installation.client("ecs"), f"{name}-media"
    arns = ecs.list_services(cluster=cluster)["serviceArns"]
    described = ecs.describe_services(cluster=cluster, services=arns) if arns else {"services": []}
    if not described["services"]:
        yield fail("aws services", "none runs", "Deploy the stack media: make deploy-gateway.")
    for service in described["services"]:
        short = service["serviceName"].removeprefix(f"{name}-")
        seen = f"{service['runningCount']} of {service['desiredCount']} tasks run"
        if service["runningCount"] >= max(1, service["desiredCount"]):
            yield ok(f"aws service {short}", seen)
        else:
            yield fail(
                f"aws service {short}",
                seen,
                f"See why: aws ecs describe-services --cluster {cluster} --services "
                f"{service['serviceName']} --query 'services[0].events[:5].message'.",
            )


def _alarms(scene: Scene, name: str) -> Iterator[Finding]:
    pages = scene.installation.client("cloudwatch").get_paginator("describe_alarms")
    found: list[dict[str, Any]] = [
        each for page in pages.paginate(AlarmNamePrefix=f"{name}-") for each in page["MetricAlarms"]
    ]
    loud = [each["AlarmName"] for each in found if each["StateValue"] == "ALARM"]
    if loud:
        yield warn("aws alarms", ", ".join(loud), "Each has its section in docs/runbooks.md.")
    elif found:
        yield ok("aws alarms", f"{len(found)}, none of them in alarm")
    else:
        yield fail("aws alarms", "there are none", "Deploy the stack watch.")


def _recipients(scene: Scene, name: str) -> Iterator[Finding]:
    sns = scene.installation.client("sns")
    topics = [each["TopicArn"] for each in sns.list_topics()["Topics"]]
    topic = next((each for each in topics if each.endswith(f":{name}-alarms")), None)
    listed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] if topic else []
    pending = [each["Endpoint"] for each in listed if not each["SubscriptionArn"].startswith("arn")]
    if pending:
        yield warn(
            "aws alarm recipients",
            f"{', '.join(pending)} has not confirmed",
            "Open AWS's e-mail *Subscription Confirmation*, and press its link.",
        )
    elif listed:
        yield ok("aws alarm recipients", ", ".join(each["Endpoint"] for each in listed))
    else:
        yield warn("aws alarm recipients", "nobody gets them", "Set alarm_email, and deploy.")
