"""`python -m infra.kept FOLDER`: find the table, keys and secrets that a removed installation has
left, so that the next one takes them over (`make adopt`, docs/aws.md). FOLDER has the templates.

Prints the mapping that `cdk import --resource-mapping` reads: logical id -> identifier.
CloudFormation takes over by itself only what a name in the template identifies; a key is identified
by its id, and a secret by its ARN (CloudFormation user guide, "Import AWS resources into a stack
automatically").
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.settings import context, from_context

Client = Callable[[str], Any]
"""boto3's client of a service."""


def _table(properties: dict[str, Any], client: Client) -> dict[str, str]:
    name = properties["TableName"]
    dynamodb = client("dynamodb")
    try:
        dynamodb.describe_table(TableName=name)
    except dynamodb.exceptions.ResourceNotFoundException:
        raise LookupError(f"there is no table {name}: nothing was left, use make deploy") from None
    return {"TableName": name}


def _secret(properties: dict[str, Any], client: Client) -> dict[str, str]:
    manager = client("secretsmanager")
    try:
        return {"Id": manager.describe_secret(SecretId=properties["Name"])["ARN"]}
    except manager.exceptions.ResourceNotFoundException:
        raise LookupError(f"there is no secret {properties['Name']}: restore it") from None


def _key(alias: str, client: Client) -> dict[str, str]:
    """Find a key by its alias, which is kept as well."""
    kms = client("kms")
    try:
        return {"KeyId": kms.describe_key(KeyId=alias)["KeyMetadata"]["KeyId"]}
    except kms.exceptions.NotFoundException:
        raise LookupError(
            f"there is no key {alias}: make that alias for the key that encrypted the table"
        ) from None


def _bucket(properties: dict[str, Any], client: Client) -> dict[str, str]:
    name = properties["BucketName"]
    store = client("s3")
    try:
        store.head_bucket(Bucket=name)
    except store.exceptions.ClientError:
        raise LookupError(f"there is no bucket {name} of ours: make one of this name") from None
    return {"Bucket" if "PolicyDocument" in properties else "BucketName": name}


LOOKED_UP: dict[str, Callable[[dict[str, Any], Client], dict[str, str]]] = {
    "AWS::DynamoDB::Table": _table,
    "AWS::SecretsManager::Secret": _secret,
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::BucketPolicy": _bucket,
    "AWS::KMS::Alias": lambda properties, _: {"AliasName": properties["AliasName"]},
}
"""Type of a kept resource that has a name -> the function that finds it."""


def mapping(template: dict[str, Any], client: Client) -> dict[str, dict[str, str]]:
    """Return logical id -> identifier of everything that the data stack keeps when it is removed.
    Raises LookupError, with a sentence, if something is not there.
    """
    kept = {
        id_: (each["Type"], each["Properties"])
        for id_, each in template["Resources"].items()
        if each.get("DeletionPolicy", "").startswith("Retain")
    }
    aliases = {
        about["TargetKeyId"]["Fn::GetAtt"][0]: about["AliasName"]
        for type_, about in kept.values()
        if type_ == "AWS::KMS::Alias"
    }
    # A policy has its bucket's identifier.
    for _, about in kept.values():
        bucket = about.get("Bucket")
        if isinstance(bucket, dict):
            about["BucketName"] = kept[bucket["Ref"]][1]["BucketName"]
    # The table first: without it nothing was left.
    order = sorted(kept, key=lambda id_: kept[id_][0] != "AWS::DynamoDB::Table")
    return {
        id_: _key(aliases[id_], client) if id_ in aliases
        else LOOKED_UP[kept[id_][0]](kept[id_][1], client)
        for id_ in order
    }  # fmt: skip


def main() -> int:
    """Print the mapping of the installation of infra/cdk.json; return 1 after a sentence if
    something is missing."""
    import boto3

    settings = from_context(context()["chamade"])
    file = Path(sys.argv[1]) / f"{settings.name('data')}.template.json"
    template = json.loads(file.read_text())
    session = boto3.Session(region_name=settings.region or None)
    try:
        sys.stdout.write(json.dumps(mapping(template, session.client), indent=1) + "\n")
    except LookupError as missing:
        sys.stderr.write(f"make adopt: {missing}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
