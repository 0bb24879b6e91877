"""`python -m infra.gateway_changes FOLDER`: say what a deployment of the templates in FOLDER would
do to the gateway that runs now, and return 3 if it would end its calls.

`make deploy` asks it first, and leaves the stack `media` alone if so: that one is deployed by `make
deploy-gateway`, at a quiet time (docs/aws.md).
Sources: CloudFormation template reference, update behaviour of AWS::EC2::Instance,
AWS::ECS::TaskDefinition and AWS::ECS::Service.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.settings import context, from_context

GATEWAY = "Gateway"
"""Beginning of the logical ids of everything of the gateway's."""

ENDS_CALLS = {
    "AWS::EC2::Instance": "the machine is replaced or restarted",
    "AWS::ECS::TaskDefinition": "the gateway is started anew",
    "AWS::ECS::Service": "the gateway's service is changed",
    "AWS::EC2::EIP": "the address changes: carriers must allow the new one",
    "AWS::EC2::EIPAssociation": "the address is taken away for a moment",
}
"""Type of resource -> what a change of its properties means."""

HARMLESS = {
    "AWS::EC2::Instance": {"Tags", "Monitoring", "SecurityGroupIds"},
    "AWS::ECS::TaskDefinition": {"Tags"},
    "AWS::ECS::Service": {"Tags", "DeploymentConfiguration", "PropagateTags"},
    "AWS::EC2::EIP": {"Tags"},
}
"""Properties that are changed while the gateway runs."""


def effects(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """Yield what it means for the gateway's calls if the stack's template is changed so. Nothing is
    yielded if the gateway goes on, or if there was none."""
    old, new = _parts(before), _parts(after)
    changed_parameters = {
        name
        for name, about in before.get("Parameters", {}).items()
        if after.get("Parameters", {}).get(name) != about
    }
    for id_, was in old.items():
        type_ = was["Type"]
        if id_ not in new:
            yield f"{type_}: it is removed"
            continue
        ignored = HARMLESS.get(type_, set())
        is_, was_ = new[id_].get("Properties", {}), was.get("Properties", {})
        names = {name for name in is_.keys() | was_.keys() if is_.get(name) != was_.get(name)}
        names |= {
            name
            for name, value in was_.items()
            if isinstance(value, dict) and value.get("Ref") in changed_parameters
        }
        if names - ignored:
            yield f"{type_}: {ENDS_CALLS[type_]} ({', '.join(sorted(names - ignored))})"


def _parts(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        id_: each
        for id_, each in template.get("Resources", {}).items()
        if id_.startswith(GATEWAY) and each["Type"] in ENDS_CALLS
    }


def main() -> int:
    """Print the effects, each on a line. Return 3 if there are any, 0 if there are none."""
    import boto3
    from botocore.exceptions import ClientError

    settings = from_context(context()["chamade"])
    name = settings.name("media")
    after = json.loads((Path(sys.argv[1]) / f"{name}.template.json").read_text())
    cloudformation = boto3.client("cloudformation", region_name=settings.region or None)
    try:
        before = cloudformation.get_template(StackName=name)["TemplateBody"]
    except ClientError as error:
        if "does not exist" in str(error):
            return 0  # nothing runs yet
        raise
    before = before if isinstance(before, dict) else json.loads(before)
    found = list(effects(before, after))
    for line in found:
        sys.stdout.write(f"{line}\n")
    return 3 if found else 0


if __name__ == "__main__":
    sys.exit(main())
