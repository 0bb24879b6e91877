"""Counts the requests to a table, and their units as AWS bills them.

Listens to botocore's own events on the client of a `Table`, so that nothing between the application
and the engine is changed. Units follow DynamoDB's published rules from the sizes of the items,
since what an engine on this machine reports is its own idea: 4 KB a read unit, half of one where
the read may lag; 1 KB a write unit, two in a transaction; each index that an item is in writes it
again, once, when it changes.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from chalicelib.store.table import Table
from tests.support.engine import ROOT

Typed = dict[str, dict[str, Any]]
"""An item as DynamoDB's API has it: `{"name": {"S": "text"}}`."""

_READ_UNIT, _WRITE_UNIT = 4096, 1024
_INDEXES = [
    (index["KeySchema"][0]["AttributeName"], index["KeySchema"][1]["AttributeName"])
    for index in json.loads((ROOT / "infra" / "table.json").read_text())["GlobalSecondaryIndexes"]
]
"""Partition and sort key of each index; all of them hold whole items."""


@dataclass
class Meter:
    """Counts from when it is made. `operations` by name, units as billed, and the `stream`: what
    was written, as the table's stream tells it.
    """

    table: Table
    observer: Any
    """Another client of the same engine: what it asks is not counted."""
    operations: Counter[str] = field(default_factory=Counter)
    read_units: float = 0
    write_units: int = 0
    stream: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listen()

    def close(self) -> None:
        """Count no further."""
        events = self.table._client.meta.events
        events.unregister("provide-client-params.dynamodb", self._asked)
        events.unregister("after-call.dynamodb", self._answered)

    @contextmanager
    def resting(self) -> Iterator[None]:
        """For looks that nobody but the test has."""
        self.close()
        try:
            yield
        finally:
            self._listen()

    def _listen(self) -> None:
        events = self.table._client.meta.events
        events.register("provide-client-params.dynamodb", self._asked)
        events.register("after-call.dynamodb", self._answered)

    def _asked(self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        writes = [write for each in params.get("TransactItems", [params]) for write in _parts(each)]
        if {write["TableName"] for write in writes} != {self.table.name}:
            return  # another table's
        keys = [_key(write.get("Item") or write.get("Key") or {}) for write in writes]
        before = [self._stored(key) for key in keys] if model.name.endswith(_WRITES) else []
        context["metered"] = (params, keys, before)

    def _answered(self, parsed: Any, model: Any, context: dict[str, Any], **_: Any) -> None:
        if "metered" not in context:
            return
        params, keys, before = context["metered"]
        self.operations[model.name] += 1
        if not model.name.endswith(_WRITES):
            assert "FilterExpression" not in params, "what a filter hides is billed, too"
            self._read(parsed, consistent=params.get("ConsistentRead", False))
            return
        for key, old in zip(keys, before, strict=True):
            self._wrote(key, old, self._stored(key), twice=model.name == "TransactWriteItems")

    def _stored(self, key: Typed) -> Typed | None:
        found = self.observer.get_item(TableName=self.table.name, Key=key, ConsistentRead=True)
        item: Typed | None = found.get("Item")
        return item

    def _read(self, parsed: Any, *, consistent: bool) -> None:
        items = parsed.get("Items") or ([parsed["Item"]] if "Item" in parsed else [])
        units = max(1, math.ceil(sum(map(size, items)) / _READ_UNIT))
        self.read_units += units if consistent else units / 2

    def _wrote(self, key: Typed, old: Typed | None, new: Typed | None, *, twice: bool) -> None:
        units = _units(old, new)
        self.write_units += 2 * units if twice else units
        if old == new:
            return  # refused by its condition: billed all the same, but nothing follows from it
        self.write_units += sum(_index_units(old, new, *index) for index in _INDEXES)
        name = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
        image = {} if new is None else {"NewImage": new}
        number = f"{len(self.stream) + 1:021d}"
        self.stream.append(
            {"eventName": name, "dynamodb": {"Keys": key, "SequenceNumber": number, **image}}
        )


_WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")


def size(item: Typed) -> int:
    """Bytes of an item as DynamoDB counts them."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return len(content.strip("-").replace(".", "").strip("0")) // 2 + 2
        case "BOOL" | "NULL":
            return 1
        case "M":
            return 3 + sum(len(n.encode()) + _value_size(v) + 1 for n, v in content.items())
        case "L":
            return 3 + sum(_value_size(each) + 1 for each in content)
        case "SS":
            return sum(len(each.encode()) for each in content)
    raise AssertionError(f"no {kind} is stored")


def _parts(request: dict[str, Any]) -> list[dict[str, Any]]:
    """A request by itself, or the writes of one entry of a transaction."""
    return [request] if "TableName" in request else list(request.values())


def _key(item: Typed) -> Typed:
    return {name: item[name] for name in ("pk", "sk") if name in item}


def _units(old: Typed | None, new: Typed | None) -> int:
    """Of one write: by the larger of the item before and after."""
    return max([1, *(math.ceil(size(each) / _WRITE_UNIT) for each in (old, new) if each)])


def _index_units(old: Typed | None, new: Typed | None, partition: str, order: str) -> int:
    """Of one index: none if the item is not in it, two writes if its place there changes."""
    was = old if old and partition in old else None
    now = new if new and partition in new else None
    if was and now and (was[partition], was[order]) != (now[partition], now[order]):
        return _units(was, None) + _units(None, now)
    return _units(was, now) if was != now else 0
