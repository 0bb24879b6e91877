"""`chamade-admin backup FILE`, `restore FILE`: the table as JSON lines, one item a line, in
DynamoDB's own types.

A backup is a scan: each item is read at some moment of it, so two items that were written together
may be read at different moments. A call may be there without its last event, or in its state of a
moment before; the sweep and the provider's next post repair that, as after a lost message. For a
backup of all items at one moment, use AWS's own backups (docs/operations.md). Sealed secrets stay
sealed: without the vault's key nobody can open them. But the file holds hashes of keys and
everybody's calls, so only its owner can read it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import click

from operations.shell import CONFLICT, FAILED, USAGE, Failure, Session, json_option

TABLE_SPEC = Path(__file__).resolve().parents[1] / "infra" / "table.json"
FORMAT = {"chamade": "backup", "format": 1}
_BATCH, _MAX_ROUNDS = 25, 50


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
@click.pass_obj
def backup(session: Session, file: Path) -> None:
    """Write the whole table to FILE. Calls may be up."""
    if file.exists():
        raise Failure(f"{file} is there already", USAGE)
    client, table = session.installation.client("dynamodb"), session.installation.config.table
    partial = file.with_name(f"{file.name}.partial")
    count = 0
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as out:
        out.write(json.dumps({**FORMAT, "table": table}) + "\n")
        for page in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
            for item in page["Items"]:
                out.write(json.dumps(item, separators=(",", ":")) + "\n")
                count += 1
        out.write(json.dumps({"items": count}) + "\n")
    partial.replace(file)
    session.done(f"{count} items in {file}", items=count, file=str(file))


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--table", help="Another than the installation's; made if it is not there.")
@click.option("--over", is_flag=True, help="Into a table that holds something: items are replaced.")
@json_option
@click.pass_obj
def restore(session: Session, file: Path, table: str | None, over: bool) -> None:
    """Write FILE's items into a table that is empty, or made for it. Point the application at it
    only then: an empty table tells providers to hang up.
    """
    client = session.installation.client("dynamodb")
    table = table or session.installation.config.table
    wanted = _checked(file)
    made = _make(client, table)
    if not made and not over and client.scan(TableName=table, Limit=1)["Items"]:
        raise Failure(
            f"the table {table} is not empty: what is in it would be replaced where FILE has the "
            "same keys, and kept where not. Make a new one, or say --over",
            CONFLICT,
        )
    batch: list[dict[str, Any]] = []
    with file.open(encoding="ascii") as lines:
        for item in _items(lines):
            batch.append(item)
            if len(batch) == _BATCH:
                _write(client, table, batch)
                batch = []
    _write(client, table, batch)
    session.done(f"{wanted} items restored into {table}", items=wanted, table=table)


def _make(client: Any, table: str) -> bool:
    """Make the table of infra/table.json under this name; return False if there is one already."""
    spec = json.loads(TABLE_SPEC.read_text())
    ttl = {"Enabled": True, "AttributeName": spec.pop("TimeToLiveAttribute")}
    try:
        client.create_table(TableName=table, **spec)
    except client.exceptions.ResourceInUseException:
        return False
    client.get_waiter("table_exists").wait(
        TableName=table, WaiterConfig={"Delay": 2, "MaxAttempts": 150}
    )
    client.update_time_to_live(TableName=table, TimeToLiveSpecification=ttl)
    return True


def _checked(file: Path) -> int:
    """Return how many items a backup has. Raises Failure if the file is no complete backup."""
    with file.open(encoding="ascii") as lines:
        try:
            first = json.loads(lines.readline())
            if {**FORMAT, **first} != first:
                raise ValueError("another format")
            count, last = 0, {}
            for line in lines:
                last = json.loads(line)
                count += "pk" in last
        except (ValueError, AttributeError, TypeError) as error:
            raise Failure(f"{file} is no backup: {error}", USAGE) from None
    if last.get("items") != count:
        raise Failure(f"{file} is not whole: {count} items, and not the end", USAGE)
    return count


def _items(lines: TextIO) -> Iterator[dict[str, Any]]:
    return (item for item in map(json.loads, lines) if "pk" in item)


def _write(client: Any, table: str, items: list[dict[str, Any]]) -> None:
    left = {table: [{"PutRequest": {"Item": item}} for item in items]} if items else {}
    for _ in range(_MAX_ROUNDS):
        if not left:
            return
        left = client.batch_write_item(RequestItems=left)["UnprocessedItems"]
    raise Failure("the table does not take items any more; begin again with --over", FAILED)
