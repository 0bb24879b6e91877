"""`python -m infra.restored`: make a restored table ready for the data stack to take over
(`make adopt-table`, docs/runbooks.md). `python -m infra.restored FOLDER`: check that a deployment
of the templates in FOLDER neither makes an empty table nor drops the one in use.

A restore brings a table's items, indexes and encryption. It brings no stream, TTL, point-in-time
recovery or protection, and CloudFormation takes a table over as it is: what the template says of it
is true only if it was made so before (DynamoDB developer guide, "Restore a table"; CloudFormation
user guide, "Import AWS resources into a CloudFormation stack automatically").
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from infra.settings import Settings, context, from_context

Client = Callable[[str], Any]
"""boto3's client of a service."""

SPEC = Path(__file__).parent / "table.json"


def prepare(settings: Settings, client: Client) -> Iterator[str]:
    """Give the last table of `tables` all that a restore leaves out, and yield a line for each
    thing that was done. What is there already is left as it is. Raises LookupError, with a
    sentence, if the table is not one that the installation can use.
    """
    if len(settings.table_names) < 2:
        raise LookupError("tables of infra/cdk.json has no restored table behind the first one")
    name, dynamodb = settings.table_names[-1], client("dynamodb")
    spec = json.loads(SPEC.read_text())
    found = _usable(name, spec, dynamodb)
    _same_key(found, settings, client("kms"))
    stream = found.get("StreamSpecification", {})
    if not stream.get("StreamEnabled"):
        dynamodb.update_table(TableName=name, StreamSpecification=spec["StreamSpecification"])
        dynamodb.get_waiter("table_exists").wait(TableName=name)
        yield f"stream {spec['StreamSpecification']['StreamViewType']}"
    elif stream != spec["StreamSpecification"]:
        raise LookupError(f"the stream of {name} has {stream['StreamViewType']}: turn it off first")
    ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if ttl["TimeToLiveStatus"] not in ("ENABLED", "ENABLING"):
        wanted = {"Enabled": True, "AttributeName": spec["TimeToLiveAttribute"]}
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=wanted)
        yield f"time to live by {spec['TimeToLiveAttribute']}"
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    if backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] != "ENABLED":
        dynamodb.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
        yield "point-in-time recovery"
    if not found.get("DeletionProtectionEnabled"):
        dynamodb.update_table(TableName=name, DeletionProtectionEnabled=True)
        dynamodb.get_waiter("table_exists").wait(TableName=name)
        yield "deletion protection"


def _usable(name: str, spec: dict[str, Any], dynamodb: Any) -> dict[str, Any]:
    """Return the table's description, if it is ready and has the keys and indexes of ours."""
    try:
        found: dict[str, Any] = dynamodb.describe_table(TableName=name)["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
        raise LookupError(
            f"there is no table {name}: restore it first (docs/runbooks.md, table-lost)"
        ) from None
    indexes = found.get("GlobalSecondaryIndexes", [])
    if found["TableStatus"] != "ACTIVE" or any(
        each.get("IndexStatus", "ACTIVE") != "ACTIVE" for each in indexes
    ):
        raise LookupError(f"{name} is {found['TableStatus']}: wait until it and its indexes are up")
    has = {each["IndexName"]: each["KeySchema"] for each in indexes}
    wanted = {each["IndexName"]: each["KeySchema"] for each in spec["GlobalSecondaryIndexes"]}
    if (found["KeySchema"], has) != (spec["KeySchema"], wanted):
        raise LookupError(f"{name} has other keys or indexes than infra/table.json: is it ours?")
    return found


def _same_key(found: dict[str, Any], settings: Settings, kms: Any) -> None:
    """Raise LookupError if the table is encrypted with another key than the installation's: its
    functions may use no other."""
    alias = f"alias/{settings.name('data')}"
    ours = kms.describe_key(KeyId=alias)["KeyMetadata"]["Arn"]
    used = found.get("SSEDescription", {}).get("KMSMasterKeyArn", "no key of yours")
    if used != ours:
        raise LookupError(
            f"{found['TableName']} is encrypted with {used}, not with {alias}: restore it again, "
            f"with --sse-specification-override Enabled=true,SSEType=KMS,KMSMasterKeyId={ours}"
        )


def complaints(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a deployment that changes the data stack's template so: a table that
    it would make empty, or the one in use that it would drop.
    """
    old, new = _tables(before), _tables(after)
    if not old:
        return  # the first deployment, which makes the first table
    for name in new:
        if name not in old:
            yield f"{name} would be made, and be empty: restore it, then run make adopt-table"
    if old[-1] not in new:
        yield (
            f"{old[-1]} is in use and may not be left out: deploy once with it, and with the new "
            "one behind it"
        )


def _tables(template: dict[str, Any]) -> list[str]:
    """Return the names of a template's tables, in their order."""
    return [
        each["Properties"]["TableName"]
        for each in template.get("Resources", {}).values()
        if each["Type"] == "AWS::DynamoDB::Table"
    ]


def main() -> int:
    """Prepare the table, or check the templates; return 1 after a sentence if that failed."""
    import boto3
    from botocore.exceptions import ClientError

    settings = from_context(context()["chamade"])
    session = boto3.Session(region_name=settings.region or None)
    if len(sys.argv) == 1:
        try:
            for line in prepare(settings, session.client):
                sys.stdout.write(f"{settings.table_names[-1]}: {line}\n")
        except LookupError as unfit:
            sys.stderr.write(f"make adopt-table: {unfit}\n")
            return 1
        return 0
    name = settings.name("data")
    after = json.loads((Path(sys.argv[1]) / f"{name}.template.json").read_text())
    try:
        before = session.client("cloudformation").get_template(StackName=name)["TemplateBody"]
    except ClientError as error:
        if "does not exist" in str(error):
            return 0
        raise
    found = list(complaints(before if isinstance(before, dict) else json.loads(before), after))
    for line in found:
        sys.stderr.write(f"make deploy: tables: {line}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
