"""Checks that the state machines and the table's stream are as `infra/` defines them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from operations.doctor.finding import Finding, fail, ok, warn
from operations.doctor.scene import Scene
from operations.doctor.table import INFRA

_FUNCTION = re.compile(r"\$\{\w+FunctionArn\}")
_LEFT_OUT = frozenset({"FunctionName", "Comment", "Resource"})


def machines(scene: Scene) -> Iterator[Finding]:
    """Check that both state machines exist and match their files."""
    config = scene.config
    yield _machine(scene, "ring timer", config.ring_state_machine, "ring_timeout.asl.json")
    # On one machine long waits are left to the sweep (local/short_waits.py): the wait itself and
    # the tasks are those of the file, and there are additional states.
    yield _machine(
        scene,
        "delivery machine",
        config.delivery_state_machine,
        "deliver_event.asl.json",
        more=scene.installation.local,
    )


def stream(scene: Scene) -> Iterator[Finding]:
    """Check that a function reads the table's stream."""
    from botocore.exceptions import BotoCoreError, ClientError

    name = "event source mapping"
    installation = scene.installation
    try:
        table = installation.client("dynamodb").describe_table(TableName=scene.config.table)
        arn = table["Table"].get("LatestStreamArn", "none")
        found = installation.client("lambda").list_event_source_mappings(EventSourceArn=arn)
    except (BotoCoreError, ClientError) as error:
        yield fail(name, str(error), "Allow the operator lambda:ListEventSourceMappings.")
        return
    mappings = [m for m in found["EventSourceMappings"] if m["EventSourceArn"] == arn]
    on = [m for m in mappings if m["State"] in ("Enabled", "Enabling", "Creating", "Updating")]
    if not on:
        yield fail(
            name,
            f"{len(mappings)} on the table's stream, none enabled",
            "Make or enable the mapping from the table's stream to fan_out_events "
            "(infra/fan_out_events.json): webhooks wait for the sweep meanwhile.",
        )
        return
    text = str(on[0].get("LastProcessingResult") or "")
    if text.startswith("PROBLEM"):
        yield warn(name, text, "Look into the log of fan_out_events.")
        return
    yield ok(name, f"{len(on)} enabled")


def _machine(scene: Scene, name: str, arn: str, file: str, *, more: bool = False) -> Finding:
    from botocore.exceptions import BotoCoreError, ClientError

    client = scene.installation.client("stepfunctions")
    try:
        found = client.describe_state_machine(stateMachineArn=arn)
    except (BotoCoreError, ClientError) as error:
        return fail(
            name,
            f"{arn}: {error}",
            f"Deploy the state machine of infra/{file}, or correct its ARN in the settings.",
        )
    wanted = json.loads(_FUNCTION.sub("", (INFRA / file).read_text()))
    deployed = json.loads(found["definition"])
    differing = [
        state
        for state in sorted(wanted["States"].keys() | deployed["States"].keys())
        if not (more and state not in wanted["States"])
        and _meaning(wanted["States"].get(state), loose=more)
        != _meaning(deployed["States"].get(state), loose=more)
    ]
    if differing or wanted["StartAt"] != deployed["StartAt"]:
        return fail(
            name,
            f"other than infra/{file}: {', '.join(differing) or 'StartAt'}",
            f"Somebody has changed it by hand: deploy infra/{file} again. Executions that are "
            "under way end as they began.",
        )
    return ok(name, f"as infra/{file}")


def _meaning(node: Any, *, loose: bool) -> Any:
    """Return a definition without the parts that differ between deployments; with `loose` also
    without each state's next state.
    """
    left_out = _LEFT_OUT | ({"Next"} if loose else set())
    if isinstance(node, dict):
        return {k: _meaning(v, loose=loose) for k, v in node.items() if k not in left_out}
    return [_meaning(each, loose=loose) for each in node] if isinstance(node, list) else node
