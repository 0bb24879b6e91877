"""Checks that the table is as `infra/table.json` defines it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from operations.doctor.finding import Finding, fail, ok, skipped, warn
from operations.doctor.scene import Scene

INFRA = Path(__file__).resolve().parents[2] / "infra"


def as_made(scene: Scene) -> Iterator[Finding]:
    """Check that the table exists, with its keys, indexes, stream, TTL and, in AWS, recovery to a
    point in time."""
    from botocore.exceptions import BotoCoreError, ClientError

    wanted = json.loads((INFRA / "table.json").read_text())
    name, dynamodb = scene.config.table, scene.installation.client("dynamodb")
    try:
        found = dynamodb.describe_table(TableName=name)["Table"]
    except (BotoCoreError, ClientError) as error:
        yield fail(
            "table",
            f"{name}: {error}",
            "Correct CHAMADE_TABLE, region or credentials; if the table is lost, restore it "
            "(docs/operations.md, Backup and restore).",
        )
        return
    yield _shape(found, wanted)
    yield _indexes(found, wanted)
    yield _stream(found, wanted)
    yield _ttl(dynamodb.describe_time_to_live(TableName=name), wanted["TimeToLiveAttribute"])
    yield _recovery(scene, dynamodb)


def _shape(found: dict[str, Any], wanted: dict[str, Any]) -> Finding:
    if found["KeySchema"] != wanted["KeySchema"] or found["TableStatus"] not in (
        "ACTIVE",
        "UPDATING",
    ):
        return fail(
            "table",
            f"{found['TableStatus']}, keys {found['KeySchema']}",
            "This is not the table of infra/table.json: correct CHAMADE_TABLE.",
        )
    return ok("table", f"{found['TableName']} is {found['TableStatus']}")


def _indexes(found: dict[str, Any], wanted: dict[str, Any]) -> Finding:
    deployed = {
        each["IndexName"]: (each["KeySchema"], each.get("IndexStatus", "ACTIVE"))
        for each in found.get("GlobalSecondaryIndexes", [])
    }
    bad = [
        each["IndexName"]
        for each in wanted["GlobalSecondaryIndexes"]
        if deployed.get(each["IndexName"]) != (each["KeySchema"], "ACTIVE")
    ]
    if bad:
        return fail(
            "table indexes",
            f"missing, other or not ready: {', '.join(bad)}",
            f"Make the index {bad[0]} as infra/table.json has it (deploy the stack that holds the "
            "table), and wait until it is filled: lists and the sweep need it.",
        )
    return ok("table indexes", ", ".join(sorted(deployed)))


def _stream(found: dict[str, Any], wanted: dict[str, Any]) -> Finding:
    stream = found.get("StreamSpecification", {})
    view = wanted["StreamSpecification"]["StreamViewType"]
    if not stream.get("StreamEnabled") or stream.get("StreamViewType") != view:
        return fail(
            "table stream",
            f"{stream.get('StreamViewType', 'off')}",
            f"Turn the table's stream on, {view}: without it webhooks wait for the sweep.",
        )
    return ok("table stream", view)


def _ttl(described: dict[str, Any], attribute: str) -> Finding:
    ttl = described["TimeToLiveDescription"]
    if ttl.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING") or (
        ttl.get("AttributeName") != attribute
    ):
        return fail(
            "table ttl",
            f"{ttl.get('TimeToLiveStatus', 'DISABLED')} {ttl.get('AttributeName', '')}".strip(),
            f"Turn time to live on, attribute {attribute}: without it events, deliveries and "
            "idempotency keys are kept, and paid for, for ever.",
        )
    return ok("table ttl", attribute)


def _recovery(scene: Scene, dynamodb: Any) -> Finding:
    name = "table recovery"
    if scene.installation.local:
        return skipped(name, "the local engine has no point-in-time recovery")
    described = dynamodb.describe_continuous_backups(TableName=scene.config.table)
    state = described["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    if state["PointInTimeRecoveryStatus"] != "ENABLED":
        return warn(
            name,
            "point-in-time recovery is off",
            "Turn it on (aws dynamodb update-continuous-backups): else a slip loses everything.",
        )
    return ok(name, f"since {state['EarliestRestorableDateTime']:%Y-%m-%d %H:%M}")
